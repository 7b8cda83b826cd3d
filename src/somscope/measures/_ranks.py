"""Exact ranks and nearest neighbours from rows of distances, without sorting the rows in full where that can be helped.

NumPy sorts 16-bit integers many times faster than floats (radix sort). So each row is first ordered by its distances
rounded down to 65,536 levels; a level holds one or two of them, and only within a level are the distances themselves
compared. Where levels are crowded (many equal distances) the rows are sorted in full. Both ways give the same ranks.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.measures._arrays import Units

_LEVELS = np.float32(65534)  # rounding may add a little, and 65535 is the last
_CROWDED = 8  # distances to compare per rank asked for, above which a full sort is cheaper


class RankedRows:
    """Ranks within rows of distances (rows, n) >= 0, or < 0 for an entry that must come first."""

    def __init__(self, distances: NDArray[Any]) -> None:
        self.distances = distances
        self.n = distances.shape[1]
        self.level = _levels(distances)
        self.order = np.argsort(self.level, axis=1, kind="stable")
        self.ranked_level = np.sort(self.level, axis=1, kind="stable")

    def ranks(self, row: Units, column: Units) -> tuple[Units, Units]:
        """For each entry asked for, how many entries of its row are smaller, and how many equal it, itself included."""
        values, level = self.distances[row, column], self.level[row, column]
        levels, base = self.ranked_level.ravel(), row * self.n
        smaller, equal = self._first_of_level(row, column, level), np.ones(len(row), dtype=np.int64)
        after = levels[base + np.minimum(smaller + 1, self.n - 1)] == level
        shared = np.flatnonzero(after & (smaller < self.n - 1))
        if not len(shared):
            return smaller, equal
        first = smaller[shared]
        past = count_below(levels, base[shared], self.n, level[shared].astype(np.int32) + 1)
        if (past - first).sum() > _CROWDED * len(row):
            return self._sorted_ranks(base, values)
        at, owner = ragged(base[shared] + first, past - first)
        there = self.distances.ravel()[self.order.ravel()[at] + base[shared][owner]]
        mine = values[shared][owner]
        smaller[shared] = first + np.bincount(owner, there < mine, minlength=len(shared)).astype(np.int64)
        equal[shared] = np.bincount(owner, there == mine, minlength=len(shared))
        return smaller, equal

    def _first_of_level(self, row: Units, column: Units, level: NDArray[np.uint16]) -> Units:
        """How many entries of the row have a lower level: by binary search, or for many at once from a full table."""
        levels, base = self.ranked_level.ravel(), row * self.n
        if len(row) * 16 < self.level.size:
            return count_below(levels, base, self.n, level)
        place = np.arange(self.n, dtype=np.int32)
        starts = np.ones(self.level.shape, dtype=bool)
        np.not_equal(self.ranked_level[:, 1:], self.ranked_level[:, :-1], out=starts[:, 1:])
        first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
        table = np.empty(self.level.shape, dtype=np.int32)
        np.put_along_axis(table, self.order, first, axis=1)
        return table[row, column].astype(np.int64)

    def _sorted_ranks(self, base: Units, values: NDArray[Any]) -> tuple[Units, Units]:
        flat = np.sort(self.distances, axis=1).ravel()
        smaller, equal = count_below(flat, base, self.n, values), np.ones(len(values), dtype=np.int64)
        tied = flat[base + np.minimum(smaller + 1, self.n - 1)] == values
        tied &= smaller < self.n - 1
        upper = np.nextafter(values[tied], np.array(np.inf, dtype=values.dtype))
        equal[tied] = count_below(flat, base[tied], self.n, upper) - smaller[tied]
        return smaller, equal

    def nearest(self, k: int) -> tuple[Units, Units, NDArray[np.bool_]]:
        """Row and column of all entries up to the k-th smallest of their row (more than k where that is tied).

        The third array is True for those equal to the k-th smallest.
        """
        cut = self.ranked_level[:, k - 1].astype(np.int32)
        width = int((self.ranked_level <= cut[:, None]).sum(axis=1).max())
        column = self.order[:, :width]
        head = np.take_along_axis(self.distances, column, axis=1)
        limit = np.partition(head, k - 1, axis=1)[:, k - 1]
        row, place = np.nonzero(head <= limit[:, None])
        return row, column[row, place], head[row, place] == limit[row]


def _levels(distances: NDArray[Any]) -> NDArray[np.uint16]:
    """Each row rounded down to 16 bits; far outliers share the last level, so that they do not crowd the others."""
    few = distances[:, :: max(1, distances.shape[1] // 64)]
    top = 8.0 * np.median(few, axis=1, keepdims=True)
    if not (top > 0).all():
        top = np.where(
            top > 0, top, np.maximum(distances.max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        )
    top = top.astype(distances.dtype)
    scaled = np.clip(distances, 0, top)
    scaled /= top
    scaled *= _LEVELS
    return np.asarray(scaled.astype(np.uint16))


def ragged(start: Units, length: Units) -> tuple[Units, Units]:
    """Concatenated ranges start[i]..start[i] + length[i] - 1, and the i of each entry."""
    owner = np.repeat(np.arange(len(length)), length)
    offset = np.cumsum(length) - length
    return np.arange(len(owner)) - (offset - start)[owner], owner


def count_below(flat: NDArray[Any], base: Units, n: int, values: NDArray[Any]) -> Units:
    """For each value, how many of the n ascending numbers flat[base : base + n] are below it (binary search)."""
    below = np.zeros(len(values), dtype=np.int64)
    step = 1 << (n.bit_length() - 1)
    while step:
        probe = below + step
        fits = probe <= n
        smaller = flat[base + np.where(fits, probe, 1) - 1] < values
        below = np.where(fits & smaller, probe, below)
        step >>= 1
    return below
