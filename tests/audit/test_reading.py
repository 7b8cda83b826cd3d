"""Images of an audit from files: the pix2pix layout, folders paired by name, and everything that can be wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from somscope.audit import from_arrays, read_folders, read_pix2pix, read_unpaired
from somscope.errors import DataError, InputError


def picture(path: Path, value: int, size: tuple[int, int] = (12, 10), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, (value, 0, 0) if mode == "RGB" else value).save(path)


def triples(folder: Path, count: int = 5) -> Path:
    for i in range(count):
        for at, end in enumerate(("real_A", "fake_B", "real_B")):
            picture(folder / f"n{i}_{end}.png", 10 * i + at)
    return folder


def test_the_layout_of_pix2pix(tmp_path: Path) -> None:
    images = read_pix2pix(triples(tmp_path / "facades" / "test_latest" / "images"))
    assert images.name == "facades"
    assert images.names["generated"] == images.names["source"] == ("n0", "n1", "n2", "n3", "n4")
    for at, part in enumerate(("source", "generated", "target")):
        np.testing.assert_array_equal(images.parts()[part][:, 0, 0, 0], [10 * i + at for i in range(5)])
    assert images.target.shape == (5, 10, 12, 3)
    assert images.left_out == images.remarks == ()
    np.testing.assert_array_equal(read_pix2pix(tmp_path / "facades" / "test_latest").target, images.target)


def test_folders_are_paired_by_name_not_by_order(tmp_path: Path) -> None:
    for i, name in enumerate(("b", "a", "10", "9", "c")):
        picture(tmp_path / "A" / f"{name}.png", i)
        picture(tmp_path / "F" / f"{name}.bmp", i + 100)
    picture(tmp_path / "F" / "extra.png", 1)
    images = read_folders(None, tmp_path / "A", tmp_path / "F")
    np.testing.assert_array_equal(
        images.generated[:, 0, 0, 0].astype(int), images.target[:, 0, 0, 0].astype(int) + 100
    )
    assert [(Path(left.where).name, left.why) for left in images.left_out] == [
        ("extra.png", "generated without target")
    ]


def test_a_broken_image_takes_its_pair_along(tmp_path: Path) -> None:
    folder = triples(tmp_path, 6)
    (folder / "n2_fake_B.png").write_bytes(b"not an image")
    (folder / "n3_real_B.png").unlink()
    picture(folder / "cover.png", 1)
    images = read_pix2pix(folder)
    assert images.names["target"] == ("n0", "n1", "n4", "n5")
    np.testing.assert_array_equal(images.generated[:, 0, 0, 0], [1, 11, 41, 51])
    why = {Path(left.where).name: left.why for left in images.left_out}
    assert why["n2"] == "the pair is left out: its generated image cannot be read"
    assert "known format" in why["n2_fake_B.png"]
    assert why["n3_real_A.png"] == "source without target"
    assert "ends in none of _real_A" in why["cover.png"]


def test_sizes_and_colours_that_differ_are_told(tmp_path: Path) -> None:
    folder = triples(tmp_path, 5)
    picture(folder / "n1_real_A.png", 7, size=(24, 20))
    for i in range(5):
        picture(folder / f"n{i}_real_B.png", 50, mode="L")
    images = read_pix2pix(folder)
    text = "\n".join(images.remarks)
    assert "different sizes (height x width): 10x12 (14), 20x24 (1)" in text
    assert "1 pair has images of different sizes (n1)" in text
    assert "resized to cover 10x12" in text
    assert "target images are grey and the others coloured" in text
    assert images.target.shape == images.source.shape == (5, 10, 12, 3)


def test_unpaired_sets_of_different_sizes(tmp_path: Path) -> None:
    for i in range(7):
        picture(tmp_path / "R" / f"{i}.png", i)
    for i in range(5):
        picture(tmp_path / "F" / f"x{i}.png", i)
    images = read_unpaired(tmp_path / "R", tmp_path / "F")
    assert (len(images.target), len(images.generated), images.paired) == (7, 5, False)


def test_refusals(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is an empty folder"):
        read_pix2pix(tmp_path / "empty")
    with pytest.raises(DataError, match="is not a folder"):
        read_pix2pix(tmp_path / "absent")
    picture(tmp_path / "one" / "a_real_B.png", 1)
    picture(tmp_path / "one" / "b_fake_B.png", 1)
    with pytest.raises(DataError, match="no name is in all sets"):
        read_pix2pix(tmp_path / "one")
    picture(tmp_path / "other" / "a.png", 1)
    with pytest.raises(DataError, match="holds no image named NAME_real_A"):
        read_pix2pix(tmp_path / "other")
    with pytest.raises(InputError, match="1 image that can be used; an audit needs at least 4"):
        read_folders(None, tmp_path / "other", tmp_path / "other")


def test_arrays() -> None:
    pixels = np.arange(4 * 3 * 3, dtype=np.uint8).reshape(4, 3, 3)
    images = from_arrays(None, pixels, pixels[..., None] / 255.0)
    np.testing.assert_array_equal(images.target, images.generated)
    assert images.paired
    assert from_arrays(None, pixels, np.repeat(pixels[..., None], 3, axis=3)).target.shape[3] == 3
    assert not from_arrays(None, pixels, np.concatenate([pixels, pixels])).paired
    with pytest.raises(InputError, match="values from 0 to 1"):
        from_arrays(None, pixels, pixels.astype(float))
    with pytest.raises(InputError, match="cannot be paired"):
        from_arrays(pixels, pixels, np.concatenate([pixels, pixels]))
    with pytest.raises(InputError, match="have shape"):
        from_arrays(None, pixels[0], pixels)
    with pytest.raises(InputError, match="one shape for all"):
        from_arrays(None, pixels, pixels[:, :2])
    with pytest.raises(InputError, match="source images mean something only in pairs"):
        from_arrays(pixels, pixels, pixels, paired=False)


def test_real_triples(data_folder: Path) -> None:
    images = read_pix2pix(data_folder / "pix2pix-pretrained" / "map2sat", image_size=32)
    assert images.n_pairs == 50
    assert images.target.shape == (50, 32, 32, 3)
    assert images.left_out == ()
