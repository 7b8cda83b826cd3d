"""Locality-sensitive hashing with random hyperplanes (Charikar, STOC 2002): P(bit differs) = angle(x, y) / pi."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from somscope.codes.coder import Arrays, Coder

__all__ = ["LSH"]


class LSH(Coder):
    """Signs of random projections: bit_k = [w_k . (x - mean) >= 0], w_k ~ N(0, I).

    Charikar's projections go through the origin; here they go through the mean of the training items, so that items
    which all lie on one side of the origin, such as pixels, do not get the same bits. `center=False` is his.

    Parameters
    ----------
    bits: K, a multiple of 8. center: subtract the mean. random_state: of the projections.

    Attributes
    ----------
    mean_ (d,); components_ (d, K) the w_k in columns; and those of `Coder`.
    """

    model_name: ClassVar[str] = "lsh"

    def __init__(self, bits: int = 32, *, center: bool = True, random_state: Any = None) -> None:
        self.bits = bits
        self.center = center
        self.random_state = random_state

    def _fit(self, items: NDArray[Any]) -> None:
        d = items.shape[1]
        self.mean_ = items.mean(axis=0, dtype=np.float64) if self.center else np.zeros(d)
        self.components_ = check_random_state(self.random_state).standard_normal((d, self.bits))

    def _project(self, items: NDArray[Any]) -> NDArray[np.floating]:
        return np.asarray((items - self.mean_) @ self.components_)

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        return {}, {"mean_": self.mean_, "components_": self.components_}

    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        self.mean_, self.components_ = arrays["mean_"], arrays["components_"]
        d = self.n_features_in_
        if self.mean_.shape != (d,) or self.components_.shape != (d, self.bits):
            raise ValueError(f"components_ {self.components_.shape} are not ({d}, {self.bits})")
