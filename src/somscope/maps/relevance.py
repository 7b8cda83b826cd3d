"""Distances in which every unit weighs the features in its own way (Bassani & Araujo 2015; the SOMRL paper, eq. 1, 2).

    D_w(x, c_j) = sum_i w_ji (x_i - c_ji)^2,    ac_j(x) = S_j / (S_j + D_w(x, c_j) + eps),    S_j = sum_i w_ji

w_ji in [0, 1] is the relevance of feature i for unit j. The activation ac_j lies in (0, 1]; it is 1 on the centre. The
functions take NumPy arrays and torch tensors alike.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from somscope.errors import check_choice

__all__ = [
    "DISTANCES",
    "EPSILON",
    "activations",
    "complaint",
    "connected",
    "root_mean_square",
    "unassigned",
    "weighted_distances",
]

DISTANCES = ("relevance", "mean-relevance")
EPSILON = 1e-7
_MUCH = 0.5  # share of noise among the training items from which a map stands for too few of them


def weighted_distances(x: Any, centres: Any, relevances: Any, distance: str = "relevance") -> Any:
    """(n, m), (K, m), (K, m) -> (n, K) D_w, from products of matrices.

    distance: "relevance" is eq. 2; "mean-relevance" weighs all features of a unit with the mean of its relevances, as
    public code of the authors' group does, whose relevances say nothing about directions.
    """
    check_choice("distance", distance, DISTANCES)
    if distance == "mean-relevance":
        relevances = 0.0 * relevances + relevances.mean(1)[:, None]
    weighted = relevances * centres
    squared = (x * x) @ relevances.T - 2.0 * (x @ weighted.T) + (weighted * centres).sum(1)
    return squared.clip(0.0)


def activations(
    x: Any, centres: Any, relevances: Any, epsilon: float = EPSILON, distance: str = "relevance"
) -> Any:
    """(n, m), (K, m), (K, m) -> (n, K) activation of each unit by each item, eq. 1."""
    total = relevances.sum(1)
    return total / (weighted_distances(x, centres, relevances, distance) + (total + epsilon))


def root_mean_square(activation: Any) -> Any:
    """The distance of which an activation is a function: sqrt(1 / ac - 1), which is sqrt((D_w + eps) / S).

    It is a root mean square difference over the features, weighted by relevance: with equal relevances the Euclidean
    distance over sqrt(m). The most active unit is the nearest.
    """
    return (1.0 / activation - 1.0).clip(0.0) ** 0.5


def unassigned(distances: Any, threshold: float) -> Any:
    """(n,) distances of items to their most active units (`root_mean_square`) -> (n,) True where the activation is
    below the threshold: noise to the map."""
    return 1.0 / (1.0 + distances**2) < threshold


def complaint(distances: Any, threshold: float) -> str | None:
    """What to say of a map to which most of its training items, at distances (n,) from their units, are noise; and the
    activation that half of them reach, from which to look for a better threshold."""
    noise = unassigned(distances, threshold)
    share = noise.mean()
    if share <= _MUCH:
        return None
    reached = float(np.median(1.0 / (1.0 + distances[noise] ** 2)))
    decimals = 1 - math.floor(math.log10(1.0 - reached))  # two digits of what is missing to 1
    reached = math.floor(reached * 10**decimals) / 10**decimals
    return (
        f"{share:.0%} of the items activate no unit up to the threshold of {threshold:g}, and are noise; half of them "
        f"reach {reached:.{decimals}f}: lower threshold to that or so"
    )


def connected(
    centres: Any, relevances: Any, threshold: float, epsilon: float = EPSILON, distance: str = "relevance"
) -> Any:
    """(K, K) True where two different units activate each other: ac_i(c_j) >= threshold and ac_j(c_i) >= threshold.

    It is the final topology of a SOMRL map (section 3.6).
    """
    active = activations(centres, centres, relevances, epsilon, distance) >= threshold
    both = active & active.T
    rows = range(len(centres))
    both[rows, rows] = False
    return both
