"""Fewer coordinates for the same distances: n points span at most n - 1 dimensions, however long their vectors are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError

__all__ = ["distinct", "rotate"]

_BLOCK = 2**25  # bytes of float64 at a time
_KEPT = 1e-12  # of the largest eigenvalue: below lies rounding


def rotate(*sets: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    """The items of all sets in common coordinates: (n_k, r) each, r < sum of n_k, all distances as they were.

    sets: (n_k, ...) arrays of numbers, flattened. With G = X X^T of the centred items and G = V S V^T, the
    coordinates are V sqrt(S): the exact rotation of X (up to rounding) without its zero dimensions. Equal items get
    equal coordinates to the last bit. Only a part of X is ever in memory as float64. Where the vectors are not longer
    than their number, they are only centred.
    """
    flat = [np.asarray(items).reshape(len(np.asarray(items)), -1) for items in sets]
    if len({items.shape[1] for items in flat}) != 1:
        raise InputError(
            f"sets have {[items.shape[1] for items in flat]} features; allowed: one number for all"
        )
    different, where = distinct(flat)
    n, d = different.shape
    middle = different.mean(axis=0, dtype=np.float64)
    if d <= n:
        coordinates = different - middle
    else:
        gram = np.zeros((n, n))
        step = max(1, _BLOCK // (8 * n))
        for start in range(0, d, step):
            part = different[:, start : start + step] - middle[start : start + step]
            gram += part @ part.T
        values, vectors = np.linalg.eigh(gram)
        kept = values > _KEPT * max(float(values[-1]), np.finfo(float).tiny)
        coordinates = vectors[:, kept] * np.sqrt(values[kept])
        if not kept.any():
            coordinates = np.zeros((n, 1))
    ends = np.cumsum([len(items) for items in flat])
    return tuple(coordinates[rows] for rows in np.split(where, ends[:-1]))


def distinct(sets: Sequence[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """The different items of all sets, and for each item which of them it is."""
    known: dict[bytes, int] = {}
    where: list[int] = []
    first: list[NDArray[Any]] = []
    for items in sets:
        for item in items:
            at = known.setdefault(item.tobytes(), len(known))
            if at == len(first):
                first.append(item)
            where.append(at)
    return np.stack(first), np.asarray(where)
