"""The formulas of the classic map once more, in plain loops over items, units and features, to compare with."""

from __future__ import annotations

from math import exp, hypot, isnan, sqrt

import numpy as np
from numpy.typing import NDArray

from somscope.maps.lattice import Lattice

Floats = NDArray[np.float64]


def place(lattice: Lattice, unit: int) -> tuple[float, float]:
    """x and y of a unit, in lattice steps."""
    row, column = unit // lattice.columns, unit % lattice.columns
    if lattice.shape == "rectangular":
        return float(column), float(row)
    return column + (0.5 if row % 2 else 0.0), row * sqrt(3) / 2


def lattice_distance(lattice: Lattice, a: int, b: int) -> float:
    """Distance of two units; on a torus the shortest over all nine copies of the lattice."""
    (xa, ya), (xb, yb) = place(lattice, a), place(lattice, b)
    height = lattice.rows * (1.0 if lattice.shape == "rectangular" else sqrt(3) / 2)
    copies = (-1, 0, 1) if lattice.toroidal else (0,)
    return min(hypot(xa - xb + i * lattice.columns, ya - yb + j * height) for i in copies for j in copies)


def strength(name: str, distance: float, radius: float) -> float:
    """h(d; r)."""
    if radius == 0:
        return 1.0 if distance == 0 else 0.0
    ratio = distance**2 / radius**2
    return {
        "gaussian": exp(-ratio / 2),
        "cut-gaussian": exp(-ratio / 2) if distance <= radius else 0.0,
        "bubble": 1.0 if distance <= radius else 0.0,
        "epanechnikov": max(0.0, 1 - ratio),
        "mexican-hat": (1 - ratio) * exp(-ratio / 2),
    }[name]


def distance(x: Floats, m: Floats, metric: str, weights: Floats) -> float:
    """Distance of an item, which may have gaps (NaN), to a prototype."""
    if metric == "cosine":
        product = sum(w * a * b for w, a, b in zip(weights, x, m, strict=True))
        lengths = [sqrt(sum(w * a * a for w, a in zip(weights, v, strict=True))) for v in (x, m)]
        return 1 - product / (lengths[0] * lengths[1])
    total = observed = 0.0
    for w, a, b in zip(weights, x, m, strict=True):
        if not isnan(a):
            observed += w
            total += w * (abs(a - b) if metric == "manhattan" else (a - b) ** 2)
    total *= sum(weights) / observed
    return total if metric == "manhattan" else sqrt(total)


def best_unit(x: Floats, prototypes: Floats, metric: str, weights: Floats) -> int:
    """The nearest unit; the lower one of two that are equally near."""
    return min(range(len(prototypes)), key=lambda k: distance(x, prototypes[k], metric, weights))


def batch_pass(
    x: Floats,
    prototypes: Floats,
    lattice: Lattice,
    name: str,
    radius: float,
    metric: str = "euclidean",
    feature_weights: Floats | None = None,
    sample_weight: Floats | None = None,
) -> Floats:
    """One pass of the batch rule: each prototype the weighted mean of all items, by neighbourhood and item weight."""
    n, d = x.shape
    columns = np.ones(d) if feature_weights is None else feature_weights
    rows = np.ones(n) if sample_weight is None else sample_weight
    best = [best_unit(x[i], prototypes, metric, columns) for i in range(n)]
    new = prototypes.copy()
    for k in range(len(prototypes)):
        for j in range(d):
            top = bottom = 0.0
            for i in range(n):
                if isnan(x[i, j]):
                    continue
                h = rows[i] * strength(name, lattice_distance(lattice, k, best[i]), radius)
                if metric == "cosine":
                    h /= sqrt(sum(columns[f] * x[i, f] ** 2 for f in range(d)))
                top += h * x[i, j]
                bottom += h
            if bottom > 0:
                new[k, j] = top / bottom
        if metric == "cosine":
            new[k] /= sqrt(sum(v * v for v in new[k]))
    return new


def online_pass(
    x: Floats,
    order: NDArray[np.int64],
    prototypes: Floats,
    lattice: Lattice,
    name: str,
    radii: Floats,
    rates: Floats,
    metric: str = "euclidean",
) -> Floats:
    """Kohonen's rule for the items in this order, with a radius and a rate for each step."""
    m = prototypes.copy()
    ones = np.ones(x.shape[1])
    for i, radius, rate in zip(order, radii, rates, strict=True):
        b = best_unit(x[i], m, metric, ones)
        for k in range(len(m)):
            m[k] += min(rate, 1.0) * strength(name, lattice_distance(lattice, k, b), radius) * (x[i] - m[k])
    return m
