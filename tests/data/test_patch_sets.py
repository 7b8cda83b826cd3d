"""Brown's sets and HPatches, on tiny files in the real layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from somscope.data.patch_sets import read_brown, read_hpatches
from somscope.errors import DataError


def brown(folder: Path, n: int = 260) -> np.ndarray:
    """Two sheets of 1024 x 1024 pixels for 260 patches, two of each place, and four pairs."""
    patches = np.random.default_rng(0).integers(256, size=(512, 64, 64), dtype=np.uint8)
    patches[n:] = 0
    for at in (0, 1):
        sheet = patches[256 * at :][:256].reshape(16, 16, 64, 64).swapaxes(1, 2).reshape(1024, 1024)
        Image.fromarray(sheet).save(folder / f"patches{at:04}.bmp")
    (folder / "info.txt").write_text("".join(f"{i // 2} 0\n" for i in range(n)))
    lines = [(0, 1), (2, 5), (258, 259), (17, 200)]
    (folder / "m50_4_4_0.txt").write_text("".join(f"{a} {a // 2} 0 {b} {b // 2} 0 0\n" for a, b in lines))
    return patches[:n]


def test_brown_is_read_as_it_lies(tmp_path: Path) -> None:
    patches = brown(tmp_path)
    found = read_brown(tmp_path, "m50_4_4_0.txt")
    assert np.array_equal(found.patches, patches)
    assert found.points.tolist() == [i // 2 for i in range(260)]
    assert found.pairs.tolist() == [[0, 1], [2, 5], [258, 259], [17, 200]]
    assert found.same.tolist() == [True, False, True, False]


def test_broken_sets_of_brown_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing"):
        read_brown(tmp_path)
    brown(tmp_path)
    with pytest.raises(DataError, match="m50_100000_100000_0"):
        read_brown(tmp_path)
    pairs = tmp_path / "m50_4_4_0.txt"
    for text, message in (("0 0 0 999 1 0 0\n", "not those of info"), ("0 7 0 1 0 0 0\n", "not those of info"),
                          ("0 0 x\n", "m50_4_4_0")):  # fmt: skip
        pairs.write_text(text)
        with pytest.raises(DataError, match=message):
            read_brown(tmp_path, pairs.name)
    (tmp_path / "patches0001.bmp").unlink()
    with pytest.raises(DataError, match="260 patches, and 1 sheets hold 256"):
        read_brown(tmp_path, pairs.name)
    Image.new("L", (1000, 1024)).save(tmp_path / "patches0000.bmp")
    with pytest.raises(DataError, match="whole patches"):
        read_brown(tmp_path, pairs.name)


def test_hpatches_is_read_as_it_lies(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    made = {}
    for sequence, names in (("v_graf", ("ref", "e1", "h3", "t5")), ("i_sky", ("ref", "e1"))):
        (tmp_path / sequence).mkdir()
        for name in names:
            made[sequence, name] = random.integers(256, size=(3, 65, 65), dtype=np.uint8)
            Image.fromarray(made[sequence, name].reshape(195, 65)).save(tmp_path / sequence / f"{name}.png")
    (tmp_path / "v_graf" / "e1.overlap").write_text("0.9")
    found = read_hpatches(tmp_path)
    assert list(found) == ["i_sky", "v_graf"]
    assert list(found["v_graf"]) == ["ref", "e1", "h3", "t5"]
    for (sequence, name), patches in made.items():
        assert np.array_equal(found[sequence][name], patches)


def test_broken_hpatches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not HPatches"):
        read_hpatches(tmp_path)
    (tmp_path / "v_a").mkdir()
    with pytest.raises(DataError, match=r"ref\.png"):
        read_hpatches(tmp_path)
    Image.new("L", (65, 130)).save(tmp_path / "v_a" / "ref.png")
    Image.new("L", (65, 65)).save(tmp_path / "v_a" / "t1.png")
    with pytest.raises(DataError, match=r"t1\.png has 1 patches, ref\.png 2"):
        read_hpatches(tmp_path)
    Image.new("L", (65, 100)).save(tmp_path / "v_a" / "ref.png")
    with pytest.raises(DataError, match="column of patches"):
        read_hpatches(tmp_path)
