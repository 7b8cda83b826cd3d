"""The hit histogram: how many items each unit holds."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from somscope.figures.cells import units_from
from somscope.figures.palette import ink_on
from somscope.figures.units import colour_bar, draw_units, map_figure
from somscope.maps.lattice import Lattice

__all__ = ["hits_figure"]

_MOST_NUMBERS = 225  # beyond 15 x 15 the numbers would be too small to read


def hits_figure(lattice: Lattice, hits: ArrayLike, *, numbers: bool | None = None) -> Figure:
    """Items per unit; units that hold none ("dead") are grey and hatched.

    hits: (K,) or (rows, columns). numbers: write the count into each cell; by default where they can be read.
    """
    counts = units_from(lattice, hits, "hits")
    dead = int((counts == 0).sum())
    note = f"{counts.sum():,.0f} items" + (f", {dead} hatched units hold none" if dead else "")
    figure, axes = map_figure(lattice, "Hits", note)
    cells = draw_units(axes, lattice, np.where(counts == 0, np.nan, counts), low=0.0)
    colour_bar(figure, axes, cells, "items per unit")
    if numbers is None:
        numbers = lattice.n_units <= _MOST_NUMBERS and max(lattice.rows, lattice.columns) <= 30
    if numbers:
        ink = np.where(counts == 0, "black", ink_on(cells.to_rgba(np.nan_to_num(counts))))
        size = min(9.0, 110 / max(lattice.rows, lattice.columns))
        for (x, y), count, colour in zip(lattice.positions, counts, ink, strict=True):
            axes.text(x, y, f"{count:.0f}", ha="center", va="center", fontsize=size, color=str(colour))
    return figure
