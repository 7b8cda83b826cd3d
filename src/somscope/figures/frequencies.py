"""Heat maps of how many images lie at each unit of several maps of one lattice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from somscope.errors import InputError
from somscope.figures.cells import cell_polygons
from somscope.figures.units import draw_polygons
from somscope.maps.lattice import Lattice

__all__ = ["frequencies_figure"]

_GAP = 0.8  # lattice steps between two maps


def frequencies_figure(lattice: Lattice, counts: Mapping[str, Sequence[int]]) -> Figure:
    """The maps side by side under one scale, each under its title, with the number of images in each unit.

    counts: title -> (K,) images. Raises InputError where one has another number of units.
    """
    for title, held in counts.items():
        if len(held) != lattice.n_units:
            raise InputError(f"{title} has {len(held)} units and the lattice {lattice.n_units}")
    step = lattice.columns + _GAP
    figure = Figure(figsize=(2.5 * len(counts) + 0.7, 2.9), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    most = float(max(max(held) for held in counts.values()))
    cells = cell_polygons(lattice, 0.94)
    for at, (title, held) in enumerate(counts.items()):
        shift = np.array([at * step, 0.0])
        shown = np.where(np.array(held) > 0, held, np.nan).astype(np.float64)
        draw_polygons(axes, cells + shift, shown, colour_map="Blues", low=0, high=most)
        axes.text(at * step - 0.5, -0.7, title, fontsize=9)
        for (x, y), count in zip(lattice.positions + shift, held, strict=True):
            if count:
                ink = "white" if count > 0.55 * most else "black"
                axes.text(x, y, str(count), ha="center", va="center", fontsize=8, color=ink)
    bottom = float(lattice.positions[:, 1].max()) + 0.6
    axes.set(xlim=(-0.6, len(counts) * step - _GAP - 0.4), ylim=(bottom, -1.2), aspect="equal")
    axes.set_axis_off()
    mappable = ScalarMappable(Normalize(0, most), "Blues")
    bar = figure.colorbar(mappable, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label("images of the unit", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure
