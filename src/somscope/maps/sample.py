"""Before a map is made: whether the items can be mapped at all, and a sample of them to choose things from."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from somscope.errors import InputError

__all__ = ["Variety", "refuse_overflow", "refuse_unmappable", "sample_rows", "smallest_keys"]

SAMPLE = 2048  # items that the grid, the plane and the first prototypes are chosen from
_ROWS = 4096  # rows looked at together
_KEYS = 2**20  # row numbers drawn from together
_LARGEST = 1e150  # the square of more is beyond float64 after a few sums


class Variety:
    """Whether items that come block by block make a map: two of them differ, and every column has a value somewhere.

    n_items: how many were seen. different: the row of one that differs from the first, or None.
    """

    def __init__(self) -> None:
        self.n_items = 0
        self.different: int | None = None
        self._first: Any = None
        self._unseen: NDArray[np.bool_] | None = None

    @property
    def enough(self) -> bool:
        """True once nothing that follows can make a difference."""
        return self.different is not None and (self._unseen is None or not self._unseen.any())

    def add(self, block: Any) -> None:
        """Look at (n_b, d) further items, dense or CSR."""
        if self._first is None and block.shape[0]:
            self._first = block[:1].copy()
            self._unseen = None if sparse.issparse(block) else np.ones(block.shape[1], dtype=np.bool_)
        for start in range(0, 0 if self.enough else block.shape[0], _ROWS):
            rows = block[start : start + _ROWS]
            if sparse.issparse(rows):
                change = rows - sparse.csr_matrix(np.ones((rows.shape[0], 1), rows.dtype)) @ self._first
                change.eliminate_zeros()
                found = np.flatnonzero(np.diff(change.indptr))
            else:
                gaps = np.isnan(rows)
                self._unseen &= gaps.all(axis=0)
                change = (rows != self._first) & ~(gaps & np.isnan(self._first))
                found = np.flatnonzero(change.any(axis=1))
            if self.different is None and len(found):
                self.different = self.n_items + start + int(found[0])
            if self.enough:
                break
        self.n_items += block.shape[0]

    def refuse(self) -> int:
        """`different`; InputError for fewer than two items, items that are all equal, and columns without any value."""
        if self.n_items < 2:
            raise InputError(
                f"X has {self.n_items} sample(s), and a map needs at least 2 different items to start from"
            )
        if self._unseen is not None and self._unseen.any():
            empty = np.flatnonzero(self._unseen)
            raise InputError(
                f"column {empty[0]} holds nothing but NaN; leave out {len(empty)} such column(s)"
            )
        if self.different is None:
            raise InputError(
                f"all {self.n_items} items are equal: there is nothing to map; a map starts from at least 2 "
                "different items"
            )
        return self.different


def refuse_unmappable(x: Any) -> int:
    """The first item of (n, d) that differs from item 0; InputError where `Variety.refuse` has one."""
    seen = Variety()
    seen.add(x)
    return seen.refuse()


def smallest_keys(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The 2048 of these row numbers (or all, where there are fewer) with the smallest keys, in ascending order.

    A key is a fixed scramble of the row's number (Steele et al. 2014, SplitMix64), so that the rows are as good as
    drawn at random, whatever order or period the items have, and a stream keeps the same ones without knowing its
    length.
    """
    if len(rows) <= SAMPLE:
        return rows
    keys = (rows.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        keys = (keys ^ (keys >> np.uint64(shift))) * np.uint64(factor)
    keys ^= keys >> np.uint64(31)
    return np.sort(rows[np.argpartition(keys, SAMPLE - 1)[:SAMPLE]])


def sample_rows(n: int, different: int = 0) -> NDArray[np.int64]:
    """Rows of a sample of n items: all, or 2048 of them with the first and one that differs from it."""
    rows = np.arange(0)
    for start in range(0, n, _KEYS):
        rows = smallest_keys(np.concatenate([rows, np.arange(start, min(n, start + _KEYS))]))
    return np.union1d(rows, [0, different])


def refuse_overflow(sample: Any) -> None:
    """InputError for a sample of items, dense or sparse, whose squares cannot be summed in float64."""
    values = sample.data if sparse.issparse(sample) else sample
    largest = max(
        float(np.fmax.reduce(values, axis=None, initial=0.0)),
        -float(np.fmin.reduce(values, axis=None, initial=0.0)),
    )
    if largest > _LARGEST:
        raise InputError(
            f"X has values up to {largest:.3g}, whose squares overflow; scale them to {_LARGEST:g} or less"
        )
