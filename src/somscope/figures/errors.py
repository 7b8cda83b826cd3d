"""Error layers: how far items lie from their units, and where the map folds."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from somscope.figures.cells import edge_displacements
from somscope.figures.units import colour_bar, draw_units, map_figure, with_unit
from somscope.maps.lattice import Lattice
from somscope.measures import mean_per_unit

__all__ = ["MOST_PAIRS", "error_layers_figure", "topographic_error_pairs"]

MOST_PAIRS = 150  # drawn as lines; more would hide the map
_BLOCK = 1 << 20  # items whose pairs are counted together


def topographic_error_pairs(
    lattice: Lattice, units: ArrayLike, second_units: ArrayLike, neighbours: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs (P, 2) of best and second unit that are not neighbours, the most frequent first, and items per pair (P,).

    Each pair is counted in both directions together, lower unit first. neighbours: "4", "8" or "hexagonal"; by
    default the lattice's own. The counts sum to n times the topographic error. A second unit of -1 (a map of one
    unit has none) is no error.
    """
    first, second = np.asarray(units), np.asarray(second_units)
    parts = [
        _counted(first[start : start + _BLOCK], second[start : start + _BLOCK], lattice.n_units)
        for start in range(0, max(1, len(first)), _BLOCK)
    ]
    key, which = np.unique(np.concatenate([keys for keys, _ in parts]), return_inverse=True)
    count = np.zeros(len(key), np.int64)
    np.add.at(count, which, np.concatenate([counts for _, counts in parts]))
    pair = np.stack(np.divmod(key, lattice.n_units), axis=1)
    apart = ~lattice.are_neighbours(pair[:, 0], pair[:, 1], neighbours)
    pair, count = pair[apart], count[apart]
    order = np.argsort(-count, kind="stable")
    return pair[order], count[order]


def _counted(
    units: NDArray[np.integer], second_units: NDArray[np.integer], n_units: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each pair as a number, lower unit times K plus the other, and how often it comes."""
    pair = np.sort(np.stack([units, second_units], axis=1).astype(np.int64), axis=1)
    pair = pair[pair[:, 0] >= 0]
    key, count = np.unique(pair[:, 0] * n_units + pair[:, 1], return_counts=True)
    return key, count.astype(np.int64)


def error_layers_figure(
    lattice: Lattice,
    units: ArrayLike,
    second_units: ArrayLike,
    distances: ArrayLike,
    *,
    neighbours: str | None = None,
    unit: str = "",
) -> Figure:
    """Mean quantization error per unit as colour, and a line between every best and second unit that are not
    neighbours (topographic errors), thicker for more items.

    units, second_units: (n,) units of each item; distances: (n,) to the best unit, measured in `unit`. The 150 most
    frequent pairs are drawn; the subtitle says so. On a toroidal lattice a line takes the shorter way, over the border.
    """
    pairs, count = topographic_error_pairs(lattice, units, second_units, neighbours)
    kind = neighbours or lattice.default_adjacency
    n_items = len(np.asarray(units))
    error = count.sum() / max(n_items, 1)
    note = f"topographic error {error:.3f} ({kind} neighbours)"
    if len(pairs) > MOST_PAIRS:
        note += f"; lines: the {MOST_PAIRS} most frequent of {len(pairs):,} pairs"
    figure, axes = map_figure(lattice, "Errors", note, below=0.6 + 0.5 * (lattice.rows == 1))
    cells = draw_units(axes, lattice, mean_per_unit(distances, units, lattice.n_units))
    colour_bar(figure, axes, cells, with_unit("quantization error: mean distance to the prototype", unit))
    if len(pairs):
        pairs, count = pairs[:MOST_PAIRS], count[:MOST_PAIRS]
        delta = edge_displacements(lattice, pairs)
        start, stop = lattice.positions[pairs[:, 0]], lattice.positions[pairs[:, 1]]
        wraps = np.abs(start + delta - stop).max(axis=1) > 1e-6
        segments = _lines(
            lattice, np.concatenate([start, (stop - delta)[wraps]]), np.concatenate([delta, delta[wraps]])
        )
        widths = 0.4 + 2.6 * np.sqrt(count / count.max())
        if lattice.rows == 1:  # room for the arcs
            axes.set_ylim(axes.get_ylim()[0], -1.9)
        elif lattice.columns == 1:
            axes.set_xlim(axes.get_xlim()[0], 2.4)
        axes.add_collection(
            LineCollection(
                list(segments),
                linewidths=np.concatenate([widths, widths[wraps]]),
                colors="#d55e00",
                alpha=0.8,
                capstyle="round",
            ),
            autolim=False,
        )
        ends = sorted({int(count.max()), int(count.min())}, reverse=True)
        figure.legend(
            [
                Line2D([], [], color="#d55e00", linewidth=0.4 + 2.6 * np.sqrt(number / count.max()))
                for number in ends
            ],
            [f"{number:,} item{'s' if number > 1 else ''}" for number in ends],
            title="best to second unit, not neighbours",
            loc="outside lower left",
            ncols=2,
            fontsize=8,
            title_fontsize=8,
            frameon=False,
            alignment="left",
        )
    return figure


def _lines(lattice: Lattice, start: NDArray[np.float64], delta: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S, points, 2) straight lines; arcs on a chain, where all straight ones would lie on one another."""
    if 1 not in (lattice.rows, lattice.columns):
        return np.stack([start, start + delta], axis=1)
    along = np.linspace(0.0, 1.0, 25)
    length = np.linalg.norm(delta, axis=1)
    height = 1.4 * np.minimum(1.0, 4.0 * length / lattice.n_units) + 0.4
    outwards = np.array([0.0, -1.0]) if lattice.rows == 1 else np.array([1.0, 0.0])
    bend = 4.0 * along * (1.0 - along)
    straight = start[:, None] + delta[:, None] * along[None, :, None]
    return np.asarray(straight + (height[:, None] * bend)[..., None] * outwards)
