"""The class map: each unit in the colour of the class that most of its items have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from numpy.typing import NDArray

from somscope.errors import InputError
from somscope.figures.cells import cell_polygons
from somscope.figures.class_counts import class_legend
from somscope.figures.palette import EMPTY, class_colours, class_hatch, ink_on
from somscope.figures.units import draw_borders, map_figure
from somscope.maps.lattice import Lattice

__all__ = ["class_map_figure", "majority"]

_PLAIN_CLASSES = 8  # up to here colour alone tells classes apart; beyond it their numbers are written as well


def majority(counts: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Per unit the most frequent class (K,), -1 where there is no labelled item, and its share (K,), NaN there.

    Ties go to the class that comes first.
    """
    counts = np.asarray(counts)
    total = counts.sum(axis=1)
    if counts.shape[1] == 0:
        return np.full(len(counts), -1), np.full(len(counts), np.nan)
    best = np.where(total > 0, counts.argmax(axis=1), -1)
    with np.errstate(invalid="ignore"):
        return best, np.where(total > 0, counts.max(axis=1) / np.maximum(total, 1), np.nan)


def class_map_figure(
    lattice: Lattice, counts: NDArray[np.integer], class_names: Sequence[str], *, numbers: bool | None = None
) -> Figure:
    """Majority label per unit; the paler a cell, the smaller the majority's share (purity), down to a third of the
    colour at purity 0. Units without labelled items are grey and hatched; lines part units of different majorities.

    counts: (K, classes). numbers: write the class number into each cell; by default with more than eight classes.
    """
    counts = np.asarray(counts)
    if counts.shape != (lattice.n_units, len(class_names)):
        raise InputError(
            f"counts have shape {counts.shape}; allowed: ({lattice.n_units}, {len(class_names)}), units x classes"
        )
    best, purity = majority(counts)
    labelled = best >= 0
    share = counts.max(axis=1, initial=0).sum() / max(counts.sum(), 1)
    note = f"paler = less pure; purity of the whole map {share:.3f}"
    figure, axes = map_figure(lattice, "Majority label", note, beside=2.2)
    strength = 0.35 + 0.65 * np.nan_to_num(purity)[:, None]
    colours = np.where(labelled[:, None], 1 - strength * (1 - class_colours(np.maximum(best, 0))), np.nan)
    colours[~labelled] = to_rgb(EMPTY)
    polygons = cell_polygons(lattice)
    axes.add_collection(
        PolyCollection(list(polygons), facecolors=colours, edgecolors=colours, linewidths=0.4), autolim=False
    )
    hatches = np.array([class_hatch(i) if i >= 0 else "////" for i in best])
    for hatch in np.unique(hatches[hatches != ""]):
        axes.add_collection(
            PolyCollection(
                list(polygons[hatches == hatch]),
                facecolors="none",
                edgecolors="#b5b5b5" if hatch == "////" else "#555555",
                hatch=str(hatch),
                linewidths=0.2,
            ),
            autolim=False,
        )
    draw_borders(axes, lattice, best, width=0.8)
    numbers = len(class_names) > _PLAIN_CLASSES if numbers is None else numbers
    if numbers:
        size = min(9.0, 120 / max(lattice.rows, lattice.columns))
        for (x, y), group, ink in zip(lattice.positions, best, ink_on(colours), strict=True):
            if group >= 0:
                axes.text(x, y, str(group), ha="center", va="center", fontsize=size, color=str(ink))
    class_legend(
        figure, axes, class_names, numbered=numbers, empty="" if labelled.all() else "no labelled item"
    )
    return figure
