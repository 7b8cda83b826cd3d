"""How well distances on the map follow distances in the data, over all pairs: Kruskal-Shepard and the C measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from somscope.errors import InputError
from somscope.measures._arrays import as_features, as_matrix, as_units
from somscope.measures._pairs import PairDistances

__all__ = ["c_measure", "kruskal_shepard"]


def kruskal_shepard(features: Any, best: ArrayLike, lattice_distances: ArrayLike) -> float:
    """Mean squared difference of relative distances over all pairs of items. 0 (best) to 1.

        sum_{i != j} (d_ij / max d - l_ij / max l)^2 / (n^2 - n)
    d_ij = ||x_i - x_j||, l_ij the lattice distance of their best units. A maximum of 0 (all items equal, or all in one
    unit) makes its term 0. All pairs, no ranks, so ties need no treatment.

    features: (n, d) dense, dense with NaN, or CSR; best: (n,); lattice_distances: (K, K) in steps.
    Work O(n^2 d / 2), memory O(n d) + about 64 MiB. Raises InputError for shapes that do not fit or fewer than 2 items.
    Source: Kruskal (1964) and Shepard (1962), in the form of Elend & Kramer (2019).
    """
    sums = _pair_sums(features, best, lattice_distances)
    d, m = sums.largest or 1.0, sums.largest_map or 1.0
    total = sums.squared / d**2 - 2.0 * sums.product / (d * m) + sums.squared_map / m**2
    return max(0.0, total / sums.pairs)


def c_measure(features: Any, best: ArrayLike, lattice_distances: ArrayLike) -> float:
    """Goodhill & Sejnowski's C: sum_{i < j} d_ij l_ij, larger when far items lie far apart on the map.

    Not normalised: compare it only between maps of the same items on the same lattice. In (units of the features) x
    (lattice steps). Arguments and errors as in `kruskal_shepard`.
    Source: Goodhill & Sejnowski (1996), "Quantifying neighbourhood preservation in topographic mappings".
    """
    return _pair_sums(features, best, lattice_distances).product


@dataclass
class _PairSums:
    """Sums over the pairs i < j of d^2, l^2 and d l, and the largest d and l."""

    pairs: int
    squared: float = 0.0
    squared_map: float = 0.0
    product: float = 0.0
    largest: float = 0.0
    largest_map: float = 0.0


def _pair_sums(features: Any, best: ArrayLike, lattice_distances: ArrayLike) -> _PairSums:
    x = as_features(features)
    lattice = as_matrix("lattice_distances", lattice_distances)
    units = as_units("best", best, len(lattice), x.shape[0])
    n = x.shape[0]
    if n < 2:
        raise InputError("Kruskal-Shepard and the C measure compare pairs: they need at least 2 items, got 1")
    used, units, count = np.unique(units, return_inverse=True, return_counts=True)
    lattice = lattice[np.ix_(used, used)]
    order = np.argsort(units, kind="stable")
    units, distances = units[order], PairDistances(x[order])
    sums = _PairSums(pairs=n * (n - 1) // 2, largest_map=float(lattice.max()))
    sums.squared_map = float(count @ lattice**2 @ count) / 2.0
    step = distances.block_rows()
    for start in range(0, n, step):
        stop = min(n, start + step)
        block = distances.block(start, stop, first=start)
        # The square at the left holds each of its pairs twice.
        own = block[:, : stop - start]
        sums.squared += float(block.sum(dtype=np.float64) - own.sum(dtype=np.float64) / 2.0)
        sums.largest = max(sums.largest, float(np.sqrt(block.max())))
        np.sqrt(block, out=block)
        # Items are ordered by unit: one sum of distances per (row, unit), then weighted by the lattice distance.
        columns = units[start:]
        begins = np.flatnonzero(np.r_[True, np.diff(columns) > 0])
        by_unit = np.add.reduceat(block, begins, axis=1, dtype=np.float64)
        rows = units[start:stop]
        sums.product += float(np.einsum("ij,ij->", by_unit, lattice[np.ix_(rows, columns[begins])]))
        sums.product -= float(np.einsum("ij,ij->", own, lattice[np.ix_(rows, rows)])) / 2.0
    return sums
