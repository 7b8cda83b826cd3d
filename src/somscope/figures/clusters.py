"""Clusters of units, as found by clustering the prototypes along the lattice."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from somscope.errors import InputError
from somscope.figures.cells import cell_polygons
from somscope.figures.class_counts import class_legend
from somscope.figures.palette import class_colours, ink_on
from somscope.figures.units import draw_borders, map_figure
from somscope.maps.lattice import Lattice

__all__ = ["unit_clusters_figure"]


def unit_clusters_figure(lattice: Lattice, unit_clusters: ArrayLike) -> Figure:
    """Each unit in the colour of its cluster, with the cluster's number at its most central unit and borders.

    unit_clusters: (K,) or (rows, columns) integers >= 0.
    """
    clusters = np.asarray(unit_clusters).reshape(-1).astype(np.int64)
    if clusters.shape != (lattice.n_units,) or clusters.min() < 0:
        raise InputError(
            f"unit_clusters has shape {np.shape(unit_clusters)} and minimum {clusters.min(initial=0)}; "
            f"allowed: ({lattice.n_units},) integers >= 0"
        )
    numbers, sizes = np.unique(clusters, return_counts=True)
    figure, axes = map_figure(lattice, "Clusters of units", f"{len(numbers)} clusters", beside=1.8)
    colours = 1 - 0.75 * (1 - class_colours(clusters))
    axes.add_collection(
        PolyCollection(list(cell_polygons(lattice)), facecolors=colours, edgecolors=colours, linewidths=0.4),
        autolim=False,
    )
    draw_borders(axes, lattice, clusters)
    squared = lattice.squared_distances()
    for number in numbers:
        members = np.flatnonzero(clusters == number)
        centre = members[squared[np.ix_(members, members)].sum(axis=1).argmin()]
        x, y = lattice.positions[centre]
        ink = str(ink_on(colours[centre : centre + 1])[0])
        axes.text(x, y, str(number), ha="center", va="center", fontsize=11, weight="bold", color=ink)
    size_of = dict(zip(numbers.tolist(), sizes.tolist(), strict=True))
    names = [
        f"{i}: {size_of.get(i, 0)} unit{'' if size_of.get(i) == 1 else 's'}"
        for i in range(int(numbers.max()) + 1)
    ]
    class_legend(figure, axes, names, title="cluster")
    return figure
