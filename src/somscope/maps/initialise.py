"""Where the prototypes start: on the plane of the two strongest directions, on items, or spread out by k-means++."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice
from somscope.maps.lattice import Lattice

__all__ = ["INITIALISATIONS", "Plane", "content_order", "initial_prototypes", "principal_plane"]

INITIALISATIONS = ("pca", "random", "k-means++")

Floats = NDArray[np.float64]
_DENSE = 256  # above this size only the two strongest directions are computed


class Plane:
    """Mean (d,), two directions (2, d) scaled to one standard deviation, and the two standard deviations (2,)."""

    def __init__(self, mean: Floats, directions: Floats, deviations: Floats) -> None:
        self.mean, self.directions, self.deviations = mean, directions, deviations


def principal_plane(
    sample: NDArray[np.floating], weights: Floats | None, column_scale: Floats | None
) -> Plane:
    """The plane of the two strongest principal components of a sample (n, d) with weights (n,) and scaled columns.

    Missing values count as their column's mean. The sign of each direction is fixed (its largest entry is positive),
    so that the map does not depend on the linear-algebra library.
    """
    x = np.array(sample, dtype=np.float64)
    w = np.ones(len(x)) if weights is None else weights
    known = ~np.isnan(x)
    mass = np.maximum((known * w[:, None]).sum(axis=0), 1e-300)
    mean = (np.where(known, x, 0.0) * w[:, None]).sum(axis=0) / mass
    centred = np.where(known, x - mean, 0.0)
    scaled = centred if column_scale is None else centred * column_scale
    root = np.sqrt(w / w.sum())[:, None]
    values, scores = _scores(scaled, root)
    deviations = np.sqrt(np.maximum(values, 0.0))
    # A unit score moves every feature (also one of weight 0) by its regression on the scores.
    unit = scores / np.where(deviations > 0, deviations, 1.0)
    directions = (unit * (w / w.sum())[:, None]).T @ centred
    signs = np.sign(directions[np.arange(2), np.abs(directions).argmax(axis=1)])
    return Plane(mean, directions * np.where(signs == 0, 1.0, signs)[:, None], deviations)


def _scores(scaled: Floats, root: Floats) -> tuple[Floats, Floats]:
    """Variances (2,) along the two strongest directions of the rows weighted by root^2, and scores (n, 2) on them."""
    from scipy.linalg import svd
    from scipy.sparse.linalg import svds

    weighted = scaled * root
    n, d = weighted.shape
    if min(n, d) > _DENSE:
        _, values, rows = svds(weighted, k=2, v0=np.full(min(n, d), 1.0), return_singular_vectors="vh")
        values, rows = values[::-1], rows[::-1]
    else:
        _, values, rows = svd(weighted, full_matrices=False)
        values, rows = values[:2], rows[:2]
    if len(values) < 2:  # one feature, or one item
        values, rows = np.append(values, 0.0), np.concatenate([rows, np.zeros((1, d))])
    return values**2, scaled @ rows.T


def initial_prototypes(
    how: str | NDArray[np.floating],
    lattice: Lattice,
    sample: NDArray[np.floating],
    plane: Plane,
    generator: np.random.Generator,
    weights: Floats | None = None,
) -> Floats:
    """(K, d) prototypes.

    "pca": the lattice laid over the principal plane, its longer side along the stronger direction, two standard
    deviations to each side of the mean; "random": items of the sample, each with a chance in proportion to its weight;
    "k-means++": items far from each other (Arthur & Vassilvitskii 2007); or an array (K, d).
    Neither the order of the items nor whether one is repeated or has the weight 2 makes a difference.
    Raises InputError for an unknown name or an array of the wrong shape.
    """
    if not isinstance(how, str):
        given = np.asarray(how, dtype=np.float64)
        if given.shape != (lattice.n_units, sample.shape[1]) or not np.isfinite(given).all():
            raise InputError(
                f"init has shape {given.shape}; needed: {(lattice.n_units, sample.shape[1])} finite numbers "
                f"(units of the {lattice.rows}x{lattice.columns} grid, features)"
            )
        return given.copy()
    check_choice("init", how, INITIALISATIONS)
    filled = np.where(np.isnan(sample), plane.mean, sample)
    mass = np.ones(len(filled)) if weights is None else weights
    if how == "random":
        return filled[_drawn(filled, mass, lattice.n_units, generator)]
    if how == "k-means++":
        from sklearn.cluster import kmeans_plusplus

        order = content_order(filled, generator)
        seed = int(generator.integers(2**31))
        n_units = min(lattice.n_units, len(filled))
        centres, _ = kmeans_plusplus(filled[order], n_units, sample_weight=mass[order], random_state=seed)
        return np.asarray(centres[np.arange(lattice.n_units) % n_units], dtype=np.float64)
    positions = lattice.positions
    if np.ptp(positions[:, 1]) > np.ptp(positions[:, 0]):
        positions = positions[:, ::-1]
    middle = (positions.max(axis=0) + positions.min(axis=0)) / 2
    half = np.maximum((positions.max(axis=0) - positions.min(axis=0)) / 2, 1e-300)
    return plane.mean + 2.0 * ((positions - middle) / half) @ plane.directions


def content_order(x: NDArray[np.floating], generator: np.random.Generator) -> NDArray[np.int64]:
    """An order (n,) of the items that depends on what they are and on the seed, not on how they are sorted.

    They are ordered along a random direction; equal items stay together.
    """
    direction = generator.standard_normal(x.shape[1])
    return np.argsort(x @ direction.astype(x.dtype), kind="stable")


def _drawn(x: Floats, mass: Floats, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """n rows, each as often as its share of the mass, give or take one: every (1/n)-th of the mass in content order."""
    order = content_order(x, generator)
    reached = np.cumsum(mass[order])
    at = (np.arange(n) + generator.random()) / n * reached[-1]
    rows = order[np.minimum(np.searchsorted(reached, at, side="right"), len(order) - 1)]
    return generator.permutation(rows)
