"""What stands out in a prototype: the words of a text unit, the features of a vector unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["distinctive_terms", "standing_out", "top_terms"]


def top_terms(
    prototypes: NDArray[np.floating], names: Sequence[str], count: int = 12
) -> list[list[tuple[str, float]]]:
    """For each of the (K, d) prototypes its up to `count` largest positive terms with their weights."""
    count = min(count, prototypes.shape[1])
    best = np.argpartition(-prototypes, count - 1, axis=1)[:, :count]
    weights = np.take_along_axis(prototypes, best, axis=1)
    order = np.argsort(-weights, axis=1, kind="stable")
    best, weights = np.take_along_axis(best, order, axis=1), np.take_along_axis(weights, order, axis=1)
    return [
        [
            (_name(names, term), float(weight))
            for term, weight in zip(row, row_weights, strict=True)
            if weight > 0
        ]
        for row, row_weights in zip(best.tolist(), weights.tolist(), strict=True)
    ]


def distinctive_terms(
    prototypes: NDArray[np.floating], names: Sequence[str], count: int = 3
) -> list[list[str]]:
    """For each of the (K, d) prototypes the terms whose weight exceeds their mean weight over all units the most.

    Words that are large everywhere say nothing about where one is on the map, and are not among them.
    """
    excess = prototypes - prototypes.mean(axis=0)
    return [[term for term, _ in row] for row in top_terms(excess, names, count)]


def standing_out(
    prototypes: NDArray[np.floating], names: Sequence[str], count: int = 8
) -> list[list[tuple[str, float, float]]]:
    """For each prototype the `count` features that differ most from the mean over units.

    Each as (name, value, standard deviations over the units from their mean); features equal everywhere are left out.
    """
    values = np.asarray(prototypes, dtype=np.float64)
    known = np.isfinite(values)
    n_known = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0).sum(axis=0) / n_known
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(axis=0) / n_known)
    score = np.where(known & (spread > 0), (values - mean) / np.where(spread > 0, spread, 1), 0.0)
    best = np.argsort(-np.abs(score), axis=1, kind="stable")[:, :count]
    return [
        [(_name(names, i), float(values[unit, i]), float(score[unit, i])) for i in row if score[unit, i] != 0]
        for unit, row in enumerate(best.tolist())
    ]


def _name(names: Sequence[str], index: int) -> str:
    return str(names[index]) if index < len(names) else f"feature {index}"
