"""Label pies: the shares of the classes at each unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import NDArray

from somscope.errors import InputError
from somscope.figures.class_counts import class_legend
from somscope.figures.palette import class_colours, class_hatch
from somscope.figures.units import map_figure
from somscope.maps.lattice import Lattice

__all__ = ["label_pies_figure", "pie_slices"]

_ARC = 25  # points on the arc of one slice


def pie_slices(
    lattice: Lattice, counts: NDArray[np.integer], sized: bool = True
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Polygons (S, 26, 2) of all slices that are not empty, with their units (S,) and classes (S,).

    counts: (K, classes). Slices run clockwise from the top, in the order of the classes. sized: the area of a pie
    is proportional to the items of its unit; otherwise all pies have one size.
    """
    counts = np.asarray(counts, dtype=np.float64)
    total = counts.sum(axis=1)
    share = counts / np.maximum(total, 1.0)[:, None]
    stop = np.cumsum(share, axis=1)
    unit, group = np.nonzero(counts)
    start_angle = 2 * np.pi * (stop - share)[unit, group]
    stop_angle = 2 * np.pi * stop[unit, group]
    radius = (
        0.46 * (np.sqrt(total / max(total.max(initial=0.0), 1.0)) if sized else np.ones_like(total))[unit]
    )
    angle = start_angle[:, None] + (stop_angle - start_angle)[:, None] * np.linspace(0, 1, _ARC)
    centre = lattice.positions[unit]
    arc = centre[:, None] + radius[:, None, None] * np.stack([np.sin(angle), -np.cos(angle)], axis=2)
    return np.concatenate([arc, centre[:, None]], axis=1), unit, group


def label_pies_figure(
    lattice: Lattice, counts: NDArray[np.integer], class_names: Sequence[str], *, sized: bool = True
) -> Figure:
    """A pie per unit with the shares of its classes; its area shows how many labelled items the unit holds.

    counts: (K, classes), for example from `count_classes`.
    """
    counts = np.asarray(counts)
    if counts.shape != (lattice.n_units, len(class_names)):
        raise InputError(
            f"counts have shape {counts.shape}; allowed: ({lattice.n_units}, {len(class_names)}), units x classes"
        )
    note = (
        f"the largest pie holds {counts.sum(axis=1).max():,} items" if sized else "all pies drawn in one size"
    )
    figure, axes = map_figure(lattice, "Labels per unit", note, beside=2.2)
    slices, unit, group = pie_slices(lattice, counts, sized)
    whole = ((counts > 0).sum(axis=1) == 1)[unit]
    hatches = (
        np.array([class_hatch(i) for i in range(len(class_names))])[group] if len(group) else np.array([])
    )
    for hatch in np.unique(hatches):  # one collection per hatch: a single one for up to twenty classes
        which = hatches == hatch
        axes.add_collection(
            PolyCollection(
                list(slices[which]),
                facecolors=class_colours(group[which]),
                edgecolors="white",
                linewidths=np.where(whole[which], 0.0, 0.3),  # the only slice of a pie has no sides
                hatch=str(hatch) or None,
            ),
            autolim=False,
        )
    class_legend(figure, axes, class_names)
    return figure
