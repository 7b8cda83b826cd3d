"""The shared drawing: one value per unit as squares or hexagons, for every lattice."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Colormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from somscope.figures.cells import cell_polygons, figure_size, limits, shared_sides, units_from
from somscope.figures.palette import EMPTY, SEQUENTIAL
from somscope.maps.graph import GraphLattice
from somscope.maps.lattice import Lattice

__all__ = [
    "colour_bar",
    "describe",
    "draw_borders",
    "draw_polygons",
    "draw_units",
    "map_figure",
    "prepare_axes",
    "with_unit",
]


def describe(lattice: Lattice) -> str:
    """The lattice in words, and for a torus that its edges are joined."""
    if isinstance(lattice, GraphLattice):
        return f"{lattice.n_units} units, {len(lattice.connections)} connections"
    words = f"{lattice.rows} x {lattice.columns} {lattice.shape}"
    if not lattice.toroidal:
        return words
    if 1 in (lattice.rows, lattice.columns):
        return f"{words} ring: both ends are joined"
    return f"{words} torus: left joins right, top joins bottom"


def with_unit(text: str, unit: str) -> str:
    """A legend's text, with the unit in a line of its own where there is one."""
    return f"{text}\n({unit})" if unit else text


def map_figure(
    lattice: Lattice, title: str, note: str = "", beside: float = 1.5, below: float = 0.0
) -> tuple[Figure, Axes]:
    """A figure with one pair of axes made ready for the lattice: row 0 at the top, equal steps, no ticks."""
    width, height = figure_size(lattice, beside=beside)
    width = max(width, 3.6)
    subtitle = describe(lattice) + (f"; {note}" if note else "")
    subtitle = textwrap.fill(subtitle, int(14 * max(width - beside + 0.5, 2.6)))
    figure = Figure(figsize=(width, height + below), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    prepare_axes(axes, lattice)
    axes.set_title(title, fontsize=12, loc="left", pad=20 + 11 * subtitle.count("\n"))
    subtitle_text = axes.annotate(
        subtitle, (0, 1), (0, 6), "axes fraction", "offset points", fontsize=8, color="#555555", va="bottom"
    )
    subtitle_text.set_in_layout(False)  # a long line must not squeeze the map
    return figure, axes


def prepare_axes(axes: Axes, lattice: Lattice) -> None:
    """Limits around all cells, y downwards, no frame; dashed borders where a toroidal lattice is joined."""
    left, right, bottom, top = limits(lattice)
    axes.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", xticks=[], yticks=[])
    axes.set_facecolor("none")
    for name, spine in axes.spines.items():
        joined = lattice.toroidal and ((lattice.columns if name in ("left", "right") else lattice.rows) > 1)
        spine.set_visible(joined)
        spine.set(linestyle=(0, (4, 3)), color="#888888", linewidth=0.8)


def draw_units(
    axes: Axes,
    lattice: Lattice,
    values: ArrayLike,
    *,
    colour_map: str | Colormap = SEQUENTIAL,
    low: float | None = None,
    high: float | None = None,
    scale: float = 1.0,
) -> PolyCollection:
    """One polygon per unit, coloured by its value; units whose value is NaN are grey and hatched.

    values: (K,) or (rows, columns). low, high: ends of the colour scale, by default the smallest and largest value.
    Returns the collection of K polygons in the order of the units; its array holds the values.
    """
    return draw_polygons(
        axes,
        cell_polygons(lattice, scale),
        units_from(lattice, values, "values"),
        colour_map=colour_map,
        low=low,
        high=high,
    )


def draw_polygons(
    axes: Axes,
    polygons: NDArray[np.float64],
    values: NDArray[np.float64],
    *,
    colour_map: str | Colormap = SEQUENTIAL,
    low: float | None = None,
    high: float | None = None,
) -> PolyCollection:
    """(P, V, 2) polygons coloured by (P,) values; the work behind `draw_units`."""
    known = np.isfinite(values)
    smallest, largest = (values[known].min(), values[known].max()) if known.any() else (0.0, 1.0)
    low, high = smallest if low is None else low, largest if high is None else high
    if low == high:  # a flat map: keep the value in the middle of the scale
        room = abs(low) * 0.5 or 0.5
        low, high = low - room, high + room
    cells = PolyCollection(
        list(polygons),
        array=np.ma.masked_invalid(values),
        cmap=colour_map,
        clim=(float(low), float(high)),
        edgecolors="face",
        linewidths=0.4,
    )
    cells.cmap = cells.get_cmap().with_extremes(bad=EMPTY)
    axes.add_collection(cells, autolim=False)
    if not known.all():
        axes.add_collection(
            PolyCollection(
                list(polygons[~known]), facecolors="none", edgecolors="#b5b5b5", hatch="////", linewidths=0.2
            ),
            autolim=False,
        )
    return cells


def draw_borders(
    axes: Axes, lattice: Lattice, groups: NDArray[np.integer] | Sequence[int], width: float = 2.0
) -> LineCollection:
    """A line along every side where two neighbouring units are of different groups (K,)."""
    groups = np.asarray(groups)
    edges = lattice.edges("hexagonal" if lattice.shape == "hexagonal" else "4")
    edges = edges[groups[edges[:, 0]] != groups[edges[:, 1]]]
    lines = LineCollection(
        list(shared_sides(lattice, edges)), colors="black", linewidths=width, capstyle="round", clip_on=False
    )
    axes.add_collection(lines, autolim=False)
    return lines


def colour_bar(figure: Figure, axes: Axes | Sequence[Axes], mappable: ScalarMappable, label: str) -> None:
    """A colour bar with its label and unit: beside the map, or beneath where the map is a wide strip."""
    first = axes if isinstance(axes, Axes) else axes[0]
    left, right = first.get_xlim()
    bottom, top = first.get_ylim()
    wide = abs(right - left) > 4 * abs(bottom - top)
    bar = figure.colorbar(
        mappable,
        ax=axes,
        location="bottom" if wide else "right",
        fraction=0.3 if wide else 0.05,
        pad=0.02,
        aspect=40 if wide else 24,
    )
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
