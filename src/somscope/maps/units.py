"""What units mean: groups of neighbouring units, and the labels of the items that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from somscope.errors import InputError
from somscope.maps.distances import column_scale, paired_distances
from somscope.maps.items import normalised
from somscope.maps.lattice import Lattice

__all__ = [
    "UnitLabels",
    "check_clusters",
    "cluster_units",
    "edge_distances",
    "group_units",
    "label_shares",
    "label_units",
    "u_matrix",
]

_EDGES = 256  # pairs of neighbours measured at once: few, for prototypes may be large


def check_clusters(n_clusters: object, n_units: int) -> None:
    """Raise InputError unless n_clusters is a whole number from 1 to n_units."""
    if not isinstance(n_clusters, int | np.integer) or not 1 <= n_clusters <= n_units:
        raise InputError(f"n_clusters={n_clusters!r}; allowed: 1 to {n_units}, the number of units")


def cluster_units(
    prototypes: NDArray[np.floating],
    lattice: Lattice,
    n_clusters: int,
    hits: NDArray[np.integer] | None = None,
    feature_weights: NDArray[np.float64] | None = None,
    metric: str = "euclidean",
) -> NDArray[np.int64]:
    """(K,) cluster of each unit, 0 .. n_clusters - 1: Ward's method, merging only units that are neighbours.

    hits: (K,) items of each unit. Units without items first join the nearest unit with items (the shortest path over
    the lattice, in distances between prototypes), so that no cluster is empty; where fewer than n_clusters units have
    items, every unit counts. Ward's sum of squares is taken over the features times the roots of their weights; under
    the cosine distance over their directions, so that it is a sum of cosine distances; under Manhattan over the
    features times their weights, as that distance sees them.
    Source: Vesanto & Alhoniemi (2000), with Ward's criterion under the lattice's adjacency.
    Raises InputError unless 1 <= n_clusters <= K.
    """
    from sklearn.cluster import AgglomerativeClustering

    check_clusters(n_clusters, lattice.n_units)
    own = np.asarray(prototypes, dtype=np.float64)
    edges = lattice.edges()
    home = _homes(own, lattice, n_clusters, hits, metric, feature_weights)
    living = np.unique(home)
    if len(living) < 2 or n_clusters == 1:
        return np.zeros(lattice.n_units, np.int64)
    place = np.searchsorted(living, home)
    first, second = place[edges[:, 0]], place[edges[:, 1]]
    graph = sparse.csr_matrix((np.ones(len(edges)), (first, second)), shape=(len(living), len(living)))
    graph = ((graph + graph.T) > 0).astype(np.float64)
    graph.setdiag(0)
    graph.eliminate_zeros()
    ward = AgglomerativeClustering(n_clusters=int(n_clusters), connectivity=graph, linkage="ward")
    scale = column_scale(metric, feature_weights)
    seen = own[living] if scale is None else own[living] * scale
    return np.asarray(ward.fit(normalised(seen) if metric == "cosine" else seen).labels_, dtype=np.int64)[
        place
    ]


def group_units(
    nearest: NDArray[np.integer], prototypes: NDArray[np.floating], lattice: Lattice, n_groups: int
) -> NDArray[np.int64]:
    """(K,) group of each unit, 0 .. n_groups - 1, numbered along the lattice: parted where few items lie between.

    nearest: (n, 2) the best and the second unit of each item. w_ij of the items lie between units i and j, in whatever
    order (the connectivity of Tasdemir & Merenyi, IEEE Transactions on Neural Networks 20, 2009). From one group each,
    the two groups a, b of neighbouring units are merged, again and again, that raise the modularity

        Q = sum_a (e_aa - s_a^2),    e_ab = sum_{i in a, j in b} w_ij / sum_ij w_ij,    s_a = sum_b e_ab

    most, by 2 (e_ab - s_a s_b), or lower it least (Newman, Physical Review E 69, 066133, 2004), until n_groups are
    left. That only neighbours on the lattice are merged is ours; the counts are those between all units. Units without
    items join others before, as in `cluster_units`. Raises InputError unless 1 <= n_groups <= K.
    """
    check_clusters(n_groups, lattice.n_units)
    if n_groups == 1:
        return np.zeros(lattice.n_units, np.int64)
    edges = lattice.edges()
    hits = np.bincount(nearest[:, 0], minlength=lattice.n_units)
    home = _homes(np.asarray(prototypes, dtype=np.float64), lattice, n_groups, hits)
    living, place = np.unique(home, return_inverse=True)
    pairs = place[np.concatenate([nearest, edges])]
    of_items = np.arange(len(pairs)) < len(nearest)
    pairs, between, beside = _each_once(pairs, of_items.astype(np.float64), ~of_items)
    between /= max(2.0 * between.sum(), 1.0)
    share = np.bincount(pairs.T.ravel(), np.tile(between, 2), len(living))
    group = np.arange(len(living))
    for _ in range(len(living) - n_groups):
        gain = np.where(beside, between - share[pairs[:, 0]] * share[pairs[:, 1]], -np.inf)
        kept, gone = pairs[gain.argmax()]
        group[group == gone] = kept
        share[kept] += share[gone]
        pairs[pairs == gone] = kept
        pairs, between, beside = _each_once(pairs, between, beside)
    return np.asarray(np.unique(group, return_inverse=True)[1], dtype=np.int64)[place]


def _each_once(
    pairs: NDArray[np.integer], between: NDArray[np.float64], beside: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """Pairs (m, 2) of groups with how much lies between them and whether they are neighbours: each once, no group with
    itself."""
    apart = pairs[:, 0] != pairs[:, 1]
    pairs, between, beside = np.sort(pairs[apart], axis=1), between[apart], beside[apart]
    size = int(pairs.max(initial=0)) + 1
    codes, at = np.unique(pairs @ (size, 1), return_inverse=True)
    total = np.bincount(at, between, len(codes)).astype(np.float64)
    return np.stack(np.divmod(codes, size), 1), total, np.bincount(at, beside, len(codes)) > 0


def _homes(
    prototypes: NDArray[np.float64],
    lattice: Lattice,
    n_clusters: int,
    hits: NDArray[np.integer] | None,
    metric: str = "euclidean",
    feature_weights: NDArray[np.float64] | None = None,
) -> NDArray[np.int64]:
    """(K,) the unit with items that each unit joins before clusters are made: itself, if it has any."""
    if hits is None or not max(n_clusters, 2) <= np.count_nonzero(hits) < lattice.n_units:
        return np.arange(lattice.n_units)
    edges = lattice.edges()
    lengths = paired_distances(prototypes[edges[:, 0]], prototypes[edges[:, 1]], metric, feature_weights)
    return _nearest_living(lattice.n_units, edges, lengths, np.flatnonzero(hits))


def _nearest_living(
    n_units: int, edges: NDArray[np.int64], lengths: NDArray[np.float64], living: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(K,) for each unit the nearest of the units `living`, over the lattice's edges of these lengths."""
    from scipy.sparse.csgraph import dijkstra

    lengths = lengths + 1e-12 * (
        lengths.max() if lengths.max() > 0 else 1.0
    )  # a path of length 0 would be no path
    graph = sparse.csr_matrix((lengths, (edges[:, 0], edges[:, 1])), shape=(n_units,) * 2)
    _, _, sources = dijkstra(graph, directed=False, indices=living, min_only=True, return_predecessors=True)
    return np.asarray(sources, dtype=np.int64)


@dataclass(frozen=True)
class UnitLabels:
    """What the labelled items say about each unit.

    classes: (C,) distinct labels; shares: (K, C) share of each among the labelled items of each unit, NaN where there
    are none; majority: (K,) index into classes of the largest share (the first of equal ones), -1 where there are none;
    share: (K,) that share, NaN where there are none.
    """

    classes: NDArray[Any]
    shares: NDArray[np.float64]
    majority: NDArray[np.int64]
    share: NDArray[np.float64]


def label_units(units: NDArray[np.integer], y: ArrayLike, n_units: int) -> UnitLabels:
    """The labels of units from the best units (n,) and labels (n,) of items; the label -1 (a number) means unknown.

    Raises InputError for labels of another length, and where no item has one.
    """
    labels = np.asarray(y)
    if labels.shape != units.shape:
        raise InputError(f"{labels.shape} labels for {units.shape} items; needed: one for each item")
    known = ~np.array([isinstance(label, Real) and label == -1 for label in labels.tolist()], np.bool_)
    if not known.any():
        raise InputError("no item has a label: all are -1")
    classes, codes = np.unique(labels[known], return_inverse=True)
    shares = label_shares(units[known], codes, n_units, len(classes))
    empty = np.isnan(shares[:, 0])
    majority = np.where(empty, -1, np.where(empty[:, None], 0.0, shares).argmax(axis=1))
    return UnitLabels(classes, shares, majority, shares[np.arange(n_units), majority])


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
    return np.asarray(np.divide(table, total, out=np.full_like(table, np.nan), where=total > 0))


def edge_distances(
    prototypes: NDArray[np.floating],
    edges: NDArray[np.integer],
    feature_weights: NDArray[np.float64] | None = None,
    metric: str = "euclidean",
) -> NDArray[np.float64]:
    """(E,) distance of the prototypes (K, d) that each edge (E, 2) joins, in the map's own distance."""
    gaps = np.empty(len(edges))
    for start in range(0, len(edges), _EDGES):
        some = edges[start : start + _EDGES]
        gaps[start : start + _EDGES] = paired_distances(
            prototypes[some[:, 0]], prototypes[some[:, 1]], metric, feature_weights
        )
    return gaps


def u_matrix(
    prototypes: NDArray[np.floating],
    lattice: Lattice,
    feature_weights: NDArray[np.float64] | None = None,
    metric: str = "euclidean",
) -> NDArray[np.float64]:
    """(rows, columns) mean distance of each unit's prototype to its neighbours' (Ultsch & Siemon 1990).

    Neighbours are those of `lattice.default_adjacency`; a unit without any has 0.
    """
    edges = lattice.edges()
    gaps = edge_distances(prototypes, edges, feature_weights, metric)
    ends = edges.T.ravel()
    total = np.bincount(ends, weights=np.tile(gaps, 2), minlength=lattice.n_units)
    degree = np.bincount(ends, minlength=lattice.n_units)
    return np.asarray((total / np.maximum(degree, 1)).reshape(lattice.rows, lattice.columns))
