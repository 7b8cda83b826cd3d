"""Precision, recall, density and coverage of generated items, after the definitions of the package `prdc`.

Sources: Kynkaanniemi et al. (2019), "Improved precision and recall metric for assessing generative models"; Naeem et
al. (2020), "Reliable fidelity and diversity metrics for generative models".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from somscope.measures._arrays import Floats, as_count

__all__ = ["precision_recall"]


def precision_recall(distances: ArrayLike, labels: ArrayLike, k: int = 5) -> dict[str, Floats]:
    """{"precision", "recall", "density", "coverage"}, (P,) each, for each row of labels.

    distances: (N, N). labels: (P, N), True for generated items. With r_i the distance of an item to its k-th neighbour
    of its own kind (k is lowered where a set has no k others):

        precision  share of generated items within r_i of some real item i
        recall     share of real items within r_j of some generated item j
        density    mean over generated items of the number of real items i that have them within r_i, over k
        coverage   share of real items whose nearest generated item lies within r_i

    Density may exceed 1; the others lie from 0 to 1. Even samples of one distribution do not reach 1.
    """
    distances = np.asarray(distances, dtype=np.float64)
    rows = [_one(distances, row, k) for row in np.asarray(labels)]
    return {
        name: np.array([row[name] for row in rows]) for name in ("precision", "recall", "density", "coverage")
    }


def _one(distances: Floats, generated: ArrayLike, k: int) -> dict[str, float]:
    real, fake = np.flatnonzero(~np.asarray(generated)), np.flatnonzero(generated)
    k = as_count("k", min(k, len(real) - 1, len(fake) - 1), 1, len(distances))
    across = distances[np.ix_(real, fake)]
    around_real = np.partition(distances[np.ix_(real, real)], k, axis=1)[
        :, k
    ]  # at place 0 is the item itself
    around_fake = np.partition(distances[np.ix_(fake, fake)], k, axis=1)[:, k]
    inside = across < around_real[:, None]
    return {
        "precision": float(inside.any(axis=0).mean()),
        "recall": float((across < around_fake[None]).any(axis=1).mean()),
        "density": float(inside.sum(axis=0).mean() / k),
        "coverage": float((across.min(axis=1) < around_real).mean()),
    }
