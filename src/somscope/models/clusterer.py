"""The deep clusterer: a deep model whose prototypes are the centres of clusters."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from somscope.errors import InputError
from somscope.maps.clusters import cluster_cells
from somscope.maps.graph import GraphLattice
from somscope.maps.sample import SAMPLE
from somscope.models.deep_model import Codes, DeepModel, Floats

__all__ = ["CONVERGED", "DeepClusterer", "kmeans_centres"]

CONVERGED = "converged"
_RESTARTS = 20  # of k-means, as DEC and IDEC have it


class DeepClusterer(DeepModel):
    """Clusters of codes of a network that is trained with them.

    A model derives from it and gives `_module`, `_phases`, `_check_choices` and its parameters. All of them have:
    n_clusters, and those of every deep model.

    Attributes
    ----------
    cluster_centers_ (K, L) among the codes; labels_ (n,) cluster of each training item; hits_ (K,) sizes of the
    clusters; n_reseeded_ how often a cluster that had no items left was put on the item farthest from its centre;
    decoded_prototypes_ (K, d) centres as items; and those of every deep model, see `deep_model.DeepModel`.
    """

    _noun: ClassVar[str] = "clustering"
    _parts: ClassVar[str] = "clusters"
    _own_fitted: ClassVar[tuple[str, ...]] = ("n_reseeded_",)

    n_clusters: int
    n_reseeded_: int

    @property
    def cluster_centers_(self) -> Codes:
        """(K, L) the prototypes."""
        return self.prototypes_

    @property
    def lattice_(self) -> GraphLattice:
        """The cells in which reports draw the clusters, the largest first."""
        return cluster_cells(self.hits_)

    @property
    def u_matrix_(self) -> Floats:
        """(K,) distance of each centre to the nearest other one."""
        between = cdist(self.prototypes_, self.prototypes_)
        np.fill_diagonal(between, np.inf)
        return np.asarray(between.min(axis=1))

    @property
    def _n_units(self) -> int:
        return int(self.n_clusters)

    def _prepare(self, items: NDArray[Any]) -> None:
        """Raises InputError unless there are at least n_clusters different items."""
        n, wanted = len(items), self._n_units
        if n < wanted:
            raise InputError(f"n_clusters={wanted}: X has {n} sample(s), which is fewer")
        different = len(np.unique(items[:SAMPLE], axis=0))
        if different < wanted and n > SAMPLE:
            different = len(np.unique(items, axis=0))
        if different == 1:
            raise InputError(f"all {n} items are equal: there is nothing to cluster")
        if different < wanted:
            raise InputError(f"n_clusters={wanted}: only {different} of the {n} items are different")

    def _settle(self, items: NDArray[Any], seed: int) -> None:
        if (
            not self.module_.prototypes.any()
        ):  # interrupted before there were clusters, or they all come from here
            codes = np.concatenate(list(self._coded(items)))
            self.module_.prototypes.copy_(kmeans_centres(codes, self._n_units, seed))
        self.n_reseeded_ = int(getattr(self.module_, "n_reseeded", 0))
        self.module_.forget()


def kmeans_centres(codes: NDArray[np.floating], n_clusters: int, seed: int) -> torch.Tensor:
    """(K, L) float32 centres of k-means (scikit-learn, the best of 20 starts) on codes (n, L)."""
    kmeans = KMeans(n_clusters, n_init=_RESTARTS, random_state=seed)
    with (
        warnings.catch_warnings()
    ):  # fewer different codes than clusters: they become empty and are re-seeded
        warnings.simplefilter("ignore", ConvergenceWarning)
        return torch.from_numpy(kmeans.fit(codes).cluster_centers_.astype(np.float32))
