"""How well binary codes find items of the same label, with ties counted as the mean over every order they allow.

Items at the same Hamming distance have no order of their own: a list that is sorted by distance leaves t! orders to a
group of t. What is measured here is the exact mean over all of them, from two histograms of each query: how many items
lie at each distance, and how many of them are relevant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

from somscope.errors import InputError
from somscope.measures._arrays import Floats, block_rows

__all__ = [
    "DistanceCounts",
    "average_precision",
    "distance_counts",
    "grouped_average_precision",
    "precision_at",
]

_PAIRS = 2**20  # pairs of items that are compared at once
_Counts = NDArray[np.int64]


class DistanceCounts(NamedTuple):
    """Of each of m queries, by the Hamming distance 0 ... K: items (m, K + 1), and those of them that are relevant."""

    items: _Counts
    relevant: _Counts


class _Cut(NamedTuple):
    """The list of each query up to place k: whole groups of ties, and one that k cuts."""

    whole: NDArray[np.bool_]  # (m, D) groups that lie before place k
    before: _Counts  # (m, D) items ahead of each group
    hits: _Counts  # (m, D) relevant ones ahead of each group
    tied: _Counts  # (m,) items of the group that is cut
    good: _Counts  # (m,) relevant ones of them
    places: _Counts  # (m,) places that it has
    first: _Counts  # (m,) items ahead of it
    found: _Counts  # (m,) relevant ones ahead of it


def distance_counts(
    queries: ArrayLike, database: ArrayLike, query_labels: ArrayLike, database_labels: ArrayLike
) -> DistanceCounts:
    """Compare packed codes (m, w) and (n, w) uint8; an item is relevant to a query if their labels are equal.

    Raises InputError for codes that are not packed bytes of one width, and labels of another number than the codes.
    """
    q, x = _as_codes(queries, "queries"), _as_codes(database, "database")
    a, b = np.asarray(query_labels), np.asarray(database_labels)
    if q.shape[1] != x.shape[1]:
        raise InputError(f"queries have {q.shape[1]} bytes each and the database {x.shape[1]}")
    if a.shape != (len(q),) or b.shape != (len(x),):
        raise InputError(f"labels of shapes {a.shape} and {b.shape} for {len(q)} queries and {len(x)} items")
    bits = 8 * q.shape[1]
    ours, theirs = _signs(q), _signs(x)
    counts = np.empty((len(q), bits + 1, 2), dtype=np.int64)
    rows = max(1, _PAIRS // len(x))
    for start in range(0, len(q), rows):
        part = slice(start, start + rows)
        # bits - product is twice the distance; a relevant item counts one place further on.
        bins = (bits - ours[part] @ theirs.T).astype(np.int64)
        bins += a[part, None] == b
        bins += 2 * (bits + 1) * np.arange(len(bins))[:, None]
        counts[part] = np.bincount(bins.ravel(), minlength=counts[part].size).reshape(-1, bits + 1, 2)
    return DistanceCounts(counts.sum(axis=2), counts[:, :, 1])


def precision_at(counts: DistanceCounts, k: int) -> Floats:
    """(m,) expected share of relevant items among the first k. Raises InputError for k outside 1 to n."""
    cut = _cut(counts, k)
    return np.asarray((cut.found + cut.places * cut.good / np.maximum(cut.tied, 1)) / k)


def average_precision(counts: DistanceCounts, k: int | None = None) -> Floats:
    """(m,) expected AP@k = 1 / H sum_{i <= k, item i relevant} (relevant ones among the first i) / i, with H the
    relevant items among the first k (0 where there are none); its mean is mAP@k. k None: all items.

    The divisor H, hits found rather than min(k, R), is that of the field's codes (Bi-half, CIBHash, GreedyHash); it is
    random, too, where k cuts a group of ties, and the mean is over both.
    Raises InputError for k outside 1 to n.
    """
    cut = _cut(counts, k)
    inside = np.where(cut.whole, counts.items, 0)
    total = tied_sum(inside, np.where(cut.whole, counts.relevant, 0), cut.before, cut.hits).sum(axis=1)

    def value(hits: Floats, rows: slice) -> Floats:
        here = tied_sum(cut.places[rows, None], hits, cut.first[rows, None], cut.found[rows, None])
        found = cut.found[rows, None] + hits
        return np.asarray((total[rows, None] + here) / np.maximum(found, 1))

    return _mean_over_cuts(cut, value)


def grouped_average_precision(counts: DistanceCounts, k: int) -> Floats:
    """(m,) what BinGAN's authors compute: scikit-learn's `average_precision_score` over the first k items (10,000 in
    their code), which gives all items at one distance the precision at the end of their group,

        1 / H sum_groups (relevant items of the group) (relevant ones up to its end) / (items up to its end).

    Which items of the group at place k are among the first k is, in their code, up to NumPy's sort; here it is the mean
    over all choices. Raises InputError for k outside 1 to n.
    """
    cut = _cut(counts, k)
    ends, hits = cut.before + counts.items, cut.hits + counts.relevant
    total = np.where(cut.whole, counts.relevant * hits / np.maximum(ends, 1), 0.0).sum(axis=1)

    def value(drawn: Floats, rows: slice) -> Floats:
        found = cut.found[rows, None] + drawn
        return np.asarray((total[rows, None] + drawn * found / k) / np.maximum(found, 1))

    return _mean_over_cuts(cut, value)


def _cut(counts: DistanceCounts, k: int | None) -> _Cut:
    n = int(counts.items[0].sum())
    k = n if k is None else k
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= n:
        raise InputError(f"k={k!r}; allowed: 1 to {n}, the number of items")
    ends = np.cumsum(counts.items, axis=1)
    before = ends - counts.items
    hits = np.cumsum(counts.relevant, axis=1) - counts.relevant
    at = np.argmax(ends >= k, axis=1)[:, None]  # the group that holds place k
    first = np.take_along_axis(before, at, 1)[:, 0]
    return _Cut(
        ends <= first[:, None],
        before,
        hits,
        np.take_along_axis(counts.items, at, 1)[:, 0],
        np.take_along_axis(counts.relevant, at, 1)[:, 0],
        k - first,
        first,
        np.take_along_axis(hits, at, 1)[:, 0],
    )


def tied_sum(places: Any, hits: Any, before: Any, found: Any) -> Floats:
    """Expected sum of the precisions at relevant items that lie at random among `places` places after `before` items,
    of which `found` are relevant. Place s is relevant with probability hits / places, and then has (s - 1) (hits - 1) /
    (places - 1) relevant ones of the group ahead of it:

        hits / places  sum_s (found + 1 + (s - 1) (hits - 1) / (places - 1)) / (before + s)
    """
    last = int(np.max(before + places))
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, last + 1))])
    one = harmonic[before + places] - harmonic[before]  # sum of 1 / (before + s)
    ahead = places - (before + 1) * one  # sum of (s - 1) / (before + s)
    among = (hits - 1) / np.maximum(places - 1, 1)
    return np.asarray(hits / np.maximum(places, 1) * ((found + 1) * one + among * ahead))


def _mean_over_cuts(cut: _Cut, value: Callable[[Floats, slice], Floats]) -> Floats:
    """(m,) mean of value(hits (r, j), rows) where the number of hits among the places of the group that is cut has the
    hypergeometric distribution: places drawn from its items, of which some are relevant."""
    log_factorial = gammaln(np.arange(int(cut.tied.max()) + 2) + 1.0)

    def log_choose(n: Any, k: Any) -> Floats:
        return np.asarray(log_factorial[n] - log_factorial[k] - log_factorial[n - k])

    most = np.minimum(cut.good, cut.places)
    result = np.empty(len(cut.tied))
    step = block_rows(8 * (int(most.max()) + 1))
    for start in range(0, len(result), step):
        rows = slice(start, start + step)
        tied, good, places = (x[rows, None] for x in (cut.tied, cut.good, cut.places))
        drawn = np.arange(int(most[rows].max()) + 1)
        possible = (drawn <= most[rows, None]) & (drawn >= places - (tied - good))
        hits = np.where(possible, drawn, most[rows, None])
        log = log_choose(good, hits) + log_choose(tied - good, places - hits) - log_choose(tied, places)
        chance = np.where(possible, np.exp(log), 0.0)
        result[rows] = (chance * value(hits.astype(np.float64), rows)).sum(axis=1) / chance.sum(axis=1)
    return result


def _as_codes(codes: ArrayLike, what: str) -> NDArray[np.uint8]:
    array = np.asarray(codes)
    if array.dtype != np.uint8 or array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"{what} have shape {array.shape} and type {array.dtype}; needed: packed codes (n, w) uint8"
        )
    return array


def _signs(codes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, K) of -1 and 1: exact in float32, as are their products."""
    return np.unpackbits(codes, axis=1).astype(np.float32) * 2 - 1
