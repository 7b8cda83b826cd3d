"""How far items lie from the prototypes: quantization error and distortion."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from somscope.errors import InputError
from somscope.measures._arrays import (
    Features,
    Floats,
    Units,
    as_features,
    as_matrix,
    as_prototypes,
    as_units,
    block_rows,
    has_missing,
)

__all__ = ["distortion", "gaussian_neighbourhood", "item_distances", "quantization_error"]


def item_distances(features: Any, prototypes: ArrayLike, units: ArrayLike) -> Floats:
    """(n,) Euclidean distance of each item to the prototype of the unit given for it: ||x_i - m_u(i)||.

    features: (n, d) dense or CSR. NaN is a missing value: the squared distance is then taken over the observed
    features and multiplied by d / (number observed), as scikit-learn's `nan_euclidean_distances` does.
    prototypes: (K, d). units: (n,) unit indices.
    Raises InputError for shapes that do not fit, infinite values, or an item with no observed feature.
    """
    x = as_features(features)
    m = as_prototypes(prototypes, x.shape[1])
    u = as_units("units", units, len(m), x.shape[0])
    squared = np.empty(x.shape[0])
    step = block_rows(8 * x.shape[1])
    for start in range(0, x.shape[0], step):
        rows = slice(start, start + step)
        if sparse.issparse(x):
            squared[rows] = _sparse_squared(x[rows], m, u[rows])
        else:
            squared[rows] = _dense_squared(np.asarray(x[rows], dtype=np.float64), m, u[rows], start)
    return np.sqrt(squared)


def _dense_squared(x: Floats, m: Floats, u: Units, start: int) -> Floats:
    difference = x - m[u]
    missing = np.isnan(difference)
    if not missing.any():
        return np.asarray(np.einsum("ij,ij->i", difference, difference))
    observed = (~missing).sum(axis=1)
    if not observed.all():
        raise InputError(f"item {start + int(np.argmin(observed))} has no observed feature (all NaN)")
    difference[missing] = 0.0
    return np.asarray(np.einsum("ij,ij->i", difference, difference) * (x.shape[1] / observed))


def _sparse_squared(x: Any, m: Floats, u: Units) -> Floats:
    row = np.repeat(np.arange(x.shape[0]), np.diff(x.indptr))
    stored = m[u[row], x.indices]
    # Stored entries give (x - m)^2; every other entry of the row is 0 and gives m^2.
    change = (x.data.astype(np.float64) - stored) ** 2 - stored**2
    total = np.einsum("ij,ij->i", m, m)[u] + np.bincount(row, change, minlength=x.shape[0])
    return np.asarray(np.maximum(total, 0.0))


def quantization_error(features: Any, prototypes: ArrayLike, best: ArrayLike) -> float:
    """Mean Euclidean distance (not squared) of the items to their best unit: mean_i ||x_i - m_b(i)||.

    In units of the features. 0 is best. Arguments and errors as in `item_distances`.
    Source: Kohonen, Self-Organizing Maps (2001), section 3.
    """
    return float(item_distances(features, prototypes, best).mean())


def gaussian_neighbourhood(lattice_distances: ArrayLike, radius: float) -> Floats:
    """(K, K) Gaussian neighbourhood h = exp(-l^2 / (2 radius^2)); l and radius in lattice steps."""
    if not (np.isfinite(radius) and radius > 0):
        raise InputError(f"radius={radius}; allowed: above 0 (lattice steps)")
    lattice = as_matrix("lattice_distances", lattice_distances)
    return np.asarray(np.exp(-(lattice**2) / (2.0 * radius**2)))


def distortion(features: Any, prototypes: ArrayLike, best: ArrayLike, neighbourhood: ArrayLike) -> float:
    """The energy of the map, per item: mean_i sum_k h[b(i), k] ||x_i - m_k||^2.

    neighbourhood: (K, K) weights h >= 0, for example `gaussian_neighbourhood`. In squared units of the features.
    NaN as in `item_distances`. Computed without the (n, K) distances: with c_b, n_b and w_b the mean, number and
    within-scatter of the items of unit b, sum_k h[b, k] (w_b + n_b ||c_b - m_k||^2) summed over b is the same number.
    Source: Heskes (1999), "Energy functions for self-organizing maps".
    """
    x = as_features(features)
    m = as_prototypes(prototypes, x.shape[1])
    u = as_units("best", best, len(m), x.shape[0])
    h = as_matrix("neighbourhood", neighbourhood, len(m))
    if has_missing(x):
        return float(_distortion_missing(x, m, u, h) / x.shape[0])
    hits = np.bincount(u, minlength=len(m))
    centres = _unit_sums(x, u, len(m)) / np.maximum(hits, 1)[:, None]
    within = np.bincount(u, item_distances(x, centres, u) ** 2, minlength=len(m))
    between = np.maximum(_squared_between(centres, m), 0.0)
    return float((h * (within[:, None] + hits[:, None] * between)).sum() / x.shape[0])


def _unit_sums(x: Features, u: Units, n_units: int) -> Floats:
    """(K, d) sum of the items of each unit, in float64, a block of rows at a time."""
    sums = np.zeros((n_units, x.shape[1]))
    step = block_rows(8 * x.shape[1])
    for start in range(0, x.shape[0], step):
        part = u[start : start + step]
        members = sparse.csr_array(
            (np.ones(len(part)), (part, np.arange(len(part)))), shape=(n_units, len(part))
        )
        block = x[start : start + step]
        sums += (
            (members @ block).toarray()
            if sparse.issparse(x)
            else members @ np.asarray(block, dtype=np.float64)
        )
    return sums


def _squared_between(a: Floats, b: Floats) -> Floats:
    middle = b.mean(axis=0)
    a, b = a - middle, b - middle
    return np.asarray(np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b) - 2.0 * (a @ b.T))


def _distortion_missing(x: Features, m: Floats, u: Units, h: Floats) -> float:
    """sum_i s_i sum_f o_if (x_if - m_kf)^2 with o = observed, s = d / observed, expanded into sums per unit."""
    middle = m.mean(axis=0)
    moments = np.zeros((3, *m.shape))
    step = block_rows(8 * x.shape[1])
    for start in range(0, x.shape[0], step):
        part = np.asarray(x[start : start + step], dtype=np.float64) - middle
        observed = ~np.isnan(part)
        count = observed.sum(axis=1)
        if not count.all():
            raise InputError(f"item {start + int(np.argmin(count))} has no observed feature (all NaN)")
        part[~observed] = 0.0
        block = u[start : start + step]
        scale = x.shape[1] / count
        members = sparse.csr_array((scale, (block, np.arange(len(block)))), shape=(len(m), len(block)))
        for power, values in enumerate((observed.astype(np.float64), part, part**2)):
            moments[power] += members @ values
    centred = m - middle
    total = moments[2].sum(axis=1)[:, None] - 2.0 * moments[1] @ centred.T + moments[0] @ (centred**2).T
    return float((h * np.maximum(total, 0.0)).sum())
