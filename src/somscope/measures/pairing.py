"""Do two sets whose items correspond have the same geometry? Each measure also under permutations of the pairing."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata

from somscope.errors import InputError
from somscope.measures._arrays import Floats, Units

__all__ = ["cross_distances", "linear_cka", "mantel", "retrieval"]

_GRID = 1e-9  # of the largest squared distance: differences below are rounding


def cross_distances(first: ArrayLike, second: ArrayLike) -> Floats:
    """(n, m) Euclidean distances between the rows of (n, d) and (m, d) arrays; equal rows are exactly 0 apart.

    Squared distances are rounded to 1e-9 of the largest one, so that ties stay ties.
    """
    a, b = (np.asarray(items, dtype=np.float64) for items in (first, second))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise InputError(f"items have shapes {a.shape} and {b.shape}; allowed: (n, d) and (m, d)")
    middle = a.mean(axis=0)
    a, b = a - middle, b - middle
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * (a @ b.T)
    grid = _GRID * float(np.abs(squared).max(initial=0.0))
    if grid > 0:
        squared = np.rint(squared / grid) * grid
    return np.asarray(np.sqrt(np.maximum(squared, 0.0)))


def mantel(first: ArrayLike, second: ArrayLike, permutations: ArrayLike) -> Floats:
    """(P,) Spearman correlation of the distances among the items of two sets, pair (i, j) against (p(i), p(j)).

    first, second: (n, n) distances. permutations: (P, n). -1 to 1; 0 where all distances of a set are equal.
    Source: Mantel (1967), "The detection of disease clustering and a generalized regression approach".
    """
    return _matrix_correlation(_centred_ranks(first), _centred_ranks(second), permutations)


def linear_cka(first: ArrayLike, second: ArrayLike, permutations: ArrayLike) -> Floats:
    """(P,) centred kernel alignment |Y'X|^2 / (|X'X| |Y'Y|) with the rows of second permuted; 0 to 1.

    first: (n, d); second: (n, e). It is above 0 by chance, the more so the fewer items: compare it with permutations.
    Source: Kornblith et al. (2019), "Similarity of neural network representations revisited", equation 4.
    """
    x, y = (np.asarray(items, dtype=np.float64) for items in (first, second))
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    if x.shape[1] * y.shape[1] >= len(x) ** 2:
        return _matrix_correlation(x @ x.T, y @ y.T, permutations)
    scale = float(np.linalg.norm(x.T @ x) * np.linalg.norm(y.T @ y))
    rows = np.asarray(permutations)
    if scale == 0:
        return np.zeros(len(rows))
    return np.array([np.square(y[row].T @ x).sum() for row in rows]) / scale


def retrieval(distances: ArrayLike, permutations: ArrayLike) -> Floats:
    """(P,) share of queries whose own partner is the nearest candidate; by chance 1 / n.

    distances: (n, n) from query i to candidate j; the partner of i is permutation[i]. Of candidates that are equally
    near each counts for its part, so that duplicates of the partner do not help.
    """
    distances = np.asarray(distances, dtype=np.float64)
    nearest = distances <= distances.min(axis=1, keepdims=True)
    credit = nearest / nearest.sum(axis=1, keepdims=True)
    permutations = np.asarray(permutations)
    return np.asarray(credit[np.arange(len(distances)), permutations].mean(axis=1))


def _centred_ranks(distances: ArrayLike) -> Floats:
    distances = np.asarray(distances, dtype=np.float64)
    upper = np.triu_indices(len(distances), 1)
    ranks = rankdata(distances[upper])
    out = np.zeros(distances.shape)
    out[upper] = ranks - ranks.mean()
    return out + out.T


def _matrix_correlation(first: Floats, second: Floats, permutations: ArrayLike) -> Floats:
    """(P,) sum of products of the entries of two symmetric matrices, over their norms."""
    scale = float(np.linalg.norm(first) * np.linalg.norm(second))
    rows: Units = np.asarray(permutations)
    if scale == 0:
        return np.zeros(len(rows))
    flat = first.ravel()
    return np.array([flat @ second[np.ix_(row, row)].ravel() for row in rows]) / scale
