"""Figures of an audit: what the units of a joint map hold, and how pairs move between two maps."""

from __future__ import annotations

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.figures.cells import cell_polygons, figure_size
from somscope.figures.palette import DIVERGING, EMPTY
from somscope.figures.units import draw_polygons, draw_units, prepare_axes
from somscope.maps.lattice import Lattice

__all__ = ["composition_figure", "flows_figure"]

_REACH = 3.0  # log2: eight times as many


def composition_figure(
    lattice: Lattice, real: ArrayLike, generated: ArrayLike, log2_ratio: ArrayLike, verdict: ArrayLike
) -> Figure:
    """Each unit of a joint map coloured by log2 of generated over real shares, with its counts.

    real, generated: (K,) items. log2_ratio: (K,), infinite where a kind is absent, NaN for empty units. verdict: (K,)
    words of `somscope.measures.composition.VERDICTS`: units that stand out have a thick border, those with too few
    items are hatched and have no colour.
    """
    counts = np.stack([np.asarray(real), np.asarray(generated)])
    ratio, words = np.asarray(log2_ratio, dtype=np.float64), np.asarray(verdict)
    if counts.shape != (2, lattice.n_units) or ratio.shape != words.shape or len(ratio) != lattice.n_units:
        raise InputError(f"composition has {counts.shape[1]} units and the lattice {lattice.n_units}")
    width, height = figure_size(lattice, longest=5.2)
    figure = Figure(figsize=(width, height + 0.5), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    prepare_axes(axes, lattice)
    few = words == "too few to say"
    shown = np.where(few, 0.0, np.where(counts.sum(axis=0) > 0, np.clip(ratio, -_REACH, _REACH), np.nan))
    cells = draw_units(axes, lattice, shown, colour_map=DIVERGING, low=-_REACH, high=_REACH, scale=0.97)
    polygons = cell_polygons(lattice, 0.97)
    out = np.isin(words, ["mostly real", "mostly generated"])
    axes.add_collection(
        PolyCollection(
            list(polygons[few]), facecolors="none", edgecolors="#777777", hatch="...", linewidths=0
        )
    )
    inner = cell_polygons(lattice, 0.9)
    axes.add_collection(PolyCollection(list(inner[out]), facecolors="none", edgecolors="black", linewidths=3))
    size = float(np.clip(46 / max(lattice.rows, lattice.columns), 5, 11))
    for (x, y), made, held, value in zip(lattice.positions, counts[1], counts[0], shown, strict=True):
        if made + held:
            ink = "white" if abs(value) > 2 else "black"
            text = f"{held} real\n{made} gen."
            axes.text(x, y, text, ha="center", va="center", fontsize=size, color=ink)
    bar = figure.colorbar(cells, ax=axes, fraction=0.05, pad=0.02, ticks=[-3, -2, -1, 0, 1, 2, 3])
    bar.ax.set_yticklabels(["8x real", "4x", "2x", "equal", "2x", "4x", "8x gen."], fontsize=8)
    bar.outline.set_visible(False)
    figure.legend(
        handles=[
            Patch(facecolor="none", edgecolor="black", linewidth=2.5, label="stands out (q ≤ 0.05)"),
            Patch(facecolor="none", edgecolor="#777777", hatch="...", linewidth=0, label="too few to say"),
            Patch(facecolor=EMPTY, edgecolor="#b5b5b5", hatch="////", linewidth=0, label="empty"),
        ],
        loc="outside lower left",
        ncols=3,
        fontsize=8,
        frameon=False,
    )
    return figure


def flows_figure(
    lattice: Lattice, first: NDArray[np.integer], second: NDArray[np.integer], names: tuple[str, str]
) -> Figure:
    """Two maps side by side and a line for each pair of units: as wide as the pairs that have their images there.

    first, second: (n,) unit of each pair's image on either map. Lines of a single pair are thin and pale.
    """
    width = lattice.columns + 2.6  # from one map to the other, in lattice steps
    figure = Figure(figsize=(9.4, 4.3), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    flows = np.zeros((lattice.n_units, lattice.n_units), dtype=np.int64)
    np.add.at(flows, (np.asarray(first), np.asarray(second)), 1)
    cells = cell_polygons(lattice, 0.94)
    held = [flows.sum(axis=1), flows.sum(axis=0)]
    most = float(max(held[0].max(), held[1].max(), 1))
    shift = np.array([width, 0.0])
    for at, counts in enumerate(held):
        shown = np.where(counts > 0, counts, np.nan).astype(np.float64)
        draw_polygons(axes, cells + at * shift, shown, colour_map="Blues", low=0, high=most)
    one, two = np.nonzero(flows)
    size = flows[one, two]
    order = np.argsort(size, kind="stable")
    start, stop = lattice.positions[one], lattice.positions[two] + shift
    t = np.linspace(0, 1, 24)[None, :, None]
    ease = t * t * (3 - 2 * t)
    x = start[:, None, :1] * (1 - t) + stop[:, None, :1] * t
    y = start[:, None, 1:] * (1 - ease) + stop[:, None, 1:] * ease
    axes.add_collection(
        LineCollection(
            list(np.concatenate([x, y], axis=2)[order]),
            linewidths=np.where(size > 1, 1.4 * size, 0.5)[order],
            colors=["#c04a00" if count > 1 else "#9a9a9a" for count in size[order]],
            alpha=0.65,
            capstyle="round",
        )
    )
    bottom = float(lattice.positions[:, 1].max()) + 0.6
    axes.set(xlim=(-0.6, width + lattice.columns - 0.4), ylim=(bottom, -1.1), aspect="equal")
    axes.set_axis_off()
    for at, name in enumerate(names):
        axes.text(at * width - 0.5, -0.65, f"{name} map", fontsize=11)
    mappable = ScalarMappable(Normalize(0, most), "Blues")
    bar = figure.colorbar(mappable, ax=axes, fraction=0.03, pad=0.01)
    bar.set_label("images of the unit", fontsize=9)
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)
    return figure
