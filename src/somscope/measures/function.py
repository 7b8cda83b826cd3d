"""Topographic function: at which range the neighbourhoods of data and lattice disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.csgraph import shortest_path

from somscope.errors import InputError
from somscope.measures._arrays import Floats, Units, as_adjacency, as_matrix, as_units

__all__ = ["TopographicFunction", "topographic_function"]


@dataclass(frozen=True)
class TopographicFunction:
    """Phi(k) for k = -D ... D, D the diameter of the lattice in steps; all zero when the map keeps the topology."""

    k: Units
    values: Floats


def topographic_function(
    best: ArrayLike, second: ArrayLike, steps: ArrayLike, adjacency: ArrayLike, normalise: bool = False
) -> TopographicFunction:
    """Villmann's function of the range k; its value at 0 sums up the map.

        Phi(k)  = mean_i #{j : C(i, j) = 1 and steps(i, j) > k}           k = 1 ... D
        Phi(-k) = mean_i #{j : i, j neighbours on the lattice and C(i, j) > k}
        Phi(0)  = Phi(1) + Phi(-1)
    C: path length in the graph that joins two units when they are best and second best for some item (the induced
    Delaunay graph; no path, as from a dead unit, is infinitely long). Positive k: neighbours in the data that the map
    tears apart (the map has too few dimensions); negative k: neighbours on the map that are apart in the data.

    best, second: (n,). steps: (K, K) path length on the lattice, Villmann's maximum norm: `lattice.steps("8")`, or
    `steps("hexagonal")`; planar or toroidal alike. adjacency: (K, K) side neighbours (Villmann's Euclidean distance 1):
    `lattice.adjacency("4")` or `("hexagonal")`.
    normalise: divide the side of k > 0 by the mean number of units more than one step away (on a torus K - 9, so that
    Phi is Villmann's 1 / (K (K - 3^2)) sum_i f_i) and the side of k < 0 by the mean number of neighbours: both then
    lie in 0 to 1. A side with nothing to divide by is 0.
    Raises InputError for units or shapes that do not fit. Counts only: no ties.
    Source: Villmann, Der, Herrmann & Martinetz (1997), IEEE Transactions on Neural Networks 8(2).
    """
    near = as_adjacency(adjacency)
    apart = as_matrix("steps", steps, len(near))
    first = as_units("best", best, len(near))
    other = as_units("second", second, len(near), len(first))
    if not np.isin(apart[near], 1.0).all():
        raise InputError(
            "units that are neighbours must be 1 step apart; pass steps and adjacency of one lattice"
        )
    diameter = max(1, int(np.ceil(apart.max())))
    joined = np.zeros(near.shape, dtype=bool)
    joined[first, other] = joined[other, first] = True
    np.fill_diagonal(joined, False)
    data_steps = shortest_path(sparse.csr_array(joined.astype(np.float64)), unweighted=True, directed=False)
    torn = _mean_beyond(apart[joined], diameter, len(near))
    folded = _mean_beyond(data_steps[near], diameter, len(near))
    if normalise:
        torn = torn / max(1, int((apart > 1).sum())) * len(near)
        folded = folded / max(1, int(near.sum())) * len(near)
    return TopographicFunction(
        np.arange(-diameter, diameter + 1), np.concatenate([folded[::-1], [torn[0] + folded[0]], torn])
    )


def _mean_beyond(lengths: Floats, diameter: int, n_units: int) -> Floats:
    """(D,) for k = 1 ... D, the number of lengths above k, per unit."""
    return np.asarray(
        (len(lengths) - np.searchsorted(np.sort(lengths), np.arange(1, diameter + 1), "right")) / n_units
    )
