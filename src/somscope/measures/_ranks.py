"""Exact ranks and nearest neighbours from rows of distances, without sorting whole rows.

To rank a few entries of a row, only the part of the row up to the largest of them has to be in order; to find its k
nearest, only the part below the k-th nearest of some of its entries, which lies above the k-th nearest of all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.measures._arrays import Units

_STRIDE = 16  # every so manieth entry of a row is looked at for a first bound of its k nearest

__all__ = ["nearest", "ragged", "ranks"]


def ranks(distances: NDArray[Any], row: Units, column: Units) -> tuple[Units, Units]:
    """For each entry asked for, how many entries of its row are smaller, and how many equal it, itself included.

    distances: (rows, n). row: (m,) ascending. column: (m,).
    """
    values = distances[row, column]
    smaller, equal = np.empty(len(row), dtype=np.int64), np.ones(len(row), dtype=np.int64)
    ends = np.cumsum(np.bincount(row, minlength=len(distances))).tolist()
    start = 0
    for line, end in zip(distances, ends, strict=True):
        if end > start:
            order = values[start:end].argsort()  # a search in order starts where the one before it ended
            asked = values[start:end][order]
            ranked = line.compress(line <= asked[-1])
            ranked.sort()
            below = ranked.searchsorted(asked)
            tied = (ranked.take(below + 1, mode="clip") == asked).nonzero()[0]
            smaller[start:end][order] = below
            equal[start:end][order[tied]] = ranked.searchsorted(asked[tied], "right") - below[tied]
        start = end
    return smaller, equal


def nearest(distances: NDArray[Any], k: int) -> tuple[Units, Units, NDArray[np.bool_]]:
    """Row and column of all entries up to the k-th smallest of their row (more than k where that is tied).

    distances: (rows, n). The third array is True for those equal to the k-th smallest.
    """
    stride = max(1, min(_STRIDE, distances.shape[1] // (4 * k)))
    columns, last = [], []
    for line in distances:
        below = (line <= np.partition(line[::stride], k - 1)[k - 1]).nonzero()[0]
        values = line[below]
        limit = np.partition(values, k - 1)[k - 1]
        columns.append(below[values <= limit])
        last.append(line[columns[-1]] == limit)
    rows = np.repeat(np.arange(len(distances)), [len(column) for column in columns])
    return rows, np.concatenate(columns), np.concatenate(last)


def ragged(start: Units, length: Units) -> tuple[Units, Units]:
    """Concatenated ranges start[i]..start[i] + length[i] - 1, and the i of each entry."""
    owner = np.repeat(np.arange(len(length)), length)
    offset = np.cumsum(length) - length
    return np.arange(len(owner)) - (offset - start)[owner], owner
