"""Iterative quantization (Gong and Lazebnik, CVPR 2011): the rotation of the principal components that loses least when
only their signs are kept."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from somscope.codes.linear import LinearCoder, learned_from, principal_components
from somscope.errors import InputError
from somscope.seeds import random_source

__all__ = ["ITQ"]


class ITQ(LinearCoder):
    """Q(B, R) = ||B - V R||_F^2 (equation 2), with V (n, K) the principal components and B = sgn(V R).

    From a random rotation R, n_iter times: B = sgn(V R); with the SVD B^T V = S W T^T, R = T S^T (section 3.2).
    Where items vary in fewer than K directions, the columns of V that are missing are zero, and R spreads the others
    over all K bits.

    Parameters
    ----------
    bits: K, a multiple of 8. n_iter: 50 in the paper. random_state: of the first rotation and of a randomised PCA.

    Attributes
    ----------
    mean_ (d,); components_ (d, K) principal directions after the rotation; loss_ (n_iter,) Q / (n K) of each step, in
    units in which V has variance 1; and those of `Coder`.
    """

    model_name: ClassVar[str] = "itq"

    loss_: list[float]

    def __init__(self, bits: int = 32, *, n_iter: int = 50, random_state: Any = None) -> None:
        self.bits = bits
        self.n_iter = n_iter
        self.random_state = random_state

    def _fit(self, items: NDArray[Any]) -> None:
        if not isinstance(self.n_iter, int | np.integer) or self.n_iter < 0:
            raise InputError(f"n_iter={self.n_iter!r}; allowed: 0 or more")
        random = random_source(self.random_state)
        items = learned_from(items)
        self.mean_, directions = principal_components(items, self.bits, random)
        v = (items - self.mean_) @ directions
        scale = float(np.sqrt(np.square(v).mean())) or 1.0
        rotation = np.linalg.qr(random.standard_normal((self.bits, self.bits)))[0]
        self.loss_ = []
        for _ in range(self.n_iter):
            rotated = v @ rotation
            signs = np.where(rotated >= 0, 1.0, -1.0)
            s, _, t = np.linalg.svd(signs.T @ v)
            rotation = t.T @ s.T
            self.loss_.append(float(np.square(signs - v @ rotation / scale).mean()))
        self.components_ = directions @ rotation

    def _kept(self) -> dict[str, Any]:
        return {**super()._kept(), "loss_": self.loss_}
