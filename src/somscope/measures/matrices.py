"""The U-matrix: distances between neighbouring prototypes, by unit, by gap and by edge."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from somscope.errors import InputError
from somscope.measures._arrays import Floats, as_adjacency, as_prototypes, block_rows, check_shape

__all__ = ["edge_distances", "u_matrix", "u_matrix_expanded"]


def edge_distances(prototypes: ArrayLike, edges: ArrayLike) -> Floats:
    """(E,) Euclidean distance between the prototypes of each pair of units: the edge form of the U-matrix.

    edges: (E, 2) units, for example `lattice.edges()`; right for every lattice. In units of the features.
    """
    m = as_prototypes(prototypes)
    pairs = np.asarray(edges)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.dtype.kind not in "iu":
        raise InputError(
            f"edges have shape {pairs.shape} and type {pairs.dtype}; allowed: (edges, 2) integers"
        )
    if pairs.size and (pairs.min() < 0 or pairs.max() >= len(m)):
        raise InputError(f"edges name a unit outside 0 to {len(m) - 1}")
    squared = np.empty(len(pairs))
    step = block_rows(8 * m.shape[1])
    for start in range(0, len(pairs), step):
        part = pairs[start : start + step]
        difference = m[part[:, 0]] - m[part[:, 1]]
        squared[start : start + step] = np.einsum("ij,ij->i", difference, difference)
    return np.sqrt(squared)


def u_matrix(prototypes: ArrayLike, adjacency: ArrayLike, shape: tuple[int, int]) -> Floats:
    """(rows, columns) mean distance of each unit's prototype to those of its neighbours; high = a border.

    adjacency: (K, K), for example `lattice.adjacency()`. shape: (rows, columns), rows * columns = K.
    In units of the features. A unit without neighbours has 0. Source: Ultsch & Siemon (1990).
    """
    m = as_prototypes(prototypes)
    near = as_adjacency(adjacency, len(m))
    check_shape(shape, len(m))
    edges = np.argwhere(near)
    total = np.bincount(edges[:, 0], edge_distances(m, edges), minlength=len(m))
    return np.asarray(total / np.maximum(near.sum(axis=1), 1)).reshape(shape)


def u_matrix_expanded(prototypes: ArrayLike, shape: tuple[int, int], toroidal: bool = False) -> Floats:
    """(2 rows - 1, 2 columns - 1) U-matrix of a rectangular map with a cell for each unit and each gap.

    Even row and even column: the unit, the mean of the gaps to its sides. One even, one odd: the distance of the
    two prototypes on either side. Both odd: the mean of the two diagonal distances across that corner.
    A toroidal map has (2 rows, 2 columns) cells (1 where there is one row or column); the last row and column
    are the gaps over the edge.
    For a hexagonal map draw `edge_distances` instead. Source: Ultsch & Siemon (1990).
    """
    m = as_prototypes(prototypes)
    check_shape(shape, len(m))
    rows, columns = shape
    wrap = (toroidal and rows > 1, toroidal and columns > 1)
    unit = np.pad(np.arange(len(m)).reshape(shape), [(0, int(w)) for w in wrap], mode="wrap")
    across, down = _gaps(m, unit[:, :-1], unit[:, 1:]), _gaps(m, unit[:-1], unit[1:])
    falling, rising = _gaps(m, unit[:-1, :-1], unit[1:, 1:]), _gaps(m, unit[:-1, 1:], unit[1:, :-1])
    picture = np.zeros((2 * unit.shape[0] - 1, 2 * unit.shape[1] - 1))
    picture[::2, 1::2] = across
    picture[1::2, ::2] = down
    picture[1::2, 1::2] = (falling + rising) / 2.0
    picture = picture[: 2 * rows if wrap[0] else None, : 2 * columns if wrap[1] else None]
    # Each unit: the mean of its up to four gaps (on a torus a roll also reaches the gaps over the edge).
    gap = np.zeros_like(picture)
    gap[::2, 1::2] = gap[1::2, ::2] = 1.0
    total, count = np.zeros(shape), np.zeros(shape)
    for axis in (0, 1):
        for direction in (-1, 1):
            total += _shift(picture * gap, direction, axis, wrap[axis])[::2, ::2]
            count += _shift(gap, direction, axis, wrap[axis])[::2, ::2]
    picture[::2, ::2] = total / np.maximum(count, 1.0)
    return picture


def _gaps(m: Floats, a: Any, b: Any) -> Floats:
    return edge_distances(m, np.stack([a.ravel(), b.ravel()], axis=1)).reshape(a.shape)


def _shift(picture: Floats, direction: int, axis: int, wrap: bool) -> Floats:
    moved = np.roll(picture, direction, axis=axis)
    if not wrap:
        edge = 0 if direction > 0 else -1
        moved[(edge, slice(None)) if axis == 0 else (slice(None), edge)] = 0.0
    return moved
