"""All distances between items and prototypes, where somebody wants the whole (n, K) matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.maps.items import normalised

__all__ = ["all_distances"]

_BLOCK_BYTES = 32 * 2**20


def all_distances(
    x: Any, prototypes: NDArray[np.floating], metric: str, feature_weights: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """(n, K) distances in float64; x: (n, d) dense, with NaN for missing values, or CSR.

    The formulas are those of `items.DenseItems`; missing values are left out and the sum scaled up to all features.
    """
    own = np.asarray(prototypes, dtype=np.float64)
    weights = np.ones(own.shape[1]) if feature_weights is None else feature_weights
    out = np.empty((x.shape[0], len(own)))
    step = max(1, _BLOCK_BYTES // (8 * max(own.shape)))
    for start in range(0, x.shape[0], step):
        block = x[start : start + step]
        block = np.asarray(block.toarray() if hasattr(block, "toarray") else block, dtype=np.float64)
        out[start : start + len(block)] = _block_distances(block, own, metric, weights)
    return out


def _block_distances(
    block: NDArray[np.float64], own: NDArray[np.float64], metric: str, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    from scipy.spatial.distance import cdist

    root = np.sqrt(weights)
    known = ~np.isnan(block)
    if known.all():
        if metric == "cosine":
            return 0.5 * cdist(normalised(block * root), normalised(own * root), "sqeuclidean")
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
    return np.sqrt(np.maximum(squared, 0.0) * grow)
