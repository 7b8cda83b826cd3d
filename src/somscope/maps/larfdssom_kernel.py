"""The inner loop of LARFDSSOM, compiled: one item after the other, as published."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.maps.compiled import compiled

__all__ = ["larfdssom_steps"]

Floats = NDArray[Any]
_UNITS, _SEEN = 0, 1  # places in `counts`


@compiled(nogil=True, fastmath={"reassoc", "contract"})
def _sum(values: Floats) -> float:
    total = 0.0
    for i in range(len(values)):
        total += values[i]
    return total


@compiled(nogil=True, fastmath={"reassoc", "contract"})
def _weighted_distance(x: Floats, centre: Floats, relevance: Floats) -> float:
    total = 0.0
    for i in range(len(x)):
        apart = x[i] - centre[i]
        total += relevance[i] * apart * apart
    return total


@compiled(nogil=True)
def _connect(
    first: int, last: int, relevances: Floats, near: NDArray[np.bool_], n_units: int, within: float
) -> None:
    """Whose relevances are alike: units first .. last - 1 with all others."""
    for j in range(first, last):
        near[j, j] = False
        for k in range(n_units):
            if k != j:
                squared = 0.0
                for i in range(relevances.shape[1]):
                    squared += (relevances[j, i] - relevances[k, i]) ** 2
                near[j, k] = near[k, j] = np.sqrt(squared) < within


@compiled(nogil=True)
def _move(
    x: Floats, centre: Floats, relevance: Floats, distance: Floats, rate: float, beta: float, slope: float
) -> None:
    """d, then w from it, then c, as in the formulas of `larfdssom`."""
    m = len(x)
    least, most, mean = np.inf, -np.inf, 0.0
    for i in range(m):
        distance[i] += beta * rate * (abs(x[i] - centre[i]) - distance[i])
        least, most = min(least, distance[i]), max(most, distance[i])
        mean += distance[i] / m
    for i in range(m):
        if most > least:
            relevance[i] = 1.0 / (1.0 + np.exp((distance[i] - mean) / (slope * (most - least))))
        else:
            relevance[i] = 1.0
        centre[i] += rate * (x[i] - centre[i])


@compiled(nogil=True)
def _remove_losers(
    centres: Floats,
    relevances: Floats,
    distances: Floats,
    wins: NDArray[np.float64],
    n_units: int,
    least: float,
) -> int:
    """Keep the units of so many wins, at least the best one, in their order; all begin again with none."""
    best = np.argmax(wins[:n_units])
    kept = 0
    for j in range(n_units):
        if wins[j] >= least or (j == best and wins[j] < least):
            centres[kept], relevances[kept], distances[kept] = centres[j], relevances[j], distances[j]
            kept += 1
    wins[:] = 0.0
    return kept


@compiled(nogil=True)
def larfdssom_steps(
    x: Floats,
    order: NDArray[np.int64],
    centres: Floats,
    relevances: Floats,
    distances: Floats,
    sums: NDArray[np.float64],
    wins: NDArray[np.float64],
    near: NDArray[np.bool_],
    counts: NDArray[np.int64],
    max_units: int,
    threshold: float,
    rates: tuple[float, float],
    beta: float,
    slope: float,
    within: float,
    age_wins: int,
    lp: float,
    epsilon: float,
) -> int:
    """Show the items x[order] to the map, which is in the first counts[0] rows of the arrays; how many lay below the
    threshold. counts[1]: competitions since units were last removed. sums: (M,) of the relevances."""
    below = 0
    for row in order:
        n_units = counts[_UNITS]
        counts[_SEEN] += 1
        item = x[row]
        best, winner = -1.0, 0
        for j in range(n_units):
            active = sums[j] / (sums[j] + _weighted_distance(item, centres[j], relevances[j]) + epsilon)
            if active > best:
                best, winner = active, j
        if best < threshold:
            below += 1
            if n_units < max_units:
                centres[n_units], relevances[n_units], distances[n_units] = item, 1.0, 0.0
                sums[n_units] = x.shape[1]
                wins[n_units] = lp * counts[_SEEN]
                counts[_UNITS] += 1
                _connect(n_units, n_units + 1, relevances, near, n_units + 1, within)
        else:
            wins[winner] += 1.0
            for j in range(n_units):
                if j == winner or near[winner, j]:
                    rate = rates[0] if j == winner else rates[1]
                    _move(item, centres[j], relevances[j], distances[j], rate, beta, slope)
                    sums[j] = _sum(relevances[j])
        if counts[_SEEN] >= age_wins:
            counts[_UNITS] = _remove_losers(
                centres, relevances, distances, wins, counts[_UNITS], lp * counts[_SEEN]
            )
            for j in range(counts[_UNITS]):
                sums[j] = _sum(relevances[j])
            _connect(0, counts[_UNITS], relevances, near, counts[_UNITS], within)
            counts[_SEEN] = 0
    return below
