"""Distances between all items, a block of rows at a time, so that nothing of size n x n is ever held."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from somscope.errors import InputError
from somscope.measures._arrays import Features, block_rows, has_missing
from somscope.measures._threads import SpreadRows

_HELD_BYTES = 128 * 2**20  # of distances that are kept for the rows to come
_EXACT_ITEMS = 2048  # up to here float64; above, float32 (relative error of a squared distance about 1e-6)
_GRID = (
    2.0**-38
)  # float64: squared distances are rounded to this share of the largest norm, so that ties stay ties


class PairDistances:
    """Squared Euclidean distances between n items.

    float64 for at most 2,048 items and float32 above. Dense items are centred first (distances do not change, rounding
    errors shrink). NaN: partial distances, the squared distance over the features that both items have, times
    d / (their number); two items with no feature in common get the mean squared distance of the data, sum_f 2 var_f.
    """

    def __init__(self, features: Features) -> None:
        self.n_items, self.n_features = features.shape
        self.dtype: Any = np.float64 if self.n_items <= _EXACT_ITEMS else np.float32
        self.missing = has_missing(features)
        self._columns: Any
        if sparse.issparse(features):
            self._rows = sparse.csr_array(features, dtype=self.dtype)
            self._columns = sparse.csr_array(self._rows.T)
            self._norms = np.asarray(self._rows.multiply(self._rows).sum(axis=1)).ravel()
            return
        if self.missing:
            self._prepare_missing(features)
            return
        self._rows = _centred(np.asarray(features), self.dtype)
        self._columns = self._rows.T
        self._norms = np.einsum("ij,ij->i", self._rows, self._rows)

    def _prepare_missing(self, features: Features) -> None:
        rows = features.astype(self.dtype)
        observed = ~np.isnan(rows)
        if not observed.any(axis=1).all():
            raise InputError(f"item {int(np.argmin(observed.any(axis=1)))} has no observed feature (all NaN)")
        count = np.maximum(observed.sum(axis=0), 1)
        rows -= (np.where(observed, rows, 0).sum(axis=0, dtype=np.float64) / count).astype(self.dtype)
        rows[~observed] = 0.0
        self._rows, self._observed = rows, observed.astype(self.dtype)
        self._mean_squared = 2.0 * float(((rows**2).sum(axis=0, dtype=np.float64) / count).sum())

    def block_rows(self) -> int:
        """How many rows make one block."""
        return block_rows(self.n_items * np.dtype(self.dtype).itemsize)

    def blocks(self, spread: SpreadRows) -> Iterator[tuple[int, NDArray[Any]]]:
        """Blocks of all distances in order: the first item of a block, and its (rows, n) distances to all items.

        The distance from i to j is that from j to i, and is computed once: the part of a block that belongs to later
        rows too is kept for them, as far as `_HELD_BYTES` reach (all of it up to about 11,000 items in float32).
        spread: of `row_threads`, for what the matrix product leaves to do. A block is overwritten by the next.
        """
        starts = range(0, self.n_items, self.block_rows())
        ahead = _tiles_ahead(len(starts), self.block_rows() ** 2 * np.dtype(self.dtype).itemsize)
        tiles: dict[tuple[int, int], NDArray[Any]] = {}
        for here, start in enumerate(starts):
            stop = min(self.n_items, start + starts.step)
            block = np.empty((stop - start, self.n_items), dtype=self.dtype)
            unknown = max(0, here - ahead) * starts.step
            if unknown:
                block[:, :unknown] = self._products(slice(start, stop), slice(0, unknown))
            for before in range(max(0, here - ahead), here):
                block[:, starts[before] : starts[before] + starts.step] = tiles.pop((before, here)).T
            block[:, start:] = self._products(slice(start, stop), slice(start, None))
            for later in range(here + 1, min(len(starts), here + ahead + 1)):
                tiles[here, later] = block[:, starts[later] : starts[later] + starts.step].copy()
            self._finish(block, start, 0, spread)
            yield start, block

    def block(self, start: int, stop: int, spread: SpreadRows, first: int = 0) -> NDArray[Any]:
        """(stop - start, n - first) squared distances of items start..stop-1 to items first..n-1, 0 to themselves.

        spread: of `row_threads`, for what the matrix product leaves to do.
        """
        squared = self._products(slice(start, stop), slice(first, None))
        self._finish(squared, start, first, spread)
        return squared

    def _products(self, rows: slice, columns: slice) -> NDArray[Any]:
        """-2 times the inner products, which `_finish` makes distances (where values are missing, the distances)."""
        if self.missing:
            return self._missing_block(rows, columns)
        if sparse.issparse(self._rows):
            return np.asarray(((-2.0 * self._rows[rows]) @ self._columns[:, columns]).toarray())
        return np.asarray((-2.0 * self._rows[rows]) @ self._columns[:, columns])

    def _finish(self, squared: NDArray[Any], start: int, first: int, spread: SpreadRows) -> None:
        def finish(begin: int, end: int) -> None:
            part = squared[begin:end]
            if not self.missing:
                part += self._norms[first:]
                part += self._norms[start + begin : start + end, None]
            if self.dtype is np.float64:
                self._snap(part)
            np.maximum(part, 0.0, out=part)

        spread(finish, len(squared))
        diagonal = np.arange(max(start, first), start + len(squared))
        squared[diagonal - start, diagonal - first] = 0.0

    def _missing_block(self, rows: slice, columns: slice) -> NDArray[Any]:
        a, b = self._rows[rows], self._rows[columns]
        has_a, has_b = self._observed[rows], self._observed[columns]
        squared = (a * a) @ has_b.T + has_a @ (b * b).T - 2.0 * (a @ b.T)
        common = has_a @ has_b.T
        squared *= self.n_features / np.maximum(common, 1)
        squared[common == 0] = self._mean_squared
        return np.asarray(squared)

    def _snap(self, squared: NDArray[Any]) -> None:
        largest = self._mean_squared if self.missing else float(self._norms.max())
        grid = largest * _GRID
        if grid > 0:
            np.rint(squared / grid, out=squared)
            squared *= grid


def _tiles_ahead(blocks: int, tile_bytes: int) -> int:
    """For how many of the blocks to come a block may keep its distances, when so many bytes make one tile of two."""
    room = _HELD_BYTES // tile_bytes
    if (blocks // 2) * (blocks - blocks // 2) <= room:  # the most that are held, after half of the blocks
        return blocks
    return (math.isqrt(8 * room + 1) - 1) // 2  # w blocks ahead hold w (w + 1) / 2 tiles at a time


def _centred(features: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """(n, d) the items less their mean, subtracted in float64; small whole numbers stay, being exact."""
    if _small_whole_numbers(features):
        return np.ascontiguousarray(features, dtype=dtype)
    middle = features.mean(axis=0, dtype=np.float64)
    rows = np.empty(features.shape, dtype=dtype)
    step = block_rows(8 * features.shape[1])
    for start in range(0, len(rows), step):
        rows[start : start + step] = features[start : start + step] - middle
    return rows


def _small_whole_numbers(features: NDArray[Any]) -> bool:
    """Whether float32 holds every squared distance exactly, so that ties among counts or bits stay ties."""
    largest = max(abs(float(features.max())), abs(float(features.min())))
    if largest**2 * features.shape[1] * 4 >= 2**24:
        return False
    step = block_rows(8 * features.shape[1])
    parts = (features[start : start + step] for start in range(0, len(features), step))
    return all(bool((part == np.rint(part)).all()) for part in parts)
