"""How well distances on the map follow distances in the data, over all pairs: Kruskal-Shepard and the C measure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.measures._arrays import Units, as_features, as_matrix, as_units
from somscope.measures._pairs import PairDistances
from somscope.measures._threads import row_threads

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


@dataclass(frozen=True)
class _PairSums:
    """Sums over the pairs i < j of d^2, l^2 and d l, and the largest d and l."""

    pairs: int
    squared: float
    squared_map: float
    product: float
    largest: float
    largest_map: float


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
    squared, product, largest = np.zeros(n), np.zeros(n), np.zeros(n)
    step = distances.block_rows()
    with row_threads() as spread:
        for start in range(0, n, step):
            stop = min(n, start + step)
            block = distances.block(start, stop, spread, first=start)
            block[:, : stop - start] *= np.triu(
                np.ones((stop - start, stop - start), dtype=bool)
            )  # each pair once
            # Items are ordered by unit: the distances of an item to all items of a unit are one run of columns.
            column_unit = units[start:]
            begins = np.flatnonzero(np.diff(column_unit, prepend=-1))

            def work(
                first: int,
                last: int,
                start: int = start,
                block: NDArray[Any] = block,
                begins: Units = begins,
                begin_unit: Units = column_unit[begins],
            ) -> None:
                rows, part = slice(start + first, start + last), block[first:last]
                squared[rows] = part.sum(axis=1, dtype=np.float64)
                largest[rows] = part.max(axis=1)
                np.sqrt(part, out=part)
                by_unit = np.add.reduceat(part, begins, axis=1, dtype=np.float64)
                product[rows] = np.einsum("ij,ij->i", by_unit, lattice[np.ix_(units[rows], begin_unit)])

            spread(work, len(block))
    return _PairSums(
        pairs=n * (n - 1) // 2,
        squared=float(squared.sum()),
        squared_map=float(count @ lattice**2 @ count) / 2.0,
        product=float(product.sum()),
        largest=float(np.sqrt(largest.max())),
        largest_map=float(lattice.max()),
    )
