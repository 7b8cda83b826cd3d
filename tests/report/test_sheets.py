"""Sheets of thumbnails: what goes in comes out, and the size is kept."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from somscope.errors import DataError
from somscope.report.sheets import ENCODINGS, decode_pictures, encode_sheets, make_sheet, shrink


def pixels_of(uri: str) -> np.ndarray:
    head, body = uri.split(",")
    assert head.startswith("data:image/")
    assert head.endswith(";base64")
    with Image.open(io.BytesIO(base64.b64decode(body))) as picture:
        return np.asarray(picture.convert("RGB"))


def encoded(pixels: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


@pytest.mark.parametrize("channels", [1, 3])
def test_a_lossless_sheet_holds_every_picture_in_its_cell(channels):
    pictures = np.random.default_rng(0).integers(0, 256, (7, 5, 4, channels)).astype(np.uint8)
    sheet = make_sheet(pictures, None)
    assert (sheet.width, sheet.height, sheet.columns, sheet.rows) == (4, 5, 3, 3)
    seen = pixels_of(sheet.uri)
    for i, picture in enumerate(pictures):
        row, column = divmod(i, sheet.columns)
        cell = seen[row * 5 : row * 5 + 5, column * 4 : column * 4 + 4]
        np.testing.assert_array_equal(cell, np.broadcast_to(picture, (5, 4, 3)))


def test_a_very_long_row_is_folded():
    sheet = make_sheet(np.zeros((1000, 1, 64, 1), np.uint8), None, columns=1000)
    assert sheet.columns * sheet.width < 16_383


def test_pictures_of_different_size_and_colour_are_centred():
    grey, colour = np.full((4, 4), 9, np.uint8), np.full((2, 6, 3), 200, np.uint8)
    stack = decode_pictures([encoded(grey), encoded(colour), None], ["a", "b", "c"])
    assert stack.shape == (3, 4, 6, 3)
    assert stack[0, :, 1:5].min() == 9
    assert stack[1, 1:3].min() == 200
    assert stack[2].max() == 0
    assert decode_pictures([encoded(grey)], ["a"]).shape == (1, 4, 4, 1)


def test_a_broken_thumbnail_is_named():
    with pytest.raises(DataError, match="item 'second'"):
        decode_pictures([encoded(np.zeros((2, 2), np.uint8)), b"no picture"], ["first", "second"])


def test_shrinking_averages():
    small = shrink(np.tile(np.array([0, 100], np.uint8), (3, 4, 4))[..., None], 4)
    assert small.shape == (3, 2, 4, 1)
    assert np.unique(small).tolist() == [50]


@pytest.mark.parametrize("share", [1.1, 0.6, 0.3])
def test_the_budget_is_kept_and_quality_falls_with_it(share):
    rng = np.random.default_rng(0)
    smooth = np.cumsum(rng.integers(-9, 10, (300, 32, 32, 1)), axis=2) + 128
    pictures = np.clip(smooth, 0, 255).astype(np.uint8)
    groups = [pictures[i : i + 10] for i in range(0, 300, 10)] + [pictures[:0]]
    best = encode_sheets(groups, 10**9)
    assert best is not None
    assert best[1] == ENCODINGS[0]
    full = sum(len(sheet.uri) for sheet in best[0] if sheet)
    found = encode_sheets(groups, int(full * share))
    assert found is not None
    sheets, encoding = found
    assert sum(len(sheet.uri) for sheet in sheets if sheet) <= full * share
    assert sheets[-1] is None
    assert ENCODINGS.index(encoding) == 0 if share > 1 else ENCODINGS.index(encoding) > 0


def test_an_impossible_budget_is_said():
    assert encode_sheets([np.zeros((4, 8, 8, 1), np.uint8)], 10) is None
