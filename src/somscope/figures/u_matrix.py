"""The U-matrix: how far each prototype lies from those beside it (Ultsch and Siemon 1990)."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.figures.cells import cell_shape, edge_displacements
from somscope.figures.units import colour_bar, draw_polygons, draw_units, map_figure, with_unit
from somscope.maps.lattice import Lattice

__all__ = ["expanded_u_matrix", "expanded_u_matrix_figure", "u_matrix_figure"]


def u_matrix_figure(lattice: Lattice, u_matrix: ArrayLike, *, unit: str = "") -> Figure:
    """One cell per unit: the mean distance of its prototype to its neighbours'. Bright ridges part clusters.

    u_matrix: (rows, columns) or (K,). unit: what distances are measured in, for the legend.
    """
    figure, axes = map_figure(lattice, "U-matrix")
    label = with_unit("mean distance to the neighbouring prototypes", unit)
    colour_bar(figure, axes, draw_units(axes, lattice, u_matrix), label)
    return figure


def expanded_u_matrix(
    lattice: Lattice, prototypes: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (P, 2) in lattice steps and values (P,) of the expanded U-matrix, the K units first.

    Between two neighbours stands the distance of their prototypes; where two diagonals cross on a rectangular
    lattice, the mean of both, each divided by sqrt(2); at a unit, the median of the sides around it.
    prototypes: (K, d). A single unit without neighbours has the value 0.
    """
    prototypes = np.asarray(prototypes, dtype=np.float64)
    if prototypes.ndim != 2 or len(prototypes) != lattice.n_units:
        raise InputError(
            f"prototypes have shape {prototypes.shape}; allowed: ({lattice.n_units}, d), one row per unit"
        )
    sides = lattice.edges("hexagonal" if lattice.shape == "hexagonal" else "4")
    edges = lattice.edges()
    distance = np.linalg.norm(prototypes[edges[:, 0]] - prototypes[edges[:, 1]], axis=1)
    delta = edge_displacements(lattice, edges)
    is_side = (delta**2).sum(axis=1) < 1.5
    middle = lattice.positions[edges[:, 0]] + delta / 2
    if lattice.toroidal:
        middle = np.mod(middle + 1e-9, lattice.period) - 1e-9
    crossings, which = np.unique(np.round(middle, 6), axis=0, return_inverse=True)
    which = which.reshape(-1)
    count = np.bincount(which, minlength=len(crossings))
    between = np.bincount(which, np.where(is_side, distance, distance / np.sqrt(2)), len(crossings)) / count
    at_units = _median_of_sides(lattice.n_units, sides, distance[is_side])
    return np.concatenate([lattice.positions, crossings]), np.concatenate([at_units, between])


def _median_of_sides(
    n_units: int, sides: NDArray[np.int64], distance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(K,) median of the distances of the sides that each unit has; 0 for a unit without any."""
    unit = np.concatenate([sides[:, 0], sides[:, 1]])
    value = np.concatenate([distance, distance])
    order = np.lexsort((value, unit))
    unit, value = unit[order], value[order]
    count = np.bincount(unit, minlength=n_units)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    some = count > 0
    median = np.zeros(n_units)
    lower, upper = start + (count - 1) // 2, start + count // 2
    median[some] = (value[lower[some]] + value[upper[some]]) / 2
    return median


def expanded_u_matrix_figure(lattice: Lattice, prototypes: ArrayLike, *, unit: str = "") -> Figure:
    """The U-matrix with a cell for each unit (dotted) and one for each pair of neighbours between them.

    prototypes: (K, d). unit: what their distances are measured in, for the legend.
    """
    centres, values = expanded_u_matrix(lattice, prototypes)
    figure, axes = map_figure(lattice, "U-matrix, expanded", "dots are units, the cells between them pairs")
    polygons = centres[:, None, :] + 0.5 * cell_shape(lattice.shape)[None]
    cells = draw_polygons(axes, polygons, values)
    (left, top), (right, bottom) = polygons.min(axis=(0, 1)) - 0.1, polygons.max(axis=(0, 1)) + 0.1
    axes.set(xlim=(left, right), ylim=(bottom, top))
    step = 4.6 * 72 / max(right - left, bottom - top)
    axes.scatter(
        lattice.positions[:, 0],
        lattice.positions[:, 1],
        s=(step * 0.09) ** 2,
        c="white",
        edgecolors="black",
        linewidths=0.4,
    )
    colour_bar(figure, axes, cells, with_unit("distance between neighbouring prototypes", unit))
    return figure
