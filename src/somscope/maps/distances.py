"""All distances between items and prototypes, where somebody wants the whole (n, K) matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.maps.items import normalised
from somscope.maps.threads import one_blas_thread

__all__ = ["all_distances", "column_scale", "nearest_units", "paired_distances"]

_BLOCK_BYTES = 32 * 2**20

Floats = NDArray[np.float64]


def column_scale(metric: str, feature_weights: Floats | None) -> Floats | None:
    """(d,) factor of each feature in what is compared: the root of its weight; under Manhattan the weight itself."""
    if feature_weights is None or metric == "manhattan":
        return feature_weights
    return np.sqrt(feature_weights)


def paired_distances(
    a: NDArray[np.floating], b: NDArray[np.floating], metric: str, feature_weights: Floats | None = None
) -> Floats:
    """(m,) distance of each row of a (m, d) to the same row of b, without missing values; formulas as above."""
    scale = column_scale(metric, feature_weights)
    one, other = (np.asarray(rows, dtype=np.float64) for rows in (a, b))
    if scale is not None:
        one, other = one * scale, other * scale
    if metric == "manhattan":
        return np.asarray(np.abs(one - other).sum(axis=1))
    if metric == "cosine":
        return np.asarray(0.5 * np.square(normalised(one) - normalised(other)).sum(axis=1))
    return np.asarray(np.linalg.norm(one - other, axis=1))


def all_distances(
    x: Any, prototypes: NDArray[np.floating], metric: str, feature_weights: Floats | None = None
) -> Floats:
    """(n, K) distances in float64; x: (n, d) dense, with NaN for missing values, or CSR.

    The formulas are those of `items.DenseItems`; missing values are left out and the sum scaled up to all features.
    """
    out = np.empty((x.shape[0], len(prototypes)))
    for start, block in _blocks(x, prototypes, metric, feature_weights):
        out[start : start + len(block)] = block
    return out


def nearest_units(
    x: Any, prototypes: NDArray[np.floating], metric: str, feature_weights: Floats | None, k: int
) -> tuple[NDArray[np.int64], Floats]:
    """The k nearest units (n, k) of each item and their distances (n, k), nearest first, equal ones by unit.

    For k above 2: one and two are found without all distances by `Items.nearest`.
    """
    units, distances = np.empty((x.shape[0], k), np.int64), np.empty((x.shape[0], k))
    for start, block in _blocks(x, prototypes, metric, feature_weights):
        near = np.argsort(block, axis=1, kind="stable")[:, :k]
        units[start : start + len(block)] = near
        distances[start : start + len(block)] = np.take_along_axis(block, near, axis=1)
    return units, distances


def _blocks(
    x: Any, prototypes: NDArray[np.floating], metric: str, feature_weights: Floats | None
) -> Iterator[tuple[int, Floats]]:
    """The first row of each block of items, and the block's distances to all prototypes."""
    own = np.asarray(prototypes, dtype=np.float64)
    weights = np.ones(own.shape[1]) if feature_weights is None else feature_weights
    step = max(1, _BLOCK_BYTES // (8 * max(own.shape)))
    for start in range(0, x.shape[0], step):
        block = x[start : start + step]
        block = np.asarray(block.toarray() if hasattr(block, "toarray") else block, dtype=np.float64)
        with one_blas_thread():
            distances = _block_distances(block, own, metric, weights)
        yield start, distances


def _block_distances(block: Floats, own: Floats, metric: str, weights: Floats) -> Floats:
    from scipy.spatial.distance import cdist

    root = np.sqrt(weights)
    known = ~np.isnan(block)
    if known.all():
        if metric == "cosine":
            return np.asarray(0.5 * cdist(normalised(block * root), normalised(own * root), "sqeuclidean"))
        if metric == "manhattan":
            return np.asarray(cdist(block * weights, own * weights, "cityblock"))
        return np.asarray(cdist(block * root, own * root))
    observed = known @ weights
    grow = np.divide(weights.sum(), observed, out=np.ones_like(observed), where=observed > 0)[:, None]
    if metric == "manhattan":
        sums = np.stack([np.nansum(weights * np.abs(row - own), axis=1) for row in block])
        return np.asarray(sums * grow)
    filled = np.where(known, block, 0.0) * root
    squared = (
        np.sum(filled**2, axis=1)[:, None] - 2.0 * filled @ (own * root).T + known @ (own**2 * weights).T
    )
    return np.asarray(np.sqrt(np.maximum(squared, 0.0) * grow))
