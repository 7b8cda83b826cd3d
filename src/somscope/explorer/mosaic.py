"""Thumbnails baked into pictures: one sheet for the whole map, and tiles of each unit for a closer look.

The members of a unit lie in a square of side ceil(sqrt(hits)) slots, row by row, nearest to the prototype first. At
size s a slot has s x s pixels, and a tile holds TILE / s slots a side; the last ones of a row or column are cut.
"""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from somscope.errors import InputError

__all__ = ["SIZES", "TILE", "Thumbnails", "as_webp", "joined", "placeholder", "slots_per_side", "unit_mosaic"]

SIZES = (8, 16, 32, 64)  # pixels of a slot
TILE = 512  # pixels of a tile
_MOST_IN_SHEET = 16  # slots a side that the sheet of the whole map shows of a unit
_KEPT = 512  # encoded tiles

Pixels = NDArray[np.uint8]


def slots_per_side(hits: int) -> int:
    """Side of the square that holds the members of a unit; 0 for an empty one."""
    return int(np.ceil(np.sqrt(hits)))


class Thumbnails:
    """The thumbnails of a run and the pictures made of them.

    encoded: (n,) PNG or WebP bytes of each item; None, or bytes that are no picture, is drawn as a placeholder.
    order: (n,) items by unit, nearest first; starts: (K + 1,) where each unit's begin. grey: whether tiles have no
    colour.
    """

    def __init__(
        self, encoded: object, order: NDArray[np.int64], starts: NDArray[np.int64], grey: bool
    ) -> None:
        self.encoded, self.order, self.starts, self.grey = encoded, order, starts, grey
        self.tile = lru_cache(_KEPT)(self._tile)

    def bytes_of(self, item: int) -> bytes | None:
        """What the run stored of an item."""
        value = self.encoded[item]  # type: ignore[index]  # a column of PyArrow or a list
        value = value.as_py() if hasattr(value, "as_py") else value
        return value or None

    def pixels(self, item: int, size: int) -> Pixels:
        """(size, size, C) an item in the middle of a square, its longest side `size`; a cross where there is none."""
        channels = 1 if self.grey else 3
        square = np.zeros((size, size, channels), dtype=np.uint8)
        data = self.bytes_of(item)
        try:
            if data is None:
                raise OSError
            with Image.open(io.BytesIO(data), formats=("PNG", "WEBP", "JPEG")) as stored:
                picture = stored.convert("L" if self.grey else "RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return placeholder(size, channels)
        scale = size / max(picture.size)
        width, height = (max(1, round(side * scale)) for side in picture.size)
        if picture.size != (width, height):
            picture = picture.resize(
                (width, height), Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
            )
        x, y = (size - width) // 2, (size - height) // 2
        square[y : y + height, x : x + width] = np.asarray(picture).reshape(height, width, channels)
        return square

    def many(self, items: NDArray[np.int64], size: int) -> Pixels:
        """(m, size, size, C) pixels of some items; the decoders release the GIL."""
        channels = 1 if self.grey else 3
        if not len(items):
            return np.zeros((0, size, size, channels), dtype=np.uint8)
        with ThreadPoolExecutor(4) as pool:
            return np.stack(list(pool.map(lambda i: self.pixels(i, size), items.tolist())))

    def _tile(self, unit: int, size: int, row: int, column: int) -> bytes:
        """One tile as WebP. Raises InputError for one that does not exist."""
        if not 0 <= unit < len(self.starts) - 1 or size not in SIZES:
            raise InputError(f"unit {unit} at {size} pixels is not there; sizes: {SIZES}")
        members = self.order[self.starts[unit] : self.starts[unit + 1]]
        side, per_tile = slots_per_side(len(members)), TILE // size
        rows = min(per_tile, side - row * per_tile)
        columns = min(per_tile, side - column * per_tile)
        if min(row, column) < 0 or min(rows, columns) <= 0:
            raise InputError(f"unit {unit} has no tile in row {row}, column {column}")
        y = row * per_tile + np.arange(rows)
        x = column * per_tile + np.arange(columns)
        slots = (y[:, None] * side + x).ravel()
        taken = slots < len(members)
        pixels = np.zeros((rows * columns, size, size, 1 if self.grey else 3), dtype=np.uint8)
        pixels[taken] = self.many(members[slots[taken]], size)
        return as_webp(joined(pixels, rows, columns), 82)

    def sheet_cell(self, unit: int, side: int) -> Pixels:
        """(side, side, C) the members of a unit in small; of many an even choice by distance."""
        members = self.order[self.starts[unit] : self.starts[unit + 1]]
        return unit_mosaic(self, members, side)


def unit_mosaic(thumbnails: Thumbnails, members: NDArray[np.int64], side: int) -> Pixels:
    """(side, side, C) some members in a square; where they are more than fit in 4 pixels each, an even choice."""
    channels = 1 if thumbnails.grey else 3
    cell = np.zeros((side, side, channels), dtype=np.uint8)
    slots = min(slots_per_side(len(members)), _MOST_IN_SHEET, max(1, side // 4))
    if not slots:
        return cell
    if len(members) > slots * slots:
        members = members[np.linspace(0, len(members) - 1, slots * slots).round().astype(np.int64)]
    size = side // slots
    pixels = np.zeros((slots * slots, size, size, channels), dtype=np.uint8)
    pixels[: len(members)] = thumbnails.many(members, size)
    square = joined(pixels, slots, slots)
    cell[: len(square), : len(square)] = square
    return cell


def placeholder(size: int, channels: int) -> Pixels:
    """A dark square with a cross: here a picture is missing."""
    square = np.full((size, size, channels), 60, dtype=np.uint8)
    line = np.arange(size)
    square[line, line] = square[line, size - 1 - line] = 150
    return square


def as_webp(pixels: Pixels, quality: int | None) -> bytes:
    """(H, W, 1 or 3) pixels as WebP; quality None keeps every value."""
    picture = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    buffer = io.BytesIO()
    if quality is None:
        picture.save(buffer, "WEBP", lossless=True, method=2, quality=50)
    else:
        picture.save(buffer, "WEBP", quality=quality, method=2)
    return buffer.getvalue()


def joined(pixels: Pixels, rows: int, columns: int) -> Pixels:
    """Squares side by side: (rows * columns, s, s, C) -> (rows * s, columns * s, C)."""
    size, channels = pixels.shape[1], pixels.shape[3]
    grid = pixels.reshape(rows, columns, size, size, channels).swapaxes(1, 2)
    return grid.reshape(rows * size, columns * size, channels)
