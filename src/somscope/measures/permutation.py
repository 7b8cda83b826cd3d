"""Significance by permutation, and what many tests at once do to it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.measures._arrays import Floats

__all__ = ["benjamini_hochberg", "pair_permutations", "permutation_p", "swapped_labels"]

_TIE = 1e-9  # of the largest value: what rounding may make of two equal statistics


def permutation_p(value: float, null: ArrayLike) -> float:
    """(1 + number of permutations with at least the value) / (1 + permutations): the one-sided p-value, never 0.

    null: (P,) the statistic under permutations. Source: Phipson & Smyth (2010), "Permutation p-values should never be
    zero".
    """
    null = np.asarray(null, dtype=np.float64)
    slack = _TIE * max(abs(value), float(np.abs(null).max(initial=0.0)))
    return float((1 + (null >= value - slack).sum()) / (1 + len(null)))


def benjamini_hochberg(p: ArrayLike) -> Floats:
    """(m,) q-values: calling all with q <= a keeps the expected share of false calls at a or below. NaN stays NaN.

    q_(i) = min over j >= i of m p_(j) / j. Source: Benjamini & Hochberg (1995).
    """
    p = np.asarray(p, dtype=np.float64)
    if ((p < 0) | (p > 1)).any():
        raise InputError("p-values lie from 0 to 1")
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    if not len(known):
        return q
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(1.0, np.minimum.accumulate(scaled[::-1])[::-1])
    return q


def pair_permutations(n_items: int, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(n + 1, n_items) the identity, then n random permutations."""
    rows = np.tile(np.arange(n_items), (n + 1, 1))
    rows[1:] = generator.permuted(rows[1:], axis=1)
    return rows


def swapped_labels(
    n_real: int, n_generated: int, n: int, generator: np.random.Generator, *, paired: bool
) -> NDArray[np.bool_]:
    """(n + 1, n_real + n_generated) which items count as generated: the truth (the last ones), then n by chance.

    paired: real i and generated i (n_real of each) exchange places or not, each pair for itself, since under the null
    hypothesis the two images of a pair are exchangeable, and images of different pairs need not be. Otherwise all
    items are exchangeable.
    """
    if paired and n_real != n_generated:
        raise InputError(f"{n_real} real items and {n_generated} generated ones are no pairs")
    truth = np.arange(n_real + n_generated) >= n_real
    rows = np.tile(truth, (n + 1, 1))
    if paired:
        swap = generator.random((n, n_real)) < 0.5
        rows[1:] ^= np.concatenate([swap, swap], axis=1)
    else:
        rows[1:] = generator.permuted(rows[1:], axis=1)
    return rows
