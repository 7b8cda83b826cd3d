"""The geometry of a drawn lattice: one polygon per unit, the sides between units, the size of a figure."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.maps.lattice import Lattice

__all__ = [
    "cell_polygons",
    "cell_shape",
    "edge_displacements",
    "figure_size",
    "limits",
    "shared_sides",
    "units_from",
]

_CORNER_ANGLES = {
    "rectangular": np.pi / 4 + np.pi / 2 * np.arange(4),
    "hexagonal": np.pi / 6 + np.pi / 3 * np.arange(6),
}
_CORNER_RADIUS = {"rectangular": np.sqrt(0.5), "hexagonal": np.sqrt(1.0 / 3.0)}


def cell_shape(shape: str) -> NDArray[np.float64]:
    """(4, 2) or (6, 2) corners of one cell around the origin: the square, or the hexagon with a corner on top,
    whose neighbours lie 1 lattice step away and touch it."""
    angles = _CORNER_ANGLES[shape]
    return np.asarray(_CORNER_RADIUS[shape] * np.stack([np.cos(angles), np.sin(angles)], axis=1))


def cell_polygons(lattice: Lattice, scale: float = 1.0) -> NDArray[np.float64]:
    """(K, 4 or 6, 2) corners of the cell of each unit, in lattice steps; `scale` 1 fills the plane without gaps."""
    return np.asarray(lattice.positions[:, None, :] + scale * cell_shape(lattice.shape)[None])


def limits(lattice: Lattice, margin: float = 0.1) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the drawing; bottom is the larger y, since row 0 is at the top."""
    corners = cell_polygons(lattice).reshape(-1, 2)
    (left, top), (right, bottom) = corners.min(axis=0) - margin, corners.max(axis=0) + margin
    return float(left), float(right), float(bottom), float(top)


def figure_size(
    lattice: Lattice, longest: float = 6.4, beside: float = 1.5, above: float = 0.9, smallest: float = 1.2
) -> tuple[float, float]:
    """Width and height in inches so that the map's longer side is `longest` and room is left for bar and title."""
    left, right, bottom, top = limits(lattice)
    scale = longest / max(right - left, bottom - top)
    return max(smallest, (right - left) * scale) + beside, max(smallest, (bottom - top) * scale) + above


def edge_displacements(lattice: Lattice, edges: NDArray[np.integer]) -> NDArray[np.float64]:
    """(E, 2) step from the first to the second unit of each edge, the shorter way round on a toroidal lattice."""
    positions = lattice.positions
    delta = positions[edges[:, 1]] - positions[edges[:, 0]]
    if lattice.toroidal:
        period = np.array(lattice.period)
        delta = delta - period * np.round(delta / period)
    return np.asarray(delta)


def shared_sides(lattice: Lattice, edges: NDArray[np.integer]) -> NDArray[np.float64]:
    """(S, 2, 2) end points of the side that the two cells of each edge share.

    edges: (E, 2) pairs of side neighbours ("4" or "hexagonal"). An edge around a torus has two such sides, one on
    each border, so that S >= E.
    """
    delta = edge_displacements(lattice, edges)
    length = 1.0 if lattice.shape == "rectangular" else np.sqrt(1.0 / 3.0)
    across = np.stack([-delta[:, 1], delta[:, 0]], axis=1)
    across *= 0.5 * length / np.linalg.norm(across, axis=1, keepdims=True)
    first = lattice.positions[edges[:, 0]] + delta / 2
    second = lattice.positions[edges[:, 1]] - delta / 2
    wraps = np.abs(first - second).max(axis=1, initial=0.0) > 1e-6
    middle = np.concatenate([first, second[wraps]])
    across = np.concatenate([across, across[wraps]])
    return np.stack([middle - across, middle + across], axis=1)


def units_from(lattice: Lattice, values: ArrayLike, what: str) -> NDArray[np.float64]:
    """(K,) float values of the units from a (K,) or (rows, columns) array; InputError for any other shape."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape not in {(lattice.n_units,), (lattice.rows, lattice.columns)}:
        raise InputError(
            f"{what} has shape {array.shape}; allowed: ({lattice.n_units},) or ({lattice.rows}, {lattice.columns}), "
            "one value per unit"
        )
    return array.reshape(-1)
