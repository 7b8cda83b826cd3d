"""Ties in a ranking, treated as the average over every order that the ties allow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.measures._arrays import Floats, Units

_TOLERANCE = (
    1e-9  # values closer than this times the largest of the row are one tie: rounding must not break it
)


def tie_groups(values: Floats) -> tuple[Units, Units]:
    """Order each row ascending and number its runs of equal values.

    values: (m, K) >= 0. Returns the order (m, K) and the run (m, K) of each place in that order; runs are numbered
    on from row to row.
    """
    order = np.argsort(values, axis=1, kind="stable")
    ranked = np.take_along_axis(values, order, axis=1)
    starts = np.ones(values.shape, dtype=bool)
    starts[:, 1:] = np.diff(ranked, axis=1) > _TOLERANCE * ranked[:, -1:]
    return order, np.cumsum(starts.ravel()).reshape(values.shape) - 1


def mean_over_ties(values: Floats, group: Units) -> Floats:
    """Replace each value by the mean of its run: the expected value at that place when ties fall in random order."""
    total = np.bincount(group.ravel(), values.ravel())
    return np.asarray((total / np.bincount(group.ravel()))[group])


def expected_excess(before: NDArray[Any], tied: NDArray[Any], k: int) -> Floats:
    """Expected max(rank - k, 0) of an item that has `before` items ahead and is one of `tied` in a tie.

    Its rank is before + 1 ... before + tied, each as likely. 0 where tied is 0.
    """
    before, tied = np.asarray(before, dtype=np.float64), np.asarray(tied, dtype=np.float64)
    last = before + tied - k  # excess of the last rank of the tie
    beyond = np.clip(last, 0.0, tied)  # how many ranks of the tie lie beyond k
    return np.asarray((beyond * last - beyond * (beyond - 1.0) / 2.0) / np.maximum(tied, 1.0))
