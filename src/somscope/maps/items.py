"""The items that a map is trained on, in whatever form they come: dense, with gaps, sparse, or block by block.

All forms answer the same two questions: which unit is nearest to each item, and what do the items of each unit sum to.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from somscope.errors import InputError, check_choice
from somscope.maps import kernels
from somscope.maps.basis import Basis, find_basis
from somscope.maps.search import BoundedSearch, Recall
from somscope.maps.threads import cuts, over_ranges, parts

__all__ = ["METRICS", "DenseItems", "Items", "SparseItems", "count_gaps", "normalised"]

METRICS = ("euclidean", "cosine", "manhattan")
_ONE_SEARCH = 96  # features above which as many directions pay for a single search as for a training
_MANY = 4096  # items from which a few directions pay below that
_SAMPLE = 2048  # items that the basis of the search is found from

Units = NDArray[np.int32]
Floats = NDArray[np.float64]


class Items(Protocol):
    """n items with d features."""

    n_items: int
    n_features: int

    def nearest(self, prototypes: NDArray[np.floating], second: bool = False) -> tuple[Units, Floats]:
        """units (n, 1 or 2) and their distances (n, 1 or 2) for prototypes (K, d)."""
        ...

    def totals(self, units: Units, n_units: int) -> tuple[Floats, Floats]:
        """Weighted sums (K, d) of the items of each unit, and their weight (K, 1), or (K, d) where items have gaps."""
        ...

    def take(self, rows: NDArray[np.integer]) -> Items:
        """Some of the items, as items of the same kind."""
        ...


def count_gaps(x: NDArray[np.floating]) -> tuple[int, int, tuple[int, int]]:
    """How many NaNs and infinities are in (n, d), and where one infinity lies."""
    found: list[NDArray[np.int64]] = []

    def count(lo: int, hi: int) -> None:
        own = np.zeros(4, np.int64)
        kernels.count_gaps(x, lo, hi, own)
        found.append(own)

    over_ranges(count, cuts(len(x), parts(float(x.size))))
    table = np.stack(found)
    where = table[int(np.argmax(table[:, 1])), 2:]
    return int(table[:, 0].sum()), int(table[:, 1].sum()), (int(where[0]), int(where[1]))


def normalised(rows: NDArray[np.floating]) -> NDArray[np.floating]:
    """Rows divided by their Euclidean norm; rows of zeros stay."""
    norms = np.sqrt(np.sum(np.square(rows, dtype=np.float64), axis=1, keepdims=True))
    return np.asarray(rows / np.where(norms > 0, norms, 1.0), dtype=rows.dtype)


class DenseItems:
    """x: (n, d) float32 or float64, C-contiguous; NaN marks a missing value.

    metric: "euclidean" sqrt(sum w (x - m)^2), "cosine" 1 - x.m / |x||m| (w inside the products), "manhattan"
    sum w |x - m|. feature_weights: (d,) w >= 0; sample_weight: (n,) >= 0. basis: where the search looks; by
    default where the first prototypes differ, which is best for one search. Training, whose prototypes change, sets it
    by `find_basis`. recall: of the search, to be given to one of the same items that are read again.
    Raises InputError for missing values under the cosine distance, which has no partial form.
    """

    def __init__(
        self,
        x: NDArray[np.floating],
        metric: str = "euclidean",
        feature_weights: Floats | None = None,
        sample_weight: Floats | None = None,
        missing: bool = False,
        basis: Basis | None = None,
    ) -> None:
        check_choice("metric", metric, METRICS)
        if missing and metric == "cosine":
            raise InputError(
                "metric='cosine' cannot take missing values (NaN); use 'euclidean' or 'manhattan', or impute them first"
            )
        self.x, self.metric, self.missing = x, metric, missing
        self.n_items, self.n_features = x.shape
        self.feature_weights, self.sample_weight = feature_weights, sample_weight
        self.basis = basis
        self._column_scale = None if feature_weights is None else np.sqrt(feature_weights)
        self._row_scale: Floats | None = None
        if metric == "cosine":
            scaled = x if self._column_scale is None else x * self._column_scale
            norms = np.sqrt(np.einsum("ij,ij->i", scaled, scaled, dtype=np.float64))
            self._row_scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)
        self._search: BoundedSearch | None = None
        self.recall: Recall | None = None

    @property
    def bounded(self) -> bool:
        """True where the lower bound of `search.py` applies; otherwise every prototype is measured."""
        return not self.missing and self.metric != "manhattan"

    def nearest(self, prototypes: NDArray[np.floating], second: bool = False) -> tuple[Units, Floats]:
        if not self.bounded:
            return self._nearest_any(prototypes, second)
        shaped = prototypes if self._column_scale is None else prototypes * self._column_scale
        if self.metric == "cosine":
            shaped = normalised(shaped)
        if self._search is None:
            if self.basis is None:  # where the prototypes differ is where they are best told apart
                n_units = len(shaped)
                if self.n_features <= _ONE_SEARCH:  # a single search: the fewest directions, or none
                    n_units = min(n_units, 64) if self.n_items >= _MANY else 0
                self.basis = find_basis(shaped, shaped.mean(axis=0, dtype=np.float64), n_units)
            self._search = BoundedSearch(self.x, self.basis, self._row_scale, self._column_scale, self.recall)
            self.recall = self._search.recall
        units, squared = self._search(shaped, second)
        return units, squared / 2.0 if self.metric == "cosine" else np.sqrt(squared)

    def _nearest_any(self, prototypes: NDArray[np.floating], second: bool) -> tuple[Units, Floats]:
        weights = np.ones(self.n_features) if self.feature_weights is None else self.feature_weights
        manhattan = self.metric == "manhattan"
        units = np.empty((self.n_items, 2 if second else 1), np.int32)
        distances = np.empty(units.shape)
        own = np.ascontiguousarray(prototypes, dtype=self.x.dtype)

        def measure(lo: int, hi: int) -> None:
            kernels.nearest_any(self.x, own, weights, manhattan, second, lo, hi, units, distances)

        over_ranges(measure, cuts(self.n_items, parts(float(self.n_items) * own.size)))
        return units, distances if manhattan else np.sqrt(distances)

    def find_basis(self, n_units: int) -> Basis:
        """The basis of these items (of 2048 of them, evenly spread), as the search sees them."""
        rows = np.unique(np.linspace(0, self.n_items - 1, _SAMPLE).astype(np.int64))
        sample = self.x[rows].astype(np.float64)
        if self._row_scale is not None:
            sample *= self._row_scale[rows, None]
        if self._column_scale is not None:
            sample *= self._column_scale
        return find_basis(sample, sample.mean(axis=0), n_units)

    def totals(self, units: Units, n_units: int) -> tuple[Floats, Floats]:
        weights = self.sample_weight
        if self._row_scale is not None:  # cosine: the mean direction, not the mean
            weights = self._row_scale if weights is None else weights * self._row_scale
        order, starts = ordered(units, n_units)
        sums = np.zeros((n_units, self.n_features))
        totals = np.zeros((n_units, self.n_features if self.missing else 1))

        def add(lo: int, hi: int) -> None:
            kernels.sum_by_unit(self.x, weights, order, starts, self.missing, sums, totals, lo, hi)

        over_ranges(add, unit_cuts(starts, self.n_features))
        return sums, totals

    def take(self, rows: NDArray[np.integer]) -> DenseItems:
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        return DenseItems(self.x[rows], self.metric, self.feature_weights, weights, self.missing, self.basis)


class SparseItems:
    """x: (n, d) CSR matrix; never made dense. metric "euclidean" or "cosine"; the rest as in DenseItems."""

    def __init__(
        self,
        x: sparse.csr_matrix,
        metric: str = "euclidean",
        feature_weights: Floats | None = None,
        sample_weight: Floats | None = None,
    ) -> None:
        check_choice("metric", metric, METRICS)
        if metric == "manhattan":
            raise InputError(
                "metric='manhattan' needs a dense array; a sparse matrix takes 'euclidean' or 'cosine'"
            )
        self.x, self.metric, self.sample_weight = x, metric, sample_weight
        self.n_items, self.n_features = x.shape
        self._weights = np.ones(self.n_features) if feature_weights is None else feature_weights
        self._row_scale = np.ones(self.n_items)
        if metric == "cosine":
            norms = np.sqrt(np.asarray(x.power(2) @ self._weights, dtype=np.float64))
            self._row_scale = np.divide(1.0, norms, out=np.zeros_like(norms), where=norms > 0)

    def nearest(self, prototypes: NDArray[np.floating], second: bool = False) -> tuple[Units, Floats]:
        own = np.asarray(prototypes, dtype=np.float64)
        if self.metric == "cosine":
            own = normalised(own * np.sqrt(self._weights)) / np.where(
                self._weights > 0, np.sqrt(self._weights), 1.0
            )
        transposed = np.ascontiguousarray((own * self._weights).T)
        norms = np.sum(own * own * self._weights, axis=1)
        units = np.empty((self.n_items, 2 if second else 1), np.int32)
        squared = np.empty(units.shape)

        def measure(lo: int, hi: int) -> None:
            kernels.nearest_sparse(
                self.x.indptr, self.x.indices, self.x.data, self._row_scale, self._weights, transposed, norms,
                second, lo, hi, units, squared,
            )  # fmt: skip

        over_ranges(measure, cuts(self.n_items, parts(float(self.n_items) * own.size)))
        return units, squared / 2.0 if self.metric == "cosine" else np.sqrt(squared)

    def totals(self, units: Units, n_units: int) -> tuple[Floats, Floats]:
        weights = self._row_scale if self.sample_weight is None else self._row_scale * self.sample_weight
        order, starts = ordered(units, n_units)
        sums = np.zeros((n_units, self.n_features))
        totals = np.zeros((n_units, 1))

        def add(lo: int, hi: int) -> None:
            kernels.sum_sparse_by_unit(
                self.x.indptr, self.x.indices, self.x.data, weights, order, starts, sums, totals, lo, hi
            )

        over_ranges(add, unit_cuts(starts, self.n_features))
        return sums, totals

    def take(self, rows: NDArray[np.integer]) -> SparseItems:
        weights = None if self.sample_weight is None else self.sample_weight[rows]
        return SparseItems(self.x[rows], self.metric, self._weights, weights)


def ordered(units: Units, n_units: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items in the order of their unit, and where each unit's begin; units: (n, 1 or 2), the first column counts."""
    order = np.empty(len(units), np.int64)
    starts = np.empty(n_units + 1, np.int64)
    kernels.order_by_unit(np.ascontiguousarray(units[:, 0]), n_units, order, starts)
    return order, starts


def unit_cuts(starts: NDArray[np.int64], n_features: int) -> list[int]:
    """Ranges of units that hold about as many items each."""
    inner = np.linspace(0, starts[-1], parts(4.0 * starts[-1] * n_features) + 1)[1:-1]
    return [int(c) for c in np.unique([0, *np.searchsorted(starts, inner), len(starts) - 1])]
