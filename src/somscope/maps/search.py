"""Exact best matching units below the cost of the matrix product: a projection bounds every distance from below.

For an orthonormal basis V (d, r) and a centre c, with a = V'(x - c), b = V'(m - c) and what is left of the two norms,
p = sqrt(|x - c|^2 - |a|^2) and q likewise,

    |x - m|^2  >=  |a - b|^2 + (p - q)^2   (Cauchy-Schwarz in the complement of V).

Prototypes are averages, so q is small and the bound is tight for a few dozen directions. The bound of all units costs
a product over r + 1 numbers instead of d; the few units that it cannot exclude are measured exactly in float64. Where a
probe says that no projection pays (few features, or features without structure), V is the identity: then the bound is
the float32 product itself, less its rounding error. Where the items lie in clusters, a guess of the unit excludes more
than any bound (see `guess.py`): from the second search on the last answer is that guess, before it the lowest bound
over a few directions. Whichever is cheapest, the answer is that of brute force.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from somscope.maps import kernels
from somscope.maps.basis import WIDTHS, Basis
from somscope.maps.guess import lowest_bound, nearest_from_guess, order_by_guess
from somscope.maps.threads import cuts, one_blas_thread, over_ranges, parts

__all__ = ["BoundedSearch", "Recall"]

_PROBE = (128, 256)  # items whose cost is measured to choose a width, in small and large collections
_WORTH = 4096  # items from which that pays
_FURTHEST = 1e9  # in root mean square norms of the items; beyond it float32 neither bounds nor holds a square
_PROBED = frozenset((1, 3, 10, 30, 60))  # searches before which the width is probed: maps settle
# Directions of a first guess, over every second unit: as good as more, at a fraction of their cost.
_ROUGH = 8
_GUESSED = 32  # items whose cost from a guess is measured
_FROM_FEATURES = np.empty((0, 0), np.float32)  # no left sides: the bound is over the features themselves
_SCRATCH = 200_000  # scores held per thread: 0.8 MB of float32, the size of a core's cache


@dataclass
class Recall:
    """What a search knows after some calls, without the items: a later search of the same ones goes on from it.

    calls: how often a width was asked for. width: the last answer, and least: the estimated work of an item with the
    bound alone, in multiplications. last: (n,) units of the last search. guesses: whether a guess is cheaper than the
    bound, and doubtful: whether that has just turned out wrong.
    """

    calls: int = 0
    width: int = 0
    least: float = np.inf
    last: NDArray[np.int32] | None = None
    guesses: bool = False
    doubtful: bool = False


class BoundedSearch:
    """Best units of one fixed set of dense items under Euclidean distance, for map after map.

    x: (n, d) float32 or float64, C-contiguous, finite. row_scale: (n,) and column_scale: (d,) factors that turn an
    item into what is compared (cosine distance, feature weights); prototypes are given already scaled. recall: of an
    earlier search of the same items, which are then projected only if that is still needed.
    Memory beyond x: 4 r + 24 bytes an item for r <= 64 directions, 4 w + 8 more where fewer, w, turn out cheaper, and
    within a search from a guess 12 to 56 more.
    """

    def __init__(
        self,
        x: NDArray[np.floating],
        basis: Basis,
        row_scale: NDArray[np.floating] | None = None,
        column_scale: NDArray[np.floating] | None = None,
        recall: Recall | None = None,
    ) -> None:
        self.x, self.basis = x, basis
        self.row_scale = None if row_scale is None else row_scale.astype(x.dtype)
        self.column_scale = None if column_scale is None else column_scale.astype(x.dtype)
        self._centre = basis.centre.astype(x.dtype)
        self._scale = x.dtype.type(basis.scale)
        known = recall is not None and recall.last is not None and len(recall.last) == len(x)
        self.recall = recall if known and recall is not None else Recall()
        self._squared = np.empty(len(x))
        self._coded = self._project(self._first_width())
        self._left = _FROM_FEATURES
        self._furthest = float(np.sqrt(self._squared.max()))

    def _first_width(self) -> int:
        """How many directions the next call will need: all of them if it is to find out which."""
        if self.recall.calls == 0 or self.recall.calls + 1 in _PROBED:
            return int(self.basis.directions.shape[1])
        return 0 if self.recall.guesses else self.recall.width

    def _project(self, n_directions: int) -> NDArray[np.float32]:
        """(n, r + 2) codes of the items in r directions, (n, 0) for none; and their norms in `_squared`."""
        directions = np.ascontiguousarray(self.basis.directions[:, :n_directions])
        codes = np.empty((len(self.x), n_directions + 2 if n_directions else 0), np.float32)

        def run(lo: int, hi: int) -> None:
            kernels.project(
                self.x, self.row_scale, self.column_scale, self._centre, self._scale, directions,
                codes, self._squared, lo, hi,
            )  # fmt: skip

        with one_blas_thread():
            over_ranges(run, cuts(len(self.x), parts(float(self.x.size) * (8 + n_directions))))
        return codes

    def _codes(self, width: int) -> NDArray[np.float32]:
        """Codes in at least so many directions."""
        if self._coded.shape[1] < width + 2:
            self._coded = self._project(width)
        return self._coded

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
        furthest = float(np.sqrt(_squares(self._centred(prototypes)).max()))
        if not max(furthest, self._furthest) < _FURTHEST:
            self._measure_all(prototypes, units, distances)
            return units, distances
        with one_blas_thread():
            self._plan(prototypes, second)
            if self.recall.guesses:
                measured = self._from_guess(prototypes, None, self._guess(prototypes), units, distances)
                self.recall.doubtful = self._guess_cost(len(prototypes), measured) > self.recall.least
            else:
                bound, left = self._bound(prototypes, self.recall.width), self._left_sides(self.recall.width)

                def run(lo: int, hi: int) -> None:
                    self._search(prototypes, bound, left, second, lo, hi, units, distances)

                over_ranges(run, cuts(n, parts(float(n) * bound.size)))
        self.recall.last = units[:, 0].copy()
        return units, distances

    def _guess(
        self, prototypes: NDArray[np.floating], rows: NDArray[np.int64] | None = None
    ) -> NDArray[np.int32]:
        """A unit for each of the items (or of some rows) that is probably near: the last answer, or by rough bounds."""
        if self.recall.last is not None:
            return self.recall.last if rows is None else self.recall.last[rows]
        bound = self._bound(prototypes[::2], _ROUGH)
        codes, squared = self._codes(_ROUGH), self._squared
        if rows is not None:
            codes, squared = codes[rows], squared[rows]
        left = np.empty((len(codes), _ROUGH + 2), np.float32)
        guess = np.empty(len(codes), np.int32)

        def run(lo: int, hi: int) -> None:
            kernels.left_sides(codes, squared, left, lo, hi)
            lowest_bound(left, bound, lo, hi, _chunk(bound), guess)

        over_ranges(run, cuts(len(codes), parts(float(len(codes)) * bound.size)))
        guess *= 2
        return guess

    def _from_guess(
        self,
        prototypes: NDArray[np.floating],
        rows: NDArray[np.int64] | None,
        guess: NDArray[np.int32],
        units: NDArray[np.int32],
        distances: NDArray[np.float64],
    ) -> float:
        """Search the items (or some rows) from guessed units; returns how many prototypes were measured for each."""
        order, starts = order_by_guess(guess, len(prototypes))
        order = order if rows is None else rows[order]
        centred = self._centred(prototypes).astype(np.float32)
        across = np.ascontiguousarray(centred.T)
        rounding = np.float32(1.2e-7 * (16 + self.x.shape[1]))
        counts: list[int] = []

        def run(lo: int, hi: int) -> None:
            measured = np.zeros(1, np.int64)
            nearest_from_guess(
                self.x, self.row_scale, self.column_scale, self._scale, order, starts, starts[1:], centred, across,
                prototypes, rounding, lo, hi, units, distances, measured,
            )  # fmt: skip
            counts.append(int(measured[0]))

        ranges = parts(20.0 * len(order) * prototypes.shape[1])  # a handful of units for each item
        inner = np.searchsorted(starts, np.linspace(0, len(order), ranges + 1)[1:-1])
        over_ranges(run, [int(c) for c in np.unique([0, *inner, len(prototypes)])])
        return sum(counts) / len(order)

    def _guess_cost(self, n_units: int, measured: float) -> float:
        """Estimated work of an item from a guess: the prototypes' product, and what is measured."""
        n, d = self.x.shape
        return float(min(n, n_units) / n * n_units * (d + 8) + _measuring(d) * measured)

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
        kernels.nearest_bounded(
            self.x, self.row_scale, self.column_scale, self._centre, self._scale,
            left, self._squared,
            bound, prototypes, rounding, second, lo, hi, _chunk(bound), units, distances, measured,
        )  # fmt: skip
        return int(measured[0])

    def _left_sides(self, width: int) -> NDArray[np.float32]:
        """What the bound over so many directions is multiplied with, for all items; kept while the width stays."""
        if width == 0:
            return _FROM_FEATURES
        codes = self._codes(width)
        if codes.shape[1] == width + 2:  # the widest are the codes themselves
            self._left = _FROM_FEATURES
            return codes
        if self._left.shape[1] != width + 2:
            left = np.empty((len(self.x), width + 2), np.float32)

            def fill(lo: int, hi: int) -> None:
                kernels.left_sides(codes, self._squared, left, lo, hi)

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
        squared = _squares(centred)
        n_units = len(prototypes)
        padded = -(-n_units // kernels.LANE) * kernels.LANE
        if width == 0:
            rows = [-2.0 * centred.T]
        else:
            inside = centred @ self.basis.directions[:, :width]
            rest = np.maximum(squared - _squares(inside), 0.0) + 2e-6 * squared
            rows = [-2.0 * inside.T, -2.0 * np.sqrt(rest)[None, :]]
        rows.append(squared[None, :])
        table = np.zeros((sum(map(len, rows)), padded), np.float32)
        table[-1, n_units:] = 1e30  # padding is never near
        table[:, :n_units] = np.concatenate(rows)
        return table

    def _plan(self, prototypes: NDArray[np.floating], second: bool) -> None:
        """Choose the width of the bound, and whether to search from a guess, by the estimated work on a few items."""
        n, d = self.x.shape
        widths = [w for w in WIDTHS if w <= self.basis.directions.shape[1]]
        self.recall.guesses = self.recall.guesses and not second
        if self.recall.last is not None and self.recall.last.max() >= len(prototypes):
            self.recall.last, self.recall.guesses = None, False  # those of another map
        if n < _WORTH:  # a small batch: the probe would cost as much as it saves
            self.recall.width, self.recall.guesses = widths[min(1, len(widths) - 1)] if widths else 0, False
            return
        self.recall.calls += 1
        if self.recall.calls in _PROBED:
            self.recall.least = len(prototypes) * (d + 8.0) + _measuring(d)
            if widths:
                self.recall.width, self.recall.least = self._cheapest_width(prototypes, widths, second)
        if not second and (not self.recall.guesses or self.recall.doubtful or self.recall.calls in _PROBED):
            self.recall.guesses = self._guess_pays(prototypes)

    def _cheapest_width(
        self, prototypes: NDArray[np.floating], widths: list[int], second: bool
    ) -> tuple[int, float]:
        """The width with the least work for an item, 0 for the features themselves, and that work."""
        n, d = self.x.shape
        # Spread over the collection, for it may be sorted; the probe's own answers are thrown away.
        starts = np.linspace(0, n - 32, int(np.clip(n // 64, *_PROBE)) // 32).astype(np.int64)
        units = np.empty((n, 2 if second else 1), np.int32)
        distances = np.empty(units.shape)
        best, least = 0, np.inf
        for width in [*widths, 0]:
            fixed = len(prototypes) * ((width or d) + 8)
            if fixed + _measuring(d) >= least:
                break
            bound = self._bound(prototypes, width)
            left = np.empty((n, width + 2), np.float32) if width else _FROM_FEATURES
            measured = 0
            for lo in starts:
                if width:
                    kernels.left_sides(self._codes(width), self._squared, left, lo, lo + 32)
                measured += self._search(prototypes, bound, left, second, lo, lo + 32, units, distances)
            cost = fixed + _measuring(d) * measured / (32 * len(starts))
            if cost < least:
                best, least = width, cost
        return best, least

    def _guess_pays(self, prototypes: NDArray[np.floating]) -> bool:
        """Whether a search from a guess is estimated to cost less than with the bound alone."""
        n, n_units = len(self.x), len(prototypes)
        if self.recall.last is None and self.basis.directions.shape[1] < _ROUGH:
            return False  # nothing to guess from
        before = 0.0 if self.recall.last is not None else n_units / 2 * (_ROUGH + 8)
        if before + self._guess_cost(n_units, 2.0) >= self.recall.least:
            return False
        rows = np.linspace(0, n - 1, _GUESSED).astype(np.int64)
        units, distances = np.empty((n, 1), np.int32), np.empty((n, 1))
        measured = self._from_guess(prototypes, rows, self._guess(prototypes, rows), units, distances)
        return before + self._guess_cost(n_units, measured) < self.recall.least


def _squares(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) squared norms of rows, without a copy of them."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows))


def _measuring(d: int) -> float:
    """Work of measuring one unit, in multiplications of a product: three times the features, and getting there."""
    return 3.0 * (d + 64)


def _chunk(bound: NDArray[np.float32]) -> int:
    """Items whose scores are held at once."""
    return int(np.clip(_SCRATCH // bound.shape[1], 128, 1024))
