"""A contact sheet: what a translator was given, what it made, and what it should have made, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from somscope.errors import InputError
from somscope.figures.palette import literal

__all__ = ["contact_sheet_figure"]

_LARGEST = 192  # pixels of a side of a picture on the sheet
_GAP = 0.06  # of a picture, between two
_INCHES = 1.5  # of a picture


def contact_sheet_figure(columns: Mapping[str, NDArray[np.uint8]], names: Sequence[str] = ()) -> Figure:
    """One row for each item: columns maps a title to the images (n, H, W, 1 or 3) uint8 of that column.

    names: (n,) written before the rows. Raises InputError for columns of different lengths, and for none.
    """
    lengths = {len(images) for images in columns.values()}
    if len(lengths) != 1 or lengths == {0}:
        raise InputError(
            f"the columns of a contact sheet have {sorted(lengths)} images; allowed: equally many, at least 1"
        )
    n = lengths.pop()
    sheet = np.concatenate([_column(images) for images in columns.values()], axis=1)
    height, width = sheet.shape[:2]
    cell, row = width / len(columns), height / n
    scale = _INCHES / cell
    margin = 1.0 if names else 0.1
    figure = Figure(figsize=(width * scale + margin + 0.1, height * scale + 0.4))
    axes = figure.add_axes((margin / figure.get_figwidth(), 0.0, 1 - (margin + 0.1) / figure.get_figwidth(),
                            height * scale / figure.get_figheight()))  # fmt: skip
    axes.imshow(sheet, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    for at, title in enumerate(columns):
        axes.text((at + 0.5) * cell, -0.06 * row, literal(title), ha="center", va="bottom", fontsize=9)
    for at, name in enumerate(names):
        axes.text(-0.05 * cell, (at + 0.5) * row, literal(_short(name)), ha="right", va="center", fontsize=7)
    return figure


def _column(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The images below each other, with white between them."""
    shown = np.stack([_shown(image) for image in images])
    gap = max(1, round(_GAP * max(shown.shape[1:3])))
    around = ((0, 0), (gap // 2, gap - gap // 2), (gap // 2, gap - gap // 2), (0, 0))
    return np.concatenate(np.pad(shown, around, constant_values=255))


def _shown(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3), thinned out to the size of the sheet."""
    step = max(1, -(-max(image.shape[:2]) // _LARGEST))
    small = image[::step, ::step]
    return np.repeat(small, 3, axis=2) if small.shape[2] == 1 else small[..., :3]


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"…{name[-15:]}"
