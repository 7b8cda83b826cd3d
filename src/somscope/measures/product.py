"""Topographic product: is the map too small or too large for the data? From prototypes and lattice alone."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import pdist, squareform

from somscope.errors import InputError
from somscope.measures._arrays import Floats, as_matrix, as_prototypes, block_rows
from somscope.measures._ties import mean_over_ties, tie_groups

__all__ = ["topographic_product"]


def topographic_product(prototypes: ArrayLike, lattice_distances: ArrayLike) -> float:
    """Bauer & Pawelzik's P: below 0 the lattice has too few dimensions for the data, above 0 too many, near 0 fits.

    With n_l^A(j) and n_l^V(j) the l-th nearest unit of j on the lattice and among the prototypes, and d^A, d^V the
    distances there:
        P3(j, k) = (prod_{l=1..k} d^V(j, n_l^A) / d^V(j, n_l^V) * d^A(j, n_l^A) / d^A(j, n_l^V))^(1 / 2k)
        P = 1 / (K (K - 1)) sum_j sum_{k=1..K-1} ln P3(j, k)
    Ties (on a lattice nearly every rank is one): P is the exact average over all orders in which the ties of either
    ranking may be taken, so it does not depend on how units are numbered. Prototypes that coincide are taken to lie
    as far apart as the closest two that do not.

    prototypes: (K, d). lattice_distances: (K, K) in lattice steps. Raises InputError for fewer than 2 units, all
    prototypes equal, or two units at lattice distance 0. Work K^2 (d + log K), memory K^2.
    Source: Bauer & Pawelzik (1992), IEEE Transactions on Neural Networks 3(4).
    """
    m = as_prototypes(prototypes)
    lattice = as_matrix("lattice_distances", lattice_distances, len(m))
    k = len(m)
    if k < 2:
        raise InputError("the topographic product needs at least 2 units, got 1")
    data = squareform(pdist(m))
    if not data.any():
        raise InputError("all prototypes are equal: the topographic product is not defined")
    data = np.where(data > 0, data, data[data > 0].min())
    others = ~np.eye(k, dtype=bool)
    if not (lattice[others] > 0).all():
        raise InputError("two different units lie at lattice distance 0")
    total = 0.0
    # sum_{k>=l} 1 / 2k: how often the l-th neighbour enters, over all k.
    weight = np.cumsum((0.5 / np.arange(1, k))[::-1])[::-1]
    step = block_rows(8 * 8 * k)
    for start in range(0, k, step):
        keep = others[start : start + step]
        near, far = (matrix[start : start + step][keep].reshape(-1, k - 1) for matrix in (lattice, data))
        total += float(((_log_ratio(near, far) - _log_ratio(far, near)) @ weight).sum())
    return total / (k * (k - 1))


def _log_ratio(ranked_by: Floats, other: Floats) -> Floats:
    """(m, K-1) ln other(l-th nearest by `ranked_by`) - ln other(l-th nearest by `other`), averaged over ties."""
    order, group = tie_groups(ranked_by)
    logs = np.log(other)
    return np.asarray(mean_over_ties(np.take_along_axis(logs, order, axis=1), group) - np.sort(logs, axis=1))
