"""The study of descriptors on small scenes, and its result file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from scenery import HOMOGRAPHY, projected, scene, warped
from somscope.cli.main import app
from somscope.codes import hamming_distances
from somscope.codes.descriptors import orb
from somscope.errors import DataError
from somscope.studies import matching as study
from somscope.studies import matching_scenes as scenes
from somscope.studies.table import markdown

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "results" / "matching.json"


def small() -> study.Scenes:
    """Two scenes to be scored, one to learn from, and a pair with a homography."""
    images = {name: scene(i, 260, 300) for i, name in enumerate("abc")}
    places = {name: scenes.corners(image, 40, 12) for name, image in images.items()}
    scored = {name: (images[name], places[name]) for name in "ab"}
    pair = scenes._pair(images["a"], warped(images["a"]), projected)
    return study.Scenes(scenes.reference(images["c"], places["c"]), scored, {"graf1-graf3": pair}, ("small",))


def test_homographies_move_corners_as_far_as_they_may() -> None:
    found = scenes._homographies(200, 0.2, np.random.default_rng(0))
    start = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    moved = np.array([projected(start, one) - start for one in found])
    assert np.abs(moved).max() <= 0.2 + 1e-9
    assert np.abs(moved).max() > 0.19
    np.testing.assert_allclose(moved.mean(axis=(0, 1)), 0, atol=0.02)


def test_levels_overlap_as_they_say() -> None:
    assert scenes.overlap(0.0, 3) == 1
    for level, wanted in zip(scenes.LEVELS.values(), (0.85, 0.72, 0.60), strict=True):
        assert scenes.overlap(level.jitter, 300) == pytest.approx(wanted, abs=0.02)


def test_a_patch_that_is_not_changed_is_the_reference() -> None:
    image = scene()
    places = scenes.corners(image, 9, 12)
    assert places.min() >= 65
    same = scenes.warped(image, places, scenes.Level(0.0, 0.0, 0.0), np.random.default_rng(0))
    assert np.array_equal(same, scenes.reference(image, places))


def test_real_pairs_know_what_is_right() -> None:
    pair = small().pairs["graf1-graf3"]
    rows, columns = np.nonzero(pair.right)
    assert len(set(rows)) > 100
    apart = projected(pair.a.places[rows], HOMOGRAPHY) - pair.b.places[columns]
    assert np.hypot(*apart.T).max() <= 3


def test_real_pairs_and_photographs_are_read_from_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMSCOPE_DATA", str(tmp_path))
    assert scenes.real_pairs() == {}
    assert {"camera", "china", "coins"} < set(scenes.photographs())
    assert "baboon" not in scenes.photographs()
    folder = tmp_path / "matching"
    folder.mkdir()
    image = scene(3)
    for name, pixels in (("graf1.png", image), ("graf3.png", warped(image)), ("baboon.jpg", image),
                         ("aloeL.jpg", image), ("aloeR.jpg", np.roll(image, -7, axis=1)),
                         ("aloeGT.png", np.full_like(image, 7))):  # fmt: skip
        Image.fromarray(pixels).save(folder / name, **({"quality": 95} if name.endswith("jpg") else {}))
    numbers = " ".join(map(str, HOMOGRAPHY.ravel()))
    (folder / "H1to3p.xml").write_text(f"<m><rows>3</rows><data>\n{numbers}</data></m>")
    pairs = scenes.real_pairs()
    for pair in pairs.values():
        assert pair.right.any(axis=1).mean() > 0.3
    assert "baboon" in scenes.photographs()
    (folder / "H1to3p.xml").write_text("<data>1 2</data>")
    with pytest.raises(DataError, match="3 x 3"):
        scenes.real_pairs()


def test_distances_are_those_of_the_codes() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(256, size=(2, 9, 4), dtype=np.uint8)
    assert np.array_equal(study.distances(a, b), hamming_distances(a, b))


def test_descriptors_get_worse_with_the_level() -> None:
    found = study.scores(orb, small(), 0)
    assert found["warped-easy"]["matching_map"] > 0.5
    assert found["warped-easy"]["matching_map"] > found["warped-tough"]["matching_map"]
    assert found["warped-easy"]["fpr_at_95"] < found["warped-tough"]["fpr_at_95"]
    assert found["graf1-graf3"]["matching_map"] > 0.2
    random = np.random.default_rng(1)
    nothing = study.scores(lambda x: random.integers(256, size=(len(x), 32), dtype=np.uint8), small(), 0)
    assert nothing["warped-easy"]["matching_map"] < 0.2
    assert nothing["warped-easy"]["fpr_at_95"] > 0.7


def test_the_command_adds_models_to_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study.matching, "__defaults__", (None, 3, small))
    out = tmp_path / "matching.json"

    def run(*options: str) -> str:
        done = CliRunner().invoke(app, ["study", "matching", "-o", str(out), *options])
        assert done.exit_code == 0, done.output
        return done.output

    assert "FPR@95 easy" in run("--models", "sift,orb", "--seeds", "2")
    before = json.loads(out.read_text())["rows"]
    assert "itq (raw pixels)" in run("--models", "itq", "--seeds", "1")
    after = json.loads(out.read_text())
    assert [row for row in after["rows"] if row["model"] != "itq"] == [
        *(row for row in before if row["model"] == "orb"), *(row for row in before if row["model"] == "sift")
    ]  # fmt: skip
    assert {row["data"] for row in after["rows"]} == {
        "warped-easy",
        "warped-hard",
        "warped-tough",
        "graf1-graf3",
    }
    assert "| itq (raw pixels) |" in markdown(after)
    wrong = CliRunner().invoke(app, ["study", "matching", "-o", str(out), "--models", "surf"])
    assert wrong.exit_code == 2
    assert "allowed: brief, orb, sift, itq, itq-even-light, bingan" in wrong.output


def test_in_even_light_itq_does_not_mind_the_light() -> None:
    learned = small().learned // 2
    dark = (learned * 0.5).astype(np.uint8)
    apart = {}
    for name in ("itq", "itq-even-light"):
        describe, _, _ = study._descriptor(name, np.tile(learned, (8, 1, 1)), 0, 1)
        apart[name] = study.distances(describe(learned), describe(dark)).diagonal().mean()
    assert apart["itq-even-light"] < 10
    assert apart["itq"] > 2 * apart["itq-even-light"]


def test_bingan_describes_patches() -> None:
    learned = small().learned
    describe, variant, _ = study._descriptor("bingan", np.tile(learned, (2, 1, 1))[:40], 0, 1)
    assert describe(learned[:3]).shape == (3, 32)
    assert variant == "a quarter of the filters, 1 epoch"


@pytest.mark.skipif(not RESULT.is_file(), reason="the study has not been run on this tree")
def test_the_manual_shows_the_committed_table() -> None:
    assert markdown(json.loads(RESULT.read_text())) in (ROOT / "docs" / "studies.md").read_text()
