"""What units mean: groups of neighbouring units, and the labels of the items that they hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from somscope.errors import InputError
from somscope.maps.lattice import Lattice

__all__ = ["cluster_units", "label_shares"]


def cluster_units(prototypes: NDArray[np.floating], lattice: Lattice, n_clusters: int) -> NDArray[np.int64]:
    """(K,) cluster of each unit, 0 .. n_clusters - 1: Ward's method, merging only units that are neighbours.

    Source: Vesanto & Alhoniemi (2000), with Ward's criterion under the lattice's adjacency.
    Raises InputError unless 1 <= n_clusters <= K.
    """
    from sklearn.cluster import AgglomerativeClustering

    if not isinstance(n_clusters, int | np.integer) or not 1 <= n_clusters <= lattice.n_units:
        raise InputError(f"n_clusters={n_clusters!r}; allowed: 1 to {lattice.n_units}, the number of units")
    if lattice.n_units == 1:
        return np.zeros(1, np.int64)
    graph = sparse.csr_matrix(lattice.adjacency().astype(np.float64))
    ward = AgglomerativeClustering(n_clusters=int(n_clusters), connectivity=graph, linkage="ward")
    return np.asarray(ward.fit(np.asarray(prototypes, dtype=np.float64)).labels_, dtype=np.int64)


def label_shares(
    units: NDArray[np.integer],
    labels: NDArray[np.integer],
    n_units: int,
    n_labels: int,
    weights: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """(K, n_labels) share of each label among the labelled items of each unit; rows of units without any are NaN.

    units, labels: (n,); a label of -1 does not count.
    """
    units, labels = np.asarray(units), np.asarray(labels)
    known = labels >= 0
    cells = units[known] * n_labels + labels[known]
    mass = None if weights is None else weights[known]
    table = (
        np.bincount(cells, weights=mass, minlength=n_units * n_labels)
        .reshape(n_units, n_labels)
        .astype(np.float64)
    )
    total = table.sum(axis=1, keepdims=True)
    return np.divide(table, total, out=np.full_like(table, np.nan), where=total > 0)
