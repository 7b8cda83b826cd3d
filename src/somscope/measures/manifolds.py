"""Precision, recall, density and coverage of generated items, after the definitions of the package `prdc`.

Sources: Kynkaanniemi et al. (2019), "Improved precision and recall metric for assessing generative models"; Naeem et
al. (2020), "Reliable fidelity and diversity metrics for generative models".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.measures._arrays import Floats, as_count

__all__ = ["precision_recall"]

_WIDTH = 64  # neighbours looked at first; more only where they do not hold k of an item's own kind
_NAMES = ("precision", "recall", "density", "coverage")


def precision_recall(
    distances: ArrayLike, labels: ArrayLike, k: int = 5, present: ArrayLike | None = None
) -> dict[str, Floats]:
    """{"precision", "recall", "density", "coverage"}, (P,) each, for each row of labels.

    distances: (N, N). labels: (P, N), True for generated items. present: (P, N), the items that take part; by default
    all. With r_i the distance of an item to its k-th neighbour of its own kind (k is lowered where a set has no k
    others):

        precision  share of generated items within r_i of some real item i
        recall     share of real items within r_j of some generated item j
        density    mean over generated items of the number of real items i that have them within r_i, over k
        coverage   share of real items whose nearest generated item lies within r_i

    Density may exceed 1; the others lie from 0 to 1. Even samples of one distribution do not reach 1.
    """
    labels = np.asarray(labels, dtype=bool)
    taking_part = np.ones_like(labels) if present is None else np.asarray(present, dtype=bool)
    table = np.array(distances, dtype=np.float64)
    np.fill_diagonal(table, -1.0)  # each item is its own first neighbour
    near, gaps = _neighbours(table, _WIDTH)
    rows = []
    for generated, here in zip(labels, taking_part, strict=True):
        row = _one(near, gaps, generated, here, k)
        while row is None:
            near, gaps = _neighbours(table, 4 * near.shape[1])
            row = _one(near, gaps, generated, here, k)
        rows.append(row)
    return {name: np.array([row[at] for row in rows]) for at, name in enumerate(_NAMES)}


def _neighbours(table: Floats, width: int) -> tuple[NDArray[np.int64], Floats]:
    """(N, width) the nearest items of each item in order, itself first, and how far they are."""
    width = min(width, len(table))
    near = np.argpartition(table, width - 1, axis=1)[:, :width]
    gaps = np.take_along_axis(table, near, axis=1)
    order = np.argsort(gaps, axis=1, kind="stable")
    return np.take_along_axis(near, order, axis=1), np.take_along_axis(gaps, order, axis=1)


def _one(
    near: NDArray[np.int64], gaps: Floats, generated: NDArray[np.bool_], here: NDArray[np.bool_], k: int
) -> tuple[float, ...] | None:
    """The four numbers of one row of labels; None where the neighbours do not reach the k-th of an item's own kind."""
    n_real, n_fake = int((here & ~generated).sum()), int((here & generated).sum())
    k = as_count("k", min(k, n_real - 1, n_fake - 1), 1, len(here))
    rows = np.flatnonzero(here)
    kind = generated[rows]
    others, gap = near[rows], gaps[rows]
    known = here[others]
    own = known & (generated[others] == kind[:, None])
    met = own.cumsum(axis=1)
    if (met[:, -1] <= k).any():
        return None
    radius = gap[np.arange(len(rows)), (met == k + 1).argmax(axis=1)]
    inside = known & ~own & (gap < radius[:, None])  # of the other kind, within the radius
    fake_hit = np.unique(others[~kind][inside[~kind]])
    real_hit = np.unique(others[kind][inside[kind]])
    return (
        len(fake_hit) / n_fake,
        len(real_hit) / n_real,
        float(inside[~kind].sum()) / (n_fake * k),
        float(inside[~kind].any(axis=1).mean()),
    )
