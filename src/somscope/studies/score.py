"""The measures of one trained model on labelled items, and what the same units would reach with shuffled labels."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope import measures
from somscope.data import Collection
from somscope.errors import InputError
from somscope.maps.inputs import as_items, as_matrix
from somscope.maps.relevance import unassigned

__all__ = ["merged_classes", "score"]

Units = NDArray[np.int64]

_LEAST_SHARE = 0.01  # of a class, that a unit must hold to count for the regions in which the class lies


def score(model: Any, collection: Collection, seed: int) -> tuple[dict[str, float], dict[str, float]]:
    """(measures, chance) of a trained model.

    model: has prototypes_ (K, l), lattice_ (or None), and encode(items) -> (n, l) where its prototypes lie in a latent
    space: units, quantization and topographic errors are then those of the latent space. accuracy: k-means with as
    many clusters as classes on the prototypes, each item in the cluster of its code, clusters matched one to one to
    classes; of a map that has groups of units (unit_clusters_) these; of a clusterer (cluster_centers_) its own
    clusters. A map with relevances_ assigns items by its own rule (best_units), and has besides: units, their number;
    unassigned, the share of items that activate no unit up to the threshold; and perturbation_ratio, if it decodes.
    Its accuracy takes the cluster of an item's unit. chance: the measures of agreement when the labels are shuffled.
    Raises InputError for a collection in which an item has no label.
    """
    if collection.labels is None or not (collection.labels >= 0).all():
        raise InputError(f"{collection.name}: a study scores labelled items, and some have no label")
    labels = collection.labels
    prototypes = np.asarray(model.prototypes_)
    n_units = len(prototypes)
    clusterer, growing = hasattr(model, "cluster_centers_"), hasattr(model, "relevances_")
    classes = len(np.unique(labels))
    if clusterer or growing:  # whose items need not belong to the nearest prototype
        units, distances = model.best_units(collection, k=1)
        best: Units = units[:, 0]
        merged = best
        if growing and n_units >= classes:
            merged = _kmeans(prototypes, classes, seed).labels_.astype(np.int64)[best]
    else:
        codes = as_matrix(model.encode(collection) if hasattr(model, "encode") else collection)
        items = as_items(codes, "euclidean", None, None, False)
        units, distances = items.nearest(prototypes, second=n_units > 1)
        best = units[:, 0].astype(np.int64)
        groups = getattr(model, "unit_clusters_", None)
        if groups is not None:
            merged = groups[best]
        else:
            merged = merged_classes(prototypes, codes, classes, seed) if n_units >= classes else best
    found = _agreement(labels, best, merged)
    found["unit_perplexity"] = measures.unit_perplexity(best, n_units)
    found["dead_units"] = float(measures.dead_units(best, n_units))
    found["quantization_error"] = float(distances[:, 0].mean())
    if growing:
        found |= _of_relevances(model, distances[:, 0], seed)
    elif not clusterer and model.lattice_ is not None and n_units > 1:
        kinds = ("hexagonal",) if model.lattice_.shape == "hexagonal" else ("4", "8")
        for kind in kinds:
            near = model.lattice_.adjacency(kind)
            found[f"topographic_error_{kind}"] = measures.topographic_error(best, units[:, 1], near)
        near = model.lattice_.adjacency()
        found["class_scatter_index"] = measures.class_scatter_index(labels, best, near, _LEAST_SHARE)
    shuffled = np.random.default_rng(seed).permutation(labels)
    return found, _agreement(shuffled, best, merged)


def _agreement(labels: Units, best: Units, merged: Units) -> dict[str, float]:
    return {
        "purity": measures.purity(labels, best),
        "nmi_arithmetic": measures.nmi(labels, best, average="arithmetic"),
        "nmi_geometric": measures.nmi(labels, best, average="geometric"),
        "accuracy": measures.accuracy(labels, merged),
        "ari": measures.adjusted_rand_index(labels, best),
        "homogeneity": measures.homogeneity(labels, best),
    }


def merged_classes(prototypes: NDArray[np.floating], codes: Any, n_classes: int, seed: int) -> Units:
    """(n,) cluster of each code under k-means of the prototypes with n_classes clusters (best of ten starts).

    prototypes: (K, l); codes: (n, l). As DESOM's authors do for their Table 3.
    """
    kmeans = _kmeans(prototypes, n_classes, seed)
    groups = as_items(codes, "euclidean", None, None, False).nearest(kmeans.cluster_centers_)[0]
    return groups[:, 0].astype(np.int64)


def _kmeans(prototypes: NDArray[np.floating], n_classes: int, seed: int) -> Any:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # equal prototypes: fewer clusters than classes
        return KMeans(n_classes, n_init=10, random_state=seed).fit(prototypes)


def _of_relevances(model: Any, distances: NDArray[np.floating], seed: int) -> dict[str, float]:
    """What a growing map with relevances has beside others; distances (n,) are those to the most active units."""
    noise = unassigned(distances, model.threshold)
    found = {"units": float(len(model.prototypes_)), "unassigned": float(noise.mean())}
    if hasattr(model, "decode"):
        ratio = measures.perturbation_ratio(
            model.prototypes_, model.relevances_, model.decode, seed=seed
        ).ratio
        if np.isfinite(ratio):
            found["perturbation_ratio"] = ratio
    return found
