"""Clusters that lie in a few features each, and noise in all others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def planted(
    n: int = 1500, d: int = 16, k: int = 5, relevant: int = 6, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """X (n, d) in [0, 1], the cluster of each item (n,), and which features each cluster lies in (k, d)."""
    draw = np.random.default_rng(seed)
    y = draw.integers(k, size=n)
    X = draw.random((n, d))
    inside = np.zeros((k, d), np.bool_)
    for cluster in range(k):
        features = draw.choice(d, relevant, replace=False)
        inside[cluster, features] = True
        members = y == cluster
        spread = 0.02 * draw.standard_normal((members.sum(), relevant))
        X[np.ix_(members, features)] = draw.uniform(0.1, 0.9, relevant) + spread
    return X.clip(0.0, 1.0), y, inside
