"""Where the prototypes start: on the plane of the two strongest directions, on items, or spread out by k-means++."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import LinearOperator

from somscope.errors import InputError, check_choice
from somscope.maps.lattice import Lattice
from somscope.maps.threads import one_blas_thread

__all__ = ["INITIALISATIONS", "Plane", "content_order", "initial_prototypes", "principal_plane"]

INITIALISATIONS = ("pca", "random", "k-means++")

Floats = NDArray[np.float64]
_DENSE = 256  # above this size only the two strongest directions are computed
_SMALL = 2**21  # entries of a sparse sample that may be made dense


class Plane:
    """Mean (d,), two directions (2, d) scaled to one standard deviation, and the two standard deviations (2,)."""

    def __init__(self, mean: Floats, directions: Floats, deviations: Floats) -> None:
        self.mean, self.directions, self.deviations = mean, directions, deviations


def principal_plane(sample: Any, weights: Floats | None, column_scale: Floats | None) -> Plane:
    """The plane of the two strongest principal components of a sample (n, d) with weights (n,) and scaled columns.

    sample: dense, where missing values (NaN) count as their column's mean, or CSR, which is not made dense unless it
    is small. The sign of each direction is fixed (its largest entry is positive), so that the map does not depend on
    the linear-algebra library.
    """
    if sparse.issparse(sample) and sample.shape[0] * sample.shape[1] <= _SMALL:
        sample = sample.toarray()
    w = np.ones(sample.shape[0]) if weights is None else weights
    w = w / w.sum()
    with one_blas_thread():
        if sparse.issparse(sample):
            mean = np.asarray(w @ sample, dtype=np.float64)
            centred: Any = _Centred(sample, mean)
        else:
            centred = np.array(sample, dtype=np.float64)
            gaps = np.isnan(centred)
            centred[gaps] = 0.0
            mean = w @ centred
            if gaps.any():
                mean /= np.maximum(w @ ~gaps, 1e-300)
            centred -= mean
            centred[gaps] = 0.0
        variances, scores = _scores(centred, np.sqrt(w), column_scale)
        deviations = np.sqrt(np.maximum(variances, 0.0))
        # A unit score moves every feature (also one of weight 0) by its regression on the scores.
        unit = scores / np.where(deviations > 0, deviations, 1.0)
        directions = np.asarray((centred.T @ (unit * w[:, None])).T)
    signs = np.sign(directions[np.arange(2), np.abs(directions).argmax(axis=1)])
    return Plane(mean, directions * np.where(signs == 0, 1.0, signs)[:, None], deviations)


class _Centred(LinearOperator):  # type: ignore[misc]
    """A sparse matrix less its mean row, as an operator."""

    def __init__(self, x: Any, mean: Floats) -> None:
        super().__init__(np.float64, x.shape)
        self.x, self.mean = x, mean

    def _matmat(self, v: Floats) -> Floats:
        return np.asarray(self.x @ v - self.mean @ v)

    def _rmatmat(self, v: Floats) -> Floats:
        return np.asarray(self.x.T @ v - np.outer(self.mean, v.sum(axis=0)))


def _scores(centred: Any, root: Floats, column_scale: Floats | None) -> tuple[Floats, Floats]:
    """Variances (2,) along the two strongest directions of the rows weighted by root^2, and scores (n, 2) on them."""
    from scipy.linalg import eigh, svd
    from scipy.sparse.linalg import aslinearoperator, svds

    n, d = centred.shape
    scale = np.ones(d) if column_scale is None else column_scale
    if min(n, d) > _DENSE or isinstance(centred, LinearOperator):
        # The products with the two diagonal matrices are applied to vectors: no scaled copy is made.
        weighted = _diagonal(root) @ aslinearoperator(centred) @ _diagonal(scale)
        start = np.random.default_rng(0).standard_normal(min(n, d))
        _, values, rows = svds(weighted, k=2, v0=start, return_singular_vectors="vh")
        values, rows = values[::-1], rows[::-1]
    elif n > 4 * d:
        scaled = centred * scale * root[:, None]
        squares, vectors = eigh(scaled.T @ scaled, subset_by_index=[max(0, d - 2), d - 1])
        values, rows = np.sqrt(np.maximum(squares[::-1], 0.0)), vectors.T[::-1]
    else:
        _, values, rows = svd(centred * scale * root[:, None], full_matrices=False)
        values, rows = values[:2], rows[:2]
    if len(values) < 2:  # one feature, or one item
        values, rows = np.append(values, 0.0), np.concatenate([rows, np.zeros((1, d))])
    return values**2, np.asarray(centred @ (rows * scale).T)


def _diagonal(values: Floats) -> LinearOperator:
    from scipy.sparse.linalg import aslinearoperator

    return aslinearoperator(sparse.diags_array(values))


def initial_prototypes(
    how: str | NDArray[np.floating],
    lattice: Lattice,
    sample: Any,
    plane: Plane,
    generator: np.random.Generator,
    weights: Floats | None = None,
) -> Floats:
    """(K, d) prototypes; sample: (n, d), dense or CSR.

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
    filled = sample if sparse.issparse(sample) else np.where(np.isnan(sample), plane.mean, sample)
    n_items = filled.shape[0]
    mass = np.ones(n_items) if weights is None else weights
    if how == "random":
        return _dense(filled[_drawn(filled, mass, lattice.n_units, generator)])
    if how == "k-means++":
        from sklearn.cluster import kmeans_plusplus

        order = content_order(filled, generator)
        seed = int(generator.integers(2**31))
        n_units = min(lattice.n_units, n_items)
        with one_blas_thread():
            centres, _ = kmeans_plusplus(filled[order], n_units, sample_weight=mass[order], random_state=seed)
        return _dense(centres[np.arange(lattice.n_units) % n_units])
    positions = lattice.positions
    if np.ptp(positions[:, 1]) > np.ptp(positions[:, 0]):
        positions = positions[:, ::-1]
    middle = (positions.max(axis=0) + positions.min(axis=0)) / 2
    half = np.maximum((positions.max(axis=0) - positions.min(axis=0)) / 2, 1e-300)
    return np.asarray(plane.mean + 2.0 * ((positions - middle) / half) @ plane.directions)


def _dense(rows: Any) -> Floats:
    return np.asarray(rows.toarray() if sparse.issparse(rows) else rows, dtype=np.float64)


def content_order(x: Any, generator: np.random.Generator) -> NDArray[np.int64]:
    """An order (n,) of the items that depends on what they are and on the seed, not on how they are sorted.

    They are ordered along a random direction; equal items stay together.
    """
    direction = generator.standard_normal(x.shape[1])
    with one_blas_thread():
        along = np.asarray(x @ direction.astype(x.dtype))
    return np.argsort(along, kind="stable")


def _drawn(x: Any, mass: Floats, n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """n rows, each as often as its share of the mass, give or take one: every (1/n)-th of the mass in content order."""
    order = content_order(x, generator)
    reached = np.cumsum(mass[order])
    at = (np.arange(n) + generator.random()) / n * reached[-1]
    rows = order[np.minimum(np.searchsorted(reached, at, side="right"), len(order) - 1)]
    return generator.permutation(rows)
