"""A map that is a graph: its units as pictures or by how many items they hold, and the connections that it learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from somscope.figures.palette import literal
from somscope.figures.pictures import mosaic
from somscope.figures.units import colour_bar, draw_units, map_figure
from somscope.maps.graph import GraphLattice

__all__ = ["graph_figure", "relevance_figure"]

_LINE = "#d55e00"
_MOST_NAMES = 40  # that fit beside each other
_LONGEST_NAME = 20  # letters


def graph_figure(lattice: GraphLattice, hits: ArrayLike, images: ArrayLike | None = None) -> Figure:
    """The units in their cells, joined where they are connected.

    hits: (K,) items of each unit, drawn as colours; images: (K, H, W[, C]) in [0, 1] or uint8, drawn in their place.
    """
    edges = lattice.edges()
    figure, axes = map_figure(lattice, "Connections", beside=1.5 if images is None else 0.3)
    positions = lattice.positions
    each = len(edges) / lattice.n_units  # with many of them, the pictures have to be seen through the lines
    width = float(np.clip(1.6 / max(each, 1.0) ** 0.5, 0.5, 1.6))
    lines = LineCollection(list(positions[edges]), colors=_LINE, linewidths=width, alpha=width / 2)
    axes.add_collection(lines, autolim=False)
    if images is None:
        counts = np.asarray(hits, np.float64)
        cells = draw_units(axes, lattice, np.where(counts == 0, np.nan, counts), low=0.0, scale=0.6)
        cells.set_zorder(3)
        colour_bar(figure, axes, cells, "items per unit")
        return figure
    canvas, extent = mosaic(lattice, images)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(canvas, extent=extent, interpolation="nearest", origin="upper", zorder=1)
    lines.set_zorder(2)
    axes.set(xlim=limits[0], ylim=limits[1])
    return figure


def relevance_figure(relevances: NDArray[np.floating], names: Sequence[str] = (), bins: int = 20) -> Figure:
    """How the relevances of all units and dimensions (K, d) are distributed, and those of each unit (Fig. 2).

    names: of the d dimensions; without any they are numbered. More than 40 dimensions are not told apart.
    """
    values = np.asarray(relevances, np.float64)
    figure = Figure(figsize=(9.0, 3.6), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.3))
    edges = np.linspace(0.0, 1.0, bins + 1)
    share = np.histogram(values, edges)[0] / values.size
    left.bar(
        edges[:-1],
        share,
        width=np.diff(edges),
        align="edge",
        color="#31688e",
        edgecolor="white",
        linewidth=0.5,
    )
    left.set(xlabel="relevance", ylabel="share of all", xlim=(0.0, 1.0))
    left.set_title("Relevances", loc="left", fontsize=12)
    order = np.argsort(-values.mean(axis=0), kind="stable")
    drawn = right.imshow(
        values[:, order], aspect="auto", vmin=0.0, vmax=1.0, cmap="viridis", interpolation="nearest"
    )
    if len(order) <= _MOST_NAMES:
        told = [literal(names[i], _LONGEST_NAME) if len(names) else str(i) for i in order]
        upright = max(map(len, told)) > 2
        right.set_xticks(np.arange(len(order)), told, rotation=90 if upright else 0)
        right.set(xlabel="dimension, the most relevant first", ylabel="unit")
    else:
        right.xaxis.set_major_locator(MaxNLocator(integer=True))
        right.set(xlabel="rank of the dimension by its mean relevance", ylabel="unit")
    right.yaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_title("Relevances of each unit", loc="left", fontsize=12)
    figure.colorbar(drawn, ax=right, label="relevance")
    for axes in (left, right):
        axes.tick_params(labelsize=8)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return figure
