"""Pairs in one file each and in two folders, of every kind of image; and pairs that are made from images."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation

from somscope.data.aligned import read_aligned, read_picture_folder, read_two_folders
from somscope.data.derive import DERIVED, downsample, edges, grey, inpaint
from somscope.errors import DataError, InputError


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def write(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def test_halves_are_cut_before_they_are_resized(tmp_path):
    whole = noise(12, 20, 3)
    write(tmp_path / "x.png", whole)
    pairs = read_aligned(tmp_path)
    assert np.array_equal(pairs.a.features[0], whole[:, :10])
    assert np.array_equal(pairs.b.features[0], whole[:, 10:])
    assert pairs.names == ("x",)
    sharp = np.zeros((16, 32, 3), np.uint8)
    sharp[:, 16:] = 255
    write(tmp_path / "x.png", sharp)
    small = read_aligned(tmp_path, image_size=4)
    assert not small.a.features.any()  # nothing of B comes in over the seam
    assert (small.b.features == 255).all()


def test_odd_widths_are_said(tmp_path, caplog):
    whole = noise(6, 9)
    write(tmp_path / "odd.png", whole)
    write(tmp_path / "even.png", noise(6, 8))
    with caplog.at_level(logging.WARNING):
        pairs = read_aligned(tmp_path)
    assert [r.getMessage() for r in caplog.records] == [
        "1 of 2 files have an odd width: their middle column belongs to neither half"
    ]
    at = pairs.names.index("odd")
    assert np.array_equal(pairs.a.features[at, ..., 0], whole[:, :4])
    assert np.array_equal(pairs.b.features[at, ..., 0], whole[:, 5:])


def test_kinds_of_images(tmp_path):
    """16-bit, palette, alpha and turned files come out as their pixels look."""
    base = noise(8, 16)
    Image.fromarray(base.astype(np.uint16) * 257).save(tmp_path / "sixteen.png")
    Image.fromarray(np.dstack([base] * 3 + [np.full_like(base, 255)])).save(tmp_path / "alpha.png")
    Image.fromarray(base).convert("P").save(tmp_path / "palette.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(base[::-1, ::-1]).save(tmp_path / "turned.png", exif=exif)
    pairs = read_aligned(tmp_path)
    assert pairs.a.features.shape == (4, 8, 8, 3)
    for side, wanted in ((pairs.a, base[:, :8]), (pairs.b, base[:, 8:])):
        for one in side.features:
            assert np.array_equal(one, np.repeat(wanted[..., None], 3, 2))


def test_the_size_that_most_have(tmp_path):
    for at, width in enumerate((20, 20, 24)):
        write(tmp_path / f"{at}.png", noise(10, width))
    assert read_aligned(tmp_path).a.image_shape == (10, 10, 1)
    write(tmp_path / "large" / "x.png", noise(300, 600))
    assert read_aligned(tmp_path / "large").a.image_shape == (256, 256, 1)
    assert read_aligned(tmp_path / "large", image_size="30x40").a.image_shape == (30, 40, 1)
    assert read_picture_folder(tmp_path / "large").image_shape == (256, 256, 1)
    assert len(read_aligned(tmp_path, limit=2, seed=0)) == 2


def test_two_folders(tmp_path):
    for name in ("x", "y"):
        write(tmp_path / "a" / f"{name}.png", noise(6, 6))
        write(tmp_path / "b" / f"{name}.jpg", noise(8, 8, 3))
    write(tmp_path / "b" / "z.jpg", noise(8, 8, 3))
    pairs = read_two_folders(tmp_path / "a", tmp_path / "b")
    assert pairs.names == ("x", "y")
    assert pairs.a.image_shape == (6, 6, 1)
    assert pairs.b.image_shape == (6, 6, 3)
    assert pairs.unmatched_b == ("z.jpg",)
    write(tmp_path / "c" / "q.png", noise(6, 6))
    with pytest.raises(InputError, match="share no name"):
        read_two_folders(tmp_path / "a", tmp_path / "c")


def test_files_that_cannot_be_used_are_named(tmp_path):
    write(tmp_path / "good.png", noise(6, 8))
    write(tmp_path / "thin.png", noise(6, 1))
    (tmp_path / "broken.png").write_bytes((tmp_path / "good.png").read_bytes()[:40])
    (tmp_path / "text.png").write_text("no image")
    pairs = read_aligned(tmp_path)
    assert pairs.names == ("good",)
    assert {skipped.where for skipped in pairs.a.skipped} == {"thin.png", "broken.png", "text.png"}
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is an empty folder; images are files ending in"):
        read_aligned(tmp_path / "empty")
    with pytest.raises(DataError, match="nothing is not a folder of images"):
        read_aligned(tmp_path / "nothing")


def test_edges_of_a_square():
    pixels = np.full((2, 40, 40, 3), 30, np.uint8)
    pixels[0, 10:30, 10:30] = 220
    found = edges(pixels)
    assert found.shape == (2, 40, 40, 1)
    assert set(np.unique(found)) == {0, 255}
    assert (found[1] == 255).all()
    border = np.zeros((40, 40), bool)
    border[10:30, [10, 29]] = border[[10, 29], 10:30] = True
    lines = found[0, ..., 0] == 0
    assert 60 <= lines.sum() <= 90
    assert binary_dilation(border, iterations=1)[lines].all()


def test_what_else_is_made_of_images():
    pixels = noise(2, 10, 12, 3)
    assert np.array_equal(grey(pixels)[1, ..., 0], np.asarray(Image.fromarray(pixels[1]).convert("L")))
    assert grey(pixels[..., :1]) is not None
    hole = inpaint(pixels)
    assert (hole[:, 2:8, 3:9] == 128).all()
    kept = np.ones((10, 12), bool)
    kept[2:8, 3:9] = False
    assert np.array_equal(hole[:, kept], pixels[:, kept])
    flat = np.full((1, 16, 16, 1), 77, np.uint8)
    assert np.array_equal(downsample(flat), flat)
    stripes = np.tile(np.array([0, 200], np.uint8), 8)[None, None, :, None].repeat(16, 1)
    assert (downsample(stripes) == 100).all()
    tiny = downsample(noise(1, 3, 2, 3))
    assert tiny.shape == (1, 3, 2, 3)
    assert list(DERIVED) == ["edges", "grey", "inpaint", "downsample"]
