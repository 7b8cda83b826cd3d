"""Trustworthiness and neighbourhood preservation: do near items stay near, and are items near on the map alike?

On a map, distances between items are distances between units, so nearly every rank is tied. Here ties in either space
are averaged over all orders that they allow, exactly and in closed form: an item in a tie that straddles the k-th place
is in the neighbourhood with a probability, and a rank in a tie has an expected excess over k.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.measures._arrays import Floats, Units, as_count, as_features, as_matrix, as_units, block_rows
from somscope.measures._pairs import PairDistances
from somscope.measures._ranks import nearest, ragged, ranks
from somscope.measures._threads import row_threads
from somscope.measures._ties import expected_excess, tie_groups

_BYTES_PER_PAIR = 64  # what ranking takes for each distance of a row, beside the distances

__all__ = ["neighbourhood_preservation", "trust_and_preservation", "trustworthiness"]


def trustworthiness(
    features: Any, best: ArrayLike, lattice_distances: ArrayLike, n_neighbours: int = 10
) -> float:
    """How far one may trust that items near each other on the map are alike. 0 to 1; 1 is best.

        M1(k) = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_k(i)} (r(i, j) - k)
    U_k(i): items among the k nearest of i on the map but not in the data; r(i, j): rank of j by distance from i in the
    data. Ties: the expected value over all orders (see the module), Venna & Kaski's treatment.

    features: (n, d) dense, dense with NaN, or CSR. best: (n,) unit of each item. lattice_distances: (K, K) in steps.
    n_neighbours: k, 1 <= k < n / 2. Work O(n^2 (d + log n)), memory O(n d) + about 192 MiB.
    Raises InputError for shapes that do not fit, fewer than 3 items, or k out of range (the message says which).
    Source: Venna & Kaski (2001), "Neighborhood preservation in nonlinear projection methods".
    """
    return _measure(features, best, lattice_distances, n_neighbours, trust=True, keep=False)[0]


def neighbourhood_preservation(
    features: Any, best: ArrayLike, lattice_distances: ArrayLike, n_neighbours: int = 10
) -> float:
    """How far items that are alike stay near each other on the map (also called continuity). 0 to 1; 1 is best.

        M2(k) = 1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in V_k(i)} (s(i, j) - k)
    V_k(i): items among the k nearest of i in the data but not on the map; s(i, j): rank of j by distance from i on the
    map. Ties, arguments, errors and source as in `trustworthiness`.
    """
    return _measure(features, best, lattice_distances, n_neighbours, trust=False, keep=True)[1]


def trust_and_preservation(
    features: Any, best: ArrayLike, lattice_distances: ArrayLike, n_neighbours: int = 10
) -> tuple[float, float]:
    """`trustworthiness` and `neighbourhood_preservation` for little more than the cost of the first."""
    return _measure(features, best, lattice_distances, n_neighbours, trust=True, keep=True)


def _measure(
    features: Any, best: ArrayLike, lattice_distances: ArrayLike, n_neighbours: int, trust: bool, keep: bool
) -> tuple[float, float]:
    x = as_features(features)
    lattice = as_matrix("lattice_distances", lattice_distances)
    units = as_units("best", best, len(lattice), x.shape[0])
    n = x.shape[0]
    if n < 3:
        raise InputError(f"{n} items: trustworthiness and neighbourhood preservation need at least 3")
    k = as_count("n_neighbours", n_neighbours, 1, (n - 1) // 2)
    used, units = np.unique(units, return_inverse=True)
    places = _MapPlaces(units, lattice[np.ix_(used, used)], k)
    distances = PairDistances(x[places.order])
    lost_trust, lost_keep = np.zeros(n), np.zeros(n)
    part = block_rows(_BYTES_PER_PAIR * n)
    with row_threads() as spread:
        for start, block in distances.blocks(spread):
            own = np.arange(len(block))
            block[own, start + own] = -1.0  # itself first, before all ties

            def work(first: int, last: int, start: int = start, block: NDArray[Any] = block) -> None:
                for at in range(first, last, part):
                    end = min(last, at + part)
                    rows, data = np.arange(start + at, start + end), block[at:end]
                    if trust:
                        lost_trust[rows] = places.lost_trust(rows, data)
                    if keep:
                        lost_keep[rows] = places.lost_preservation(rows, data)

            spread(work, len(block))
    scale = 2.0 / (n * k * (2.0 * n - 3.0 * k - 1.0))
    return 1.0 - scale * float(lost_trust.sum()), 1.0 - scale * float(lost_keep.sum())


class _MapPlaces:
    """Everything about ranks on the map; it depends on the units of two items alone. Items are ordered by unit."""

    def __init__(self, units: Units, lattice: Floats, k: int) -> None:
        self.k = k
        self.order = np.argsort(units, kind="stable")
        self.unit = units[self.order]
        self.count = np.bincount(units)
        self.first = np.cumsum(self.count) - self.count
        before, tied = _map_ranks(lattice, self.count)
        # (used, used): chance to be among the k nearest on the map; expected excess of the rank on the map over k
        inside = np.clip((k - before) / np.maximum(tied, 1), 0.0, 1.0)
        self.excess = expected_excess(before, tied, k)
        # Most items share one chance: 0, or on a tiny map that of the fullest unit. Only the others need their ranks.
        n, fullest = len(units), inside[:, int(np.argmax(self.count))]
        shared = (inside == fullest[:, None]) @ self.count > (inside == 0) @ self.count
        self.base = np.where(shared, fullest, 0.0)
        rest = inside - self.base[:, None]
        a, b = np.nonzero(rest)
        self.near, self.chance = b, rest[a, b]
        self.n_near = np.bincount(a, minlength=len(self.count))
        self.near_start = np.cumsum(self.n_near) - self.n_near
        self.total_excess = float((n - 1 - k) * (n - k) / 2)  # sum over all ranks of max(rank - k, 0)

    def lost_trust(self, rows: Units, data: NDArray[Any]) -> Floats:
        """(rows,) sum over the items near on the map of the excess of their rank in the data over k."""
        units = self.unit[rows]
        place, row = ragged(self.near_start[units], self.n_near[units])
        near = self.near[place]
        item, pair = ragged(self.first[near], self.count[near])
        row, chance = row[pair], self.chance[place][pair]
        closer, ties = ranks(data, row, item)
        # The item itself is one of the closer ones; its own excess is 0.
        lost = np.bincount(row, chance * expected_excess(closer - 1, ties, self.k), minlength=len(rows))
        return np.asarray(lost + self.base[units] * self.total_excess)

    def lost_preservation(self, rows: Units, data: NDArray[Any]) -> Floats:
        """(rows,) sum over the k nearest items in the data of the excess of their rank on the map over k."""
        row, item, last = nearest(data, self.k + 1)
        other = item != rows[row]
        row, item, last = row[other], item[other], last[other]
        tied = np.bincount(row, last, minlength=len(rows))
        closer = np.bincount(row, minlength=len(rows)) - tied
        chance = np.where(last, ((self.k - closer) / np.maximum(tied, 1))[row], 1.0)
        excess = chance * self.excess[self.unit[rows][row], self.unit[item]]
        return np.bincount(row, excess, minlength=len(rows)).astype(np.float64)


def _map_ranks(lattice: Floats, count: Units) -> tuple[Units, Units]:
    """(used, used) how many items lie nearer on the map to an item of u than those of v, and how many tie."""
    order, group = tie_groups(lattice)
    itself = np.eye(len(count), dtype=np.int64)  # an item is not its own neighbour
    items = np.broadcast_to(count, lattice.shape) - itself
    ranked = np.take_along_axis(items, order, axis=1)
    tied = np.bincount(group.ravel(), ranked.ravel()).astype(np.int64)
    per_row = int(count.sum()) - 1
    before = np.cumsum(tied) - tied  # running over all rows, each of which holds n - 1
    result = np.empty((2, *lattice.shape), dtype=np.int64)
    np.put_along_axis(result[0], order, before[group] - np.arange(len(count))[:, None] * per_row, axis=1)
    np.put_along_axis(result[1], order, tied[group], axis=1)
    return result[0], result[1]
