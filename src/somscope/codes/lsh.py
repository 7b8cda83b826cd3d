"""Locality-sensitive hashing with random hyperplanes (Charikar, STOC 2002): P(a bit differs) = angle(x, y) / pi."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from somscope.codes.linear import LinearCoder
from somscope.seeds import random_source

__all__ = ["LSH"]


class LSH(LinearCoder):
    """Signs of random projections: bit_k = [w_k . (x - mean) >= 0], w_k ~ N(0, I).

    Charikar's hyperplanes go through the origin; these go through the mean of the training items, so that items which
    all lie on one side of the origin, such as pixels, do not all get the same bits. `center=False` is his.

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
        self.components_ = random_source(self.random_state).standard_normal((d, self.bits))
