"""What coders by hyperplanes share: bit_k = [w_k . (x - mean) >= 0]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from somscope.codes.coder import Arrays, Coder
from somscope.maps.blocks import MappedBlocks
from somscope.seeds import random_source

__all__ = ["LinearCoder", "learned_from", "principal_components"]

_LEARNED_FROM = 2**30  # bytes of items; PCA holds them twice

_SAME = 1e-10  # a direction whose share of the variance is below this does not vary, but for rounding


class LinearCoder(Coder):
    """Fitted attributes: mean_ (d,), components_ (d, K) with w_k in columns. A column of zeros is a bit that is 0."""

    mean_: NDArray[np.float64]
    components_: NDArray[np.float64]

    def _project(self, items: NDArray[Any]) -> NDArray[np.floating]:
        values = (items - self.mean_) @ self.components_
        values[:, ~self.components_.any(axis=0)] = -1
        return np.asarray(values)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {"mean_": self.mean_, "components_": self.components_}

    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        self.mean_, self.components_ = arrays["mean_"], arrays["components_"]
        d = self.n_features_in_
        if self.mean_.shape != (d,) or self.components_.shape != (d, self.bits):
            raise ValueError(f"components_ of shape {self.components_.shape}, not ({d}, {self.bits})")


def learned_from(items: NDArray[Any]) -> NDArray[Any]:
    """The items that directions are learned from: all, or of more than 1 GiB as many as that, evenly spread."""
    most = max(1, _LEARNED_FROM // max(1, items[:1].nbytes))
    if len(items) <= most:
        return items
    return MappedBlocks(items).read(np.linspace(0, len(items) - 1, most).astype(np.int64))


def principal_components(
    items: NDArray[Any], k: int, random_state: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The mean (d,) and the first k principal directions (d, k) of items (n, d), by scikit-learn's PCA.

    Where items vary in fewer than k directions, the others are columns of zeros.
    """
    d = items.shape[1]
    directions = np.zeros((d, k))
    if len(items) == 1 or not np.ptp(items, axis=0).any():
        return items.mean(axis=0, dtype=np.float64), directions
    pca = PCA(n_components=min(k, *items.shape), random_state=random_source(random_state)).fit(items)
    variances = pca.explained_variance_.astype(np.float64)
    found = int((variances > _SAME * variances[0]).sum())
    directions[:, :found] = pca.components_[:found].T
    return pca.mean_.astype(np.float64), directions
