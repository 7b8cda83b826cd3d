"""Fréchet distance and kernel distance of two sets of features: FID and KID, where these are Inception's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from somscope.errors import InputError
from somscope.measures._arrays import Floats

__all__ = ["frechet_distance", "kernel_distance"]

_BLOCK = 1024  # rows of a kernel held at a time


def frechet_distance(first: ArrayLike, second: ArrayLike) -> float:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of the means and covariances (n - 1) of (n, d) and (m, d) features.

    It is called FID only where the features are the 2,048 pooled ones of the Inception network of 2015-12-05. It is
    biased upwards, the more so the fewer items; with no more items than features the covariances are singular. With
    A, B the centred features over sqrt(n - 1), the trace of the root is the sum of the singular values of A B^T.
    Source: Heusel et al. (2017), "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
    equation 6.
    """
    x, y = _checked(first, second)
    gap = x.mean(axis=0) - y.mean(axis=0)
    a, b = ((z - z.mean(axis=0)) / np.sqrt(len(z) - 1) for z in (x, y))
    spread = float(np.square(a).sum() + np.square(b).sum())
    product = _short(a) @ _short(b).T
    root = float(np.linalg.svd(product, compute_uv=False).sum())
    return max(0.0, float(gap @ gap) + spread - 2 * root)


def _short(rows: Floats) -> Floats:
    """At most d rows with the same R^T R."""
    return np.asarray(np.linalg.qr(rows, mode="r")) if len(rows) > rows.shape[1] else rows


def kernel_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Unbiased squared MMD of (n, d) and (m, d) features under the kernel (x . y / d + 1)^3; may be below 0.

    It is called KID only where the features are those of FID. Over all items, of which the published mean over random
    subsets is an estimate. Source: Binkowski et al. (2018), "Demystifying MMD GANs", section 4.
    """
    x, y = _checked(first, second)
    n, m = len(x), len(y)
    within = [(_kernel_sum(z, z) - _cubed(np.square(z).sum(axis=1), z.shape[1]).sum()) for z in (x, y)]
    return float(within[0] / (n * (n - 1)) + within[1] / (m * (m - 1)) - 2 * _kernel_sum(x, y) / (n * m))


def _kernel_sum(x: Floats, y: Floats) -> float:
    return sum(float(_cubed(x[at : at + _BLOCK] @ y.T, x.shape[1]).sum()) for at in range(0, len(x), _BLOCK))


def _cubed(products: Floats, d: int) -> Floats:
    return (products / d + 1.0) ** 3


def _checked(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats]:
    x, y = (np.asarray(features, dtype=np.float64) for features in (first, second))
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise InputError(
            f"features have shapes {x.shape} and {y.shape}; allowed: (n, d) and (m, d) with two items or more"
        )
    return x, y
