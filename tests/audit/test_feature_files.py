"""Features that were computed elsewhere: found by name, FID and KID of Inception's alone, and broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from somscope.audit import AuditImages
from somscope.audit.corrected import corrected
from somscope.audit.feature_files import read_features
from somscope.auditing import audit_images
from somscope.errors import DataError
from somscope.measures import frechet_distance, kernel_distance

DRAW = np.random.default_rng(0)
PIXELS = DRAW.integers(0, 256, (2, 12, 8, 8, 3), dtype=np.uint8)
NAMES = tuple(f"n{at}" for at in range(12))
IMAGES = AuditImages("x", PIXELS[0], PIXELS[1], names={"target": NAMES, "generated": NAMES})


def write(path: Path, features: int, **more: object) -> dict[str, np.ndarray]:
    """A file whose rows stand in another order, with a row too many."""
    draw = np.random.default_rng(1)
    rows = {
        part: draw.normal(size=(13, features)) + 2 * at for at, part in enumerate(("target", "generated"))
    }
    order = np.random.default_rng(2).permutation(13)
    names = np.array([*NAMES, "more"])[order]
    arrays = {part: values[order] for part, values in rows.items()}
    np.savez(path, **{**arrays, "target_names": names, "generated_names": names, **more})
    return {part: values[:12] for part, values in rows.items()}


def test_features_are_found_by_name(tmp_path: Path) -> None:
    rows = write(tmp_path / "f.npz", 3)
    found = read_features(tmp_path / "f.npz", IMAGES, inception=False)
    for part, values in rows.items():
        np.testing.assert_array_equal(found[part], values)
    numbers = corrected(IMAGES, [f"features:{tmp_path / 'f.npz'}"], 2, 59, quick=True).numbers
    assert {number.space for number in numbers} == {"features:f.npz"}
    assert not {"FID", "KID"} & {number.measure for number in numbers}
    assert next(number for number in numbers if number.measure == "classifier").p <= 0.05


def test_fid_and_kid_of_inception_features(tmp_path: Path) -> None:
    rows = write(tmp_path / "i.npz", 2048)
    result = audit_images(IMAGES, spaces=[f"inception:{tmp_path / 'i.npz'}"], n_seeds=2, permutations=19)
    found = {number.measure: number for number in result.numbers}
    assert found["FID"].value == pytest.approx(frechet_distance(rows["target"], rows["generated"]))
    assert found["KID"].value == pytest.approx(kernel_distance(rows["target"], rows["generated"]))
    assert found["FID"].p == 0.05
    assert found["FID"].space == "inception:i.npz"
    assert any("FID is biased" in text for text in result.distrust)
    assert "KID" in result.to_html()


def test_larger_sets_have_no_permutations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("somscope.audit.feature_files._TESTED", 20)
    write(tmp_path / "i.npz", 2048)
    result = audit_images(IMAGES, spaces=[f"inception:{tmp_path / 'i.npz'}"], n_seeds=2, permutations=19)
    number = next(number for number in result.numbers if number.measure == "FID")
    assert (number.p, number.q, number.permutations) == (None, None, 0)
    assert result.to_html()


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"

    def read(*, inception: bool = False) -> None:
        read_features(path, IMAGES, inception=inception)

    with pytest.raises(DataError, match="cannot be read"):
        read()
    path.write_bytes(b"PK broken")
    with pytest.raises(DataError, match="cannot be read"):
        read()
    np.save(tmp_path / "one.npy", np.zeros((3, 2)))
    with pytest.raises(DataError, match="cannot be read"):
        read_features(tmp_path / "one.npy", IMAGES, inception=False)
    write(path, 3, generated=np.array([{}], dtype=object))
    with pytest.raises(DataError, match="Python objects"):
        read()
    write(path, 3)
    with pytest.raises(DataError, match="has 3 features, and Inception's pooling layer 2048"):
        read(inception=True)
    write(path, 3, generated=np.full((13, 3), np.nan))
    with pytest.raises(DataError, match="NaN or infinite"):
        read()
    write(path, 3, generated_names=np.array(["a.png"] * 13))
    with pytest.raises(
        DataError, match=r"no features of 12 generated images, such as 'n0'; its names are like 'a\.png'"
    ):
        read()
    write(path, 3, generated_names=np.array(["a"]))
    with pytest.raises(DataError, match="and 1 names"):
        read()
    np.savez(path, target=np.zeros((12, 2)))
    with pytest.raises(DataError, match="has no array 'target_names'; it has target"):
        read()
