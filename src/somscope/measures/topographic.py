"""Whether the two best units of an item are neighbours: topographic error and combined error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.csgraph import dijkstra

from somscope.errors import InputError
from somscope.measures._arrays import (
    Floats,
    Mask,
    as_adjacency,
    as_distances,
    as_prototypes,
    as_units,
)
from somscope.measures.matrices import edge_distances

__all__ = ["combined_error", "combined_errors", "topographic_error", "topographic_errors"]


def topographic_errors(best: ArrayLike, second: ArrayLike, adjacency: ArrayLike) -> Mask:
    """(n,) True for each item whose best and second best unit are not neighbours.

    best, second: (n,) units. adjacency: (K, K) True between neighbours: the caller names which by passing
    `lattice.adjacency("4")`, `("8")` or `("hexagonal")`. Raises InputError for units or shapes that do not fit.
    """
    near = as_adjacency(adjacency)
    first = as_units("best", best, len(near))
    other = as_units("second", second, len(near), len(first))
    return np.asarray(~(near[first, other] | (first == other)))


def topographic_error(best: ArrayLike, second: ArrayLike, adjacency: ArrayLike) -> float:
    """Share of items whose best and second best unit are not neighbours. 0 (best) to 1.

    A corner neighbour is an error with the 4-neighbourhood and none with the 8-neighbourhood: always say which.
    Arguments and errors as in `topographic_errors`. Source: Kiviluoto (1996), "Topology preservation in
    self-organizing maps".
    """
    return float(topographic_errors(best, second, adjacency).mean())


def combined_errors(
    distances: ArrayLike, prototypes: ArrayLike, best: ArrayLike, second: ArrayLike, adjacency: ArrayLike
) -> Floats:
    """(n,) distance of each item to its best prototype plus the way from there to its second best over the map.

    The way is the shortest path over neighbouring units, each step as long as the distance of the two prototypes.
    distances: (n,) Euclidean ||x_i - m_b(i)||. prototypes: (K, d). In units of the features.
    Raises InputError when best and second are not connected by the adjacency.
    """
    m = as_prototypes(prototypes)
    near = as_adjacency(adjacency, len(m))
    to_best = as_distances(distances)
    first = as_units("best", best, len(m), len(to_best))
    other = as_units("second", second, len(m), len(to_best))
    pair, item_pair = np.unique(first * len(m) + other, return_inverse=True)
    start, end = np.divmod(pair, len(m))
    # Between neighbours the direct edge is the shortest way (triangle inequality), so only the rest needs a search.
    length = edge_distances(m, np.stack([start, end], axis=1))
    far = ~(near[start, end] | (start == end))
    if far.any():
        edges = np.argwhere(near)
        weights = edge_distances(m, edges)
        graph = sparse.csr_array((weights, (edges[:, 0], edges[:, 1])), shape=near.shape)
        sources, row = np.unique(start[far], return_inverse=True)
        length[far] = dijkstra(graph, indices=sources)[row, end[far]]
        if not np.isfinite(length).all():
            bad = int(np.argmin(np.isfinite(length)))
            raise InputError(f"units {start[bad]} and {end[bad]} are not connected by the adjacency")
    return np.asarray(to_best + length[item_pair])


def combined_error(
    distances: ArrayLike, prototypes: ArrayLike, best: ArrayLike, second: ArrayLike, adjacency: ArrayLike
) -> float:
    """Mean of `combined_errors`: quantization and continuity in one number, in units of the features; 0 is best.

    Source: Kaski & Lagus (1996), "Comparing self-organizing maps".
    """
    return float(combined_errors(distances, prototypes, best, second, adjacency).mean())
