"""Sheets with one picture for each unit of a map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from somscope.explorer.laid_out import Means
from somscope.explorer.mosaic import Pixels, as_webp, joined, placeholder
from somscope.report.sheets import shrink

if TYPE_CHECKING:
    from somscope.explorer.shown import Shown

__all__ = ["unit_sheet"]


def unit_sheet(shown: Shown, name: str) -> bytes:
    """The sheet "prototypes", "medoids" or "mosaic" as WebP: one square for each unit, row by row."""
    side, columns, units = shown.sheet_side, shown.sheet_columns, range(shown.run.lattice.n_units)
    rows = -(-len(units) // columns)
    if name == "prototypes":
        cells = _fitted(shown.as_pixels(shown.prototypes), side)
        if isinstance(shown.model, Means):
            cells[shown.model.unknown] = placeholder(side, cells.shape[3])
    elif shown.thumbnails is not None and name == "mosaic":
        cells = np.stack([shown.thumbnails.sheet_cell(unit, side) for unit in units])
    elif shown.thumbnails is not None:
        medoids = shown.summary.medoids
        some = shown.thumbnails.many(medoids[medoids >= 0], side)
        cells = np.zeros((len(units), *some.shape[1:]), dtype=np.uint8)
        cells[medoids >= 0] = some
    canvas = np.zeros((rows * columns, *cells.shape[1:]), dtype=np.uint8)
    canvas[: len(cells)] = cells
    return as_webp(joined(canvas, rows, columns), 85)


def _fitted(pictures: Pixels, side: int) -> Pixels:
    """(m, side, side, C) pictures in the middle of squares: averaged down, or enlarged by whole numbers."""
    small = shrink(pictures, side)
    times = max(1, side // max(small.shape[1:3]))
    small = small.repeat(times, axis=1).repeat(times, axis=2)
    cells = np.zeros((len(small), side, side, small.shape[3]), dtype=np.uint8)
    height, width = small.shape[1:3]
    y, x = (side - height) // 2, (side - width) // 2
    cells[:, y : y + height, x : x + width] = small
    return cells
