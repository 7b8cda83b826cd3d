"""What the relevances of a map's prototypes mean for what they decode to (SOMRL paper, section 5.3 and appendix A)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError

__all__ = [
    "Perturbation",
    "dimension_effects",
    "nearest_items",
    "perturbation_ratio",
    "perturbed",
    "relevance_thirds",
    "traversal",
]

Floats = NDArray[np.float64]
Decode = Callable[[Floats], ArrayLike]


class Perturbation(NamedTuple):
    """least, most: (K,) root mean square change of what each prototype decodes to when the least and the most relevant
    third of its dimensions are disturbed; NaN for a prototype whose relevances are all equal. ratio: mean of most over
    mean of least, NaN where no prototype has both."""

    least: Floats
    most: Floats
    ratio: float


def perturbed(
    prototypes: ArrayLike, chosen: ArrayLike, amount: float, generator: np.random.Generator
) -> Floats:
    """(K, L) prototypes in the unit cube, moved by `amount` along the chosen (K, L) dimensions.

    The direction of each is random; where it would leave [0, 1] it is the other one, so that all are moved equally.
    Raises InputError for an amount outside (0, 0.5], with which that could not be.
    """
    if not 0.0 < amount <= 0.5:
        raise InputError(f"amount={amount!r}; allowed: a number above 0, at most 0.5")
    start = np.asarray(prototypes, np.float64)
    sign = generator.choice((-1.0, 1.0), start.shape)
    moved = start + amount * sign
    sign = np.where(moved < 0.0, 1.0, np.where(moved > 1.0, -1.0, sign))
    return np.where(np.asarray(chosen, np.bool_), start + amount * sign, start)


def relevance_thirds(relevances: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(K, L) True for the least, and for the most relevant third of each prototype's dimensions.

    A third is L / 3 rounded down, at least 1. Prototypes whose relevances are all equal, as before the first update,
    have neither.
    """
    values = np.asarray(relevances, np.float64)
    size = max(1, values.shape[1] // 3)
    rank = np.argsort(np.argsort(values, axis=1, kind="stable"), axis=1)
    told = np.ptp(values, axis=1, keepdims=True) > 0
    return (rank < size) & told, (rank >= values.shape[1] - size) & told


def perturbation_ratio(
    prototypes: ArrayLike,
    relevances: ArrayLike,
    decode: Decode,
    *,
    amount: float = 0.25,
    draws: int = 10,
    seed: int = 0,
) -> Perturbation:
    """How much more a decoded prototype changes with its most relevant third of dimensions than with its least.

    prototypes, relevances: (K, L); decode: (n, L) -> (n, d). Means over `draws` random directions.
    """
    start, generator = np.asarray(prototypes, np.float64), np.random.default_rng(seed)
    before = np.asarray(decode(start), np.float64)
    changes = []
    for chosen in relevance_thirds(relevances):
        squares = np.zeros(len(start))
        for _ in range(draws):
            after = np.asarray(decode(perturbed(start, chosen, amount, generator)), np.float64)
            squares += ((after - before) ** 2).mean(axis=1)
        changes.append(np.where(chosen.any(axis=1), np.sqrt(squares / draws), np.nan))
    least, most = changes
    known = np.isfinite(least)
    ratio = float(most[known].mean() / least[known].mean()) if known.any() and least[known].any() else np.nan
    return Perturbation(least, most, ratio)


def dimension_effects(
    prototypes: ArrayLike, decode: Decode, *, amount: float = 0.25, draws: int = 4, seed: int = 0
) -> Floats:
    """(K, L) root mean square change of what each prototype (K, L) decodes to when one dimension alone is disturbed.

    As relevances in `perturbation_ratio` they give the ratio that no relevances of these prototypes could exceed by
    much: what the network itself allows. decode: (n, L) -> (n, d). Means over `draws` random directions.
    """
    start, generator = np.asarray(prototypes, np.float64), np.random.default_rng(seed)
    before = np.asarray(decode(start), np.float64)
    effects = np.empty_like(start)
    for dimension in range(start.shape[1]):
        chosen = np.zeros(start.shape, np.bool_)
        chosen[:, dimension] = True
        squares = np.zeros(len(start))
        for _ in range(draws):
            after = np.asarray(decode(perturbed(start, chosen, amount, generator)), np.float64)
            squares += ((after - before) ** 2).mean(axis=1)
        effects[:, dimension] = np.sqrt(squares / draws)
    return effects


def traversal(prototype: ArrayLike, dimension: int, steps: int = 9) -> tuple[Floats, Floats]:
    """(values (steps,), (steps, L)): a prototype (L,) with one dimension walked from 0 to 1 (Fig. 4)."""
    values = np.linspace(0.0, 1.0, steps)
    walked = np.tile(np.asarray(prototype, np.float64), (steps, 1))
    walked[:, dimension] = values
    return values, walked


def nearest_items(pictures: ArrayLike, items: ArrayLike, k: int = 10) -> NDArray[np.int64]:
    """(K, k) rows of the items (n, d) that lie nearest to each decoded prototype (K, d), nearest first (Fig. 10).

    Raises InputError for more than n.
    """
    from sklearn.neighbors import NearestNeighbors

    items = np.asarray(items)
    if not 1 <= k <= len(items):
        raise InputError(f"k={k}; allowed: 1 to {len(items)}, the number of items")
    search = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(items)
    return np.asarray(search.kneighbors(np.asarray(pictures), return_distance=False), np.int64)
