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
from somscope.maps.threads import cuts, n_threads, one_blas_thread, over_ranges

__all__ = ["Basis", "BoundedSearch", "find_basis"]

_WIDTHS = (16, 32, 64)  # directions tried; more never paid on images, text or mixtures
_FEWEST_FEATURES = 48  # below this the features themselves are the bound
_PROBE = 256  # items whose cost is measured to choose a width
_FURTHEST = 1e9  # in root mean square norms of the items; beyond it float32 neither bounds nor holds a square
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
    """The strongest directions of a sample (n, d) of items, by randomized subspace iteration (Halko et al. 2011).

    Any orthonormal basis keeps the search exact; a good one makes it fast.
    """
    n, d = sample.shape
    centred = np.asarray(sample, dtype=np.float64) - centre
    norm = float(np.sqrt(np.mean(np.sum(centred**2, axis=1))))
    scale = 1.0 / norm if norm > 0 and np.isfinite(norm) else 1.0
    width = min(_WIDTHS[-1], _WIDTHS[0] * max(1, n_units // 32), n)
    if d < _FEWEST_FEATURES or n_units < 2 * _WIDTHS[0]:
        return Basis(centre, scale, np.empty((d, 0), np.float32))
    unit = (centred * scale).astype(np.float32)
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
    Memory beyond x: 4 r + 8 bytes an item for r <= 64 directions.
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
            over_ranges(self._project, cuts(len(x), 8 * n_threads()))
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
            bound, width = self._cheapest(prototypes, second)
            work = n * len(prototypes) * (width + 8)
            tasks = n_threads() * (1 if work < 1e9 else 8)

            def run(lo: int, hi: int) -> None:
                self._search(prototypes, bound, second, lo, hi, units, distances)

            over_ranges(run, cuts(n, tasks))
        return units, distances

    def _search(
        self,
        prototypes: NDArray[np.floating],
        bound: NDArray[np.float32],
        second: bool,
        lo: int,
        hi: int,
        units: NDArray[np.int32],
        distances: NDArray[np.float64],
    ) -> int:
        """Search the items lo..hi; returns how many prototypes were measured."""
        whole = bound.shape[0] == self.x.shape[1] + 1
        codes = self._codes[:, :0] if whole else self._codes
        directions = self.basis.directions[:, :0] if whole else self.basis.directions
        rounding = 1.2e-7 * (16 + bound.shape[0] + 2 * np.sqrt(self.x.shape[1]))
        measured = np.zeros(1, np.int64)
        chunk = int(np.clip(_SCRATCH // bound.shape[1], 32, 1024))
        kernels.nearest_bounded(
            self.x, self.row_scale, self.column_scale, self._centre, self._scale, codes, self._squared,
            directions, bound, prototypes, rounding, second, lo, hi, chunk, units, distances, measured,
        )  # fmt: skip
        return int(measured[0])

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

        over_ranges(measure, cuts(len(self.x), 8 * n_threads()))

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

    def _cheapest(self, prototypes: NDArray[np.floating], second: bool) -> tuple[NDArray[np.float32], int]:
        """The bound with the least estimated work on a few items, and its width."""
        n, d = self.x.shape
        widths = [w for w in _WIDTHS if w <= self.basis.directions.shape[1]]
        if not widths:
            return self._bound(prototypes, 0), d
        if n < 16 * _PROBE:  # a small batch: the probe would cost as much as it saves
            width = widths[min(1, len(widths) - 1)]
            return self._bound(prototypes, width), width
        # Spread over the collection, for it may be sorted; the probe's own answers are thrown away.
        starts = np.unique(np.linspace(0, max(n - 32, 0), _PROBE // 32).astype(np.int64))
        units = np.empty((n, 2 if second else 1), np.int32)
        distances = np.empty(units.shape)
        probed = sum(min(32, n - s) for s in starts)
        best: tuple[float, NDArray[np.float32], int] | None = None
        for width in [*widths, 0]:
            bound = self._bound(prototypes, width)
            taken = width or d
            # A measured unit costs about three products' worth of its features: it is gathered, and in float64.
            fixed = len(prototypes) * (taken + 8)
            if best is not None and fixed + 3.0 * d >= best[0]:
                break
            measured = sum(
                self._search(prototypes, bound, second, int(s), int(min(s + 32, n)), units, distances)
                for s in starts
            )
            cost = fixed + 3.0 * d * measured / probed
            if best is None or cost < best[0]:
                best = (cost, bound, taken)
        assert best is not None
        return best[1], best[2]
