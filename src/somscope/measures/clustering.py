"""Agreement between a clustering and labels. Items without a label (-1) are left out of every measure here.

Each measure reads the contingency table (without its zeros), so after one pass over the items its cost does not depend
on their number.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from somscope.errors import InputError, check_choice
from somscope.measures._arrays import Floats, Units, as_labels, compact

__all__ = [
    "AVERAGES",
    "accuracy",
    "adjusted_mutual_information",
    "adjusted_rand_index",
    "completeness",
    "contingency",
    "homogeneity",
    "nmi",
    "purity",
]

AVERAGES = ("arithmetic", "geometric")


def contingency(labels: ArrayLike, clusters: ArrayLike) -> Units:
    """(classes, clusters) number of items of each class in each cluster; empty classes and clusters are dropped.

    labels: (n,) class of each item, -1 for none (left out). clusters: (n,) cluster (or unit) of each item, 0 or more.
    Raises InputError for lengths that differ, a negative cluster, or no labelled item.
    """
    return np.asarray(_table(labels, clusters).toarray())


def _table(labels: ArrayLike, clusters: ArrayLike) -> sparse.csr_array:
    """The contingency table with no room for its zeros: labels may be as many as items. Errors as in `contingency`."""
    y = as_labels("labels", labels)
    c = as_labels("clusters", clusters, len(y))
    if c.min() < 0:
        raise InputError("clusters hold -1; every item must have a cluster, 0 or more")
    known = y >= 0
    if not known.any():
        raise InputError("no item has a label (all are -1)")
    ones = np.ones(int(known.sum()), dtype=np.int64)
    return sparse.csr_array(
        (ones, (compact(y[known]), compact(c[known])))
    )  # which adds up what falls together


def purity(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Share of items that have the most frequent label of their cluster: sum_c max_y n_yc / n. Chance to 1."""
    table = _table(labels, clusters)
    return float(table.max(axis=0).sum() / table.sum())


def accuracy(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Share of items right under the best one-to-one match of clusters to labels (Hungarian method). 0 to 1.

    With more clusters than labels (or fewer) the ones left over match nothing and count as wrong.
    Source: Yang et al. (2010), "Image clustering using local discriminant models and global integration".
    """
    table = _table(labels, clusters)
    # Each cluster may also match nothing (a class of its own, without items), so that all clusters can be matched; as
    # no edge may weigh 0, all weigh 1 more.
    n, n_clusters = table.sum(), table.shape[1]
    edges = table.T.tocsr()
    edges.data += 1
    graph = sparse.hstack([edges, sparse.eye_array(n_clusters, dtype=np.int64)], format="csr")
    rows, columns = min_weight_full_bipartite_matching(graph, maximize=True)
    return float((graph[rows, columns].sum() - n_clusters) / n)


def nmi(labels: ArrayLike, clusters: ArrayLike, *, average: str) -> float:
    """Normalised mutual information I(y; c) / mean(H(y), H(c)), 0 to 1.

    average: "arithmetic" (H(y) + H(c)) / 2, or "geometric" sqrt(H(y) H(c)). There is no default: papers differ, and
    the geometric one is larger. One class in one cluster gives 1; I = 0 otherwise gives 0 (as in scikit-learn).
    Source: Strehl & Ghosh (2002), "Cluster ensembles" (geometric); Vinh, Epps & Bailey (2010) (all).
    """
    check_choice("average", average, AVERAGES)
    table = _table(labels, clusters)
    if table.shape == (1, 1):
        return 1.0
    shared, of_labels, of_clusters = _information(table)
    if shared <= np.finfo(float).eps or 0.0 in (
        of_labels,
        of_clusters,
    ):  # rounding leaves a trace of one cluster
        return 0.0
    mean = (of_labels + of_clusters) / 2 if average == "arithmetic" else np.sqrt(of_labels * of_clusters)
    return float(min(1.0, shared / mean))


def homogeneity(labels: ArrayLike, clusters: ArrayLike) -> float:
    """1 - H(y|c) / H(y) = I(y; c) / H(y): 1 when each cluster holds one class. 0 to 1; 1 when there is one class.

    Source: Rosenberg & Hirschberg (2007), "V-measure".
    """
    shared, of_labels, _ = _information(_table(labels, clusters))
    return float(min(1.0, shared / of_labels)) if of_labels else 1.0


def completeness(labels: ArrayLike, clusters: ArrayLike) -> float:
    """1 - H(c|y) / H(c) = I(y; c) / H(c): 1 when each class lies in one cluster. 0 to 1; 1 when there is one cluster.

    Source: Rosenberg & Hirschberg (2007), "V-measure".
    """
    shared, _, of_clusters = _information(_table(labels, clusters))
    return float(min(1.0, shared / of_clusters)) if of_clusters else 1.0


def adjusted_rand_index(labels: ArrayLike, clusters: ArrayLike) -> float:
    """Share of pairs of items on which both agree, corrected for chance: 1 equal, about 0 by chance, at least -0.5.

    Source: Hubert & Arabie (1985), "Comparing partitions".
    """
    table = _table(labels, clusters).astype(np.float64)
    n = table.sum()
    together = _pairs(table.data).sum()
    in_class, in_cluster = _pairs(table.sum(axis=1)).sum(), _pairs(table.sum(axis=0)).sum()
    expected = in_class * in_cluster / max(_pairs(n), 1.0)
    most = (in_class + in_cluster) / 2.0
    return 1.0 if most == expected else float((together - expected) / (most - expected))


def adjusted_mutual_information(labels: ArrayLike, clusters: ArrayLike) -> float:
    """(I - E[I]) / ((H(y) + H(c)) / 2 - E[I]): 1 equal, 0 by chance; arithmetic mean. E[I] from scikit-learn.

    Source: Vinh, Epps & Bailey (2010), "Information theoretic measures for clusterings comparison".
    """
    from sklearn.metrics.cluster import expected_mutual_information

    table = _table(labels, clusters)
    if 1 in table.shape:
        return 1.0 if table.shape == (1, 1) else 0.0
    shared, of_labels, of_clusters = _information(table)
    expected = float(expected_mutual_information(sparse.csr_matrix(table), int(table.sum())))
    # As in scikit-learn: keep the sign and avoid 0 / 0 when every item is its own class and its own cluster.
    tiny = float(np.finfo(float).eps)
    room = (of_labels + of_clusters) / 2.0 - expected
    room = min(room, -tiny) if room < 0 else max(room, tiny)
    gain = shared - expected
    gain = min(gain, -tiny) if gain < 0 else max(gain, tiny)
    return float(min(1.0, gain / room))


def _pairs(count: Floats) -> Floats:
    return np.asarray(count * (count - 1.0) / 2.0)


def _information(table: sparse.csr_array) -> tuple[float, float, float]:
    """I(y; c), H(y), H(c) in nats."""
    n = table.sum()
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    cells = table.tocoo()
    y, c, joint = cells.row, cells.col, cells.data
    shared = (joint / n * (np.log(joint) + np.log(n) - np.log(rows[y]) - np.log(columns[c]))).sum()
    return max(0.0, float(shared)), _entropy(rows), _entropy(columns)


def _entropy(count: Units) -> float:
    share = count / count.sum()
    return max(0.0, float(-(share * np.log(share)).sum())) if len(count) > 1 else 0.0
