"""The U-matrix: distances between neighbouring prototypes, by unit and by edge."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from somscope.errors import InputError
from somscope.measures._arrays import Floats, as_adjacency, as_prototypes, block_rows, check_shape

__all__ = ["edge_distances", "u_matrix"]


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
