"""Exact best matching units below the cost of the matrix product: a projection bounds every distance from below.

For an orthonormal basis V (d, r) and a centre c, with a = V'(x - c), b = V'(m - c) and what is left of the two norms,
p = sqrt(|x - c|^2 - |a|^2) and q likewise,

    |x - m|^2  >=  |a - b|^2 + (p - q)^2   (Cauchy-Schwarz in the complement of V).

Prototypes are averages, so q is small and the bound is tight for a few dozen directions. The bound of all units costs
a product over r + 1 numbers instead of d; the few units that it cannot exclude are measured exactly in float64. Where a
probe says that no projection pays (few features, or features without structure), V is the identity: then the bound is
the float32 product itself, less its rounding error. Either way the answer is that of brute force.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from somscope.maps import kernels
from somscope.maps.threads import cuts, one_blas_thread, over_ranges, parts

__all__ = ["Basis", "BoundedSearch", "find_basis"]

_WIDTHS = (16, 32, 64)  # directions tried; more never paid on images, text or mixtures
_FEWEST_FEATURES = 48  # below this the features themselves are the bound
_SMALL = 256  # features up to which all directions are found at once
_PROBE = 256  # items whose cost is measured to choose a width
_FURTHEST = 1e9  # in root mean square norms of the items; beyond it float32 neither bounds nor holds a square
_PROBED = frozenset((1, 2, 4, 10, 25, 60))  # searches before which the width is probed: maps settle
_FROM_FEATURES = np.empty((0, 0), np.float32)  # no left sides: the bound is over the features themselves
_SCRATCH = 200_000  # scores held per thread: 0.8 MB of float32, the size of a core's cache


@dataclass(frozen=True)
class Basis:
    """Where the bound looks: T(x) -> scale (T(x) - centre) @ directions.

    centre: (d,); scale: 1 / (root mean square norm), so that float32 neither overflows nor underflows;
    directions: (d, r) float32, orthonormal, strongest first; r = 0 where d is small.
    """

    centre: NDArray[np.float64]
    scale: float
    directions: NDArray[np.float32]


def find_basis(sample: NDArray[np.floating], centre: NDArray[np.float64], n_units: int) -> Basis:
    """The strongest directions of a sample (n, d) of items, by randomized subspace iteration (Halko et al. 2011)
    where there are many features.

    Any orthonormal basis keeps the search exact; a good one makes it fast.
    """
    n, d = sample.shape
    centred = np.asarray(sample, dtype=np.float64) - centre
    norm = float(np.sqrt(np.mean(np.sum(centred**2, axis=1))))
    scale = 1.0 / norm if norm > 0 and np.isfinite(norm) else 1.0
    width = min(_WIDTHS[-1], _WIDTHS[0] * max(1, n_units // 64), n, d)
    if d < _FEWEST_FEATURES or n_units < 2 * _WIDTHS[0]:
        return Basis(centre, scale, np.empty((d, 0), np.float32))
    unit = (centred * scale).astype(np.float32)
    if d <= _SMALL:
        with one_blas_thread():
            _, vectors = np.linalg.eigh(unit.T.astype(np.float64) @ unit)
        return Basis(centre, scale, np.ascontiguousarray(vectors[:, ::-1][:, :width], dtype=np.float32))
    generator = np.random.default_rng(0)
    with one_blas_thread():
        directions = generator.standard_normal((d, min(width + 8, n, d)), dtype=np.float32)
        for _ in range(3):
            directions, _ = np.linalg.qr(unit.T @ (unit @ directions))
        _, _, rotation = np.linalg.svd(unit @ directions, full_matrices=False)
        directions, _ = np.linalg.qr(directions.astype(np.float64) @ rotation[:width].T.astype(np.float64))
    return Basis(centre, scale, np.ascontiguousarray(directions, dtype=np.float32))


class BoundedSearch:
    """Best units of one fixed set of dense items under Euclidean distance, for map after map.

    x: (n, d) float32 or float64, C-contiguous, finite. row_scale: (n,) and column_scale: (d,) factors that turn an
    item into what is compared (cosine distance, feature weights); prototypes are given already scaled.
    Memory beyond x: at most 8 r + 16 bytes an item for r <= 64 directions.
    """

    def __init__(
        self,
        x: NDArray[np.floating],
        basis: Basis,
        row_scale: NDArray[np.floating] | None = None,
        column_scale: NDArray[np.floating] | None = None,
    ) -> None:
        self.x, self.basis = x, basis
        self.row_scale = None if row_scale is None else row_scale.astype(x.dtype)
        self.column_scale = None if column_scale is None else column_scale.astype(x.dtype)
        self._centre = basis.centre.astype(x.dtype)
        self._scale = x.dtype.type(basis.scale)
        self._codes = np.empty((len(x), basis.directions.shape[1]), np.float32)
        self._squared = np.empty(len(x))
        with one_blas_thread():
            over_ranges(self._project, cuts(len(x), parts(8.0 * x.size * max(1, self._codes.shape[1]))))
        self._calls, self._width = 0, 0  # how often a width was asked for, and the last answer
        self._left = _FROM_FEATURES
        self._furthest = float(np.sqrt(self._squared.max()))

    def _project(self, lo: int, hi: int) -> None:
        kernels.project(
            self.x, self.row_scale, self.column_scale, self._centre, self._scale, self.basis.directions,
            self._codes, self._squared, lo, hi,
        )  # fmt: skip

    def __call__(
        self, prototypes: NDArray[np.floating], second: bool = False
    ) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """units (n, 1 or 2) and squared distances (n, 1 or 2) to the nearest (and second nearest) prototypes.

        Equal distances go to the lower unit.
        """
        n, found = len(self.x), 2 if second else 1
        prototypes = np.ascontiguousarray(prototypes, dtype=self.x.dtype)
        units = np.empty((n, found), np.int32)
        distances = np.empty((n, found))
        furthest = float(np.sqrt(np.sum(self._centred(prototypes) ** 2, axis=1).max()))
        if not max(furthest, self._furthest) < _FURTHEST:
            self._measure_all(prototypes, units, distances)
            return units, distances
        with one_blas_thread():
            width = self._cheapest(prototypes, second)
            bound, left = self._bound(prototypes, width), self._left_sides(width)
            work = float(n) * bound.size

            def run(lo: int, hi: int) -> None:
                self._search(prototypes, bound, left, second, lo, hi, units, distances)

            over_ranges(run, cuts(n, parts(work)))
        return units, distances

    def _search(
        self,
        prototypes: NDArray[np.floating],
        bound: NDArray[np.float32],
        left: NDArray[np.float32],
        second: bool,
        lo: int,
        hi: int,
        units: NDArray[np.int32],
        distances: NDArray[np.float64],
    ) -> int:
        """Search the items lo..hi; returns how many prototypes were measured."""
        rounding = 1.2e-7 * (16 + bound.shape[0] + 2 * np.sqrt(self.x.shape[1]))
        measured = np.zeros(1, np.int64)
        chunk = int(np.clip(_SCRATCH // bound.shape[1], 128, 1024))
        kernels.nearest_bounded(
            self.x, self.row_scale, self.column_scale, self._centre, self._scale,
            left, self._squared,
            bound, prototypes, rounding, second, lo, hi, chunk, units, distances, measured,
        )  # fmt: skip
        return int(measured[0])

    def _left_sides(self, width: int) -> NDArray[np.float32]:
        """What the bound over so many directions is multiplied with, for all items; kept while the width stays."""
        if width == 0:
            return _FROM_FEATURES
        if self._left.shape[1] != width + 2:
            left = np.empty((len(self.x), width + 2), np.float32)

            def fill(lo: int, hi: int) -> None:
                kernels.left_sides(self._codes, self._squared, left, lo, hi)

            over_ranges(fill, cuts(len(left), parts(8.0 * left.size)))
            self._left = left
        return self._left

    def _centred(self, prototypes: NDArray[np.floating]) -> NDArray[np.float64]:
        """Prototypes as `kernels.project` shapes the items: less the same rounded centre, and scaled."""
        scale = np.float64(self._scale)
        return np.asarray((prototypes.astype(np.float64) - self._centre.astype(np.float64)) * scale)

    def _measure_all(
        self,
        prototypes: NDArray[np.floating],
        units: NDArray[np.int32],
        distances: NDArray[np.float64],
    ) -> None:
        """Measure every prototype, for items or prototypes so far out that float32 could not bound anything."""
        weights = np.ones(self.x.shape[1])

        def measure(lo: int, hi: int) -> None:
            for start in range(lo, hi, 1024):
                rows = slice(start, min(start + 1024, hi))
                block = self.x[rows]
                if self.row_scale is not None:
                    block = block * self.row_scale[rows, None]
                if self.column_scale is not None:
                    block = block * self.column_scale
                kernels.nearest_any(
                    block, prototypes, weights, False, units.shape[1] == 2, 0, len(block),
                    units[rows], distances[rows],
                )  # fmt: skip

        over_ranges(measure, cuts(len(self.x), parts(float(self.x.size) * len(prototypes))))

    def _bound(self, prototypes: NDArray[np.floating], width: int) -> NDArray[np.float32]:
        """The matrix whose product with (code, residual, 1) is the lower bound; width 0 takes the features."""
        centred = self._centred(prototypes)
        squared = np.sum(centred**2, axis=1)
        n_units = len(prototypes)
        padded = -(-n_units // kernels.LANE) * kernels.LANE
        if width == 0:
            rows = [-2.0 * centred.T]
        else:
            inside = centred @ self.basis.directions[:, :width]
            rest = np.maximum(squared - np.sum(inside**2, axis=1), 0.0) + 2e-6 * squared
            rows = [-2.0 * inside.T, -2.0 * np.sqrt(rest)[None, :]]
        rows.append(squared[None, :])
        table = np.zeros((sum(map(len, rows)), padded), np.float32)
        table[-1, n_units:] = 1e30  # padding is never near
        table[:, :n_units] = np.concatenate(rows)
        return table

    def _cheapest(self, prototypes: NDArray[np.floating], second: bool) -> int:
        """The width of the bound with the least estimated work on a few items; 0 for the features themselves."""
        n, d = self.x.shape
        widths = [w for w in _WIDTHS if w <= self.basis.directions.shape[1]]
        if not widths:
            return 0
        if n < 16 * _PROBE:  # a small batch: the probe would cost as much as it saves
            return widths[min(1, len(widths) - 1)]
        self._calls += 1
        if self._calls not in _PROBED:
            return self._width
        # Spread over the collection, for it may be sorted; the probe's own answers are thrown away.
        starts = np.linspace(0, n - 32, _PROBE // 32).astype(np.int64)
        units = np.empty((n, 2 if second else 1), np.int32)
        distances = np.empty(units.shape)
        least = np.inf
        for width in [*widths, 0]:
            # A measured unit costs about three products' worth of its features, and what it takes to get there.
            fixed = len(prototypes) * ((width or d) + 8)
            each = 3.0 * (d + 64)
            if fixed + each >= least:
                break
            bound = self._bound(prototypes, width)
            left = np.empty((n, width + 2), np.float32) if width else _FROM_FEATURES
            measured = 0
            for lo in starts:
                if width:
                    kernels.left_sides(self._codes, self._squared, left, lo, lo + 32)
                measured += self._search(prototypes, bound, left, second, lo, lo + 32, units, distances)
            cost = fixed + each * measured / (32 * len(starts))
            if cost < least:
                least, self._width = cost, width
        return self._width
