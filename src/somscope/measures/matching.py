"""How well descriptors of local patches tell what shows one place from what does not."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from somscope.errors import InputError
from somscope.measures._arrays import Floats
from somscope.measures.retrieval import tied_sum

__all__ = ["fpr_at_95", "matching_average_precision"]

_RECALL = 0.95


def fpr_at_95(same: ArrayLike, different: ArrayLike) -> float:
    """Share of pairs that are different and pass, at the least distance that 95 % of the pairs of one place pass.

    same (n,), different (m,): distances of the pairs; those equal to the threshold pass, too, as in the code of BinGAN.
    There the threshold is the distance number int(0.95 n) from 0, here number ceil(0.95 n) from 1: no more than needed.
    Raises InputError for no pairs of either kind, and for NaN.
    """
    a, b = _distances(same, "same"), _distances(different, "different")
    threshold = np.partition(a, (at := int(np.ceil(_RECALL * len(a))) - 1))[at]
    return float((b <= threshold).mean())


def _distances(values: ArrayLike, what: str) -> Floats:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not array.size or np.isnan(array).any():
        raise InputError(
            f"distances of {what!r} pairs have shape {array.shape}, or NaN; needed: (n,) numbers, n from 1"
        )
    return array


def matching_average_precision(distances: ArrayLike, right: ArrayLike) -> float:
    """AP of the matches of n patches with their nearest of m others, the nearest match first (HPatches: Balntas et al.,
    CVPR 2017, section 5.2):

        1 / N sum_{i, match i right} (right ones among the first i) / i,   N patches that have a right one at all.

    distances, right: (n, m), right where both show one place. Matches at one distance have no order: this is the mean
    over all of them. Where several others are nearest, a patch has no nearest one, and its match is wrong.
    Raises InputError for other shapes, NaN, and where nothing is right.
    """
    d, good = np.asarray(distances, dtype=np.float64), np.asarray(right, dtype=bool)
    if d.ndim != 2 or d.shape != good.shape or not d.size or np.isnan(d).any():
        raise InputError(f"distances {d.shape} and right {good.shape}; needed: both (n, m), without NaN")
    possible = int(good.any(axis=1).sum())
    if not possible:
        raise InputError("no patch has a right match")
    nearest = d.min(axis=1)
    first = d == nearest[:, None]
    hit = (first.sum(axis=1) == 1) & (first & good).any(axis=1)
    _, group = np.unique(nearest, return_inverse=True)
    items = np.bincount(group)
    hits = np.bincount(group, weights=hit).astype(np.int64)
    before, found = np.cumsum(items) - items, np.cumsum(hits) - hits
    return float(tied_sum(items, hits, before, found).sum() / possible)
