"""Exact best units from a guess: a prototype that lies too far from the guessed one cannot be nearer to the item.

With g the guessed unit of item x and k any other, the triangle inequality gives

    |x - m_k|  >=  |m_g - m_k| - |x - m_g|,

so every k with |m_g - m_k| > |x - m_g| + (the least distance so far) is excluded without looking at x. In training the
unit of the pass before is a good guess, and where the items lie in clusters a handful of prototypes is left. The
distances between the prototypes cost one small product (K / n of that of all items with all prototypes).
Without a pass before, the lowest of rough bounds over half of the units will do (see `search.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from somscope.maps.compiled import compiled
from somscope.maps.kernels import FAST, LANE, order_by_unit, shaped_item, squared_exact, squared_rough

__all__ = ["lowest_bound", "nearest_from_guess", "order_by_guess"]

_BLOCK = 32  # units whose distances to all others are held at once
_FEW = 48  # candidates up to which inserting one by one sorts fastest


def order_by_guess(guess: NDArray[np.int32], n_units: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Items (n,) in the order of their guessed unit, and where each unit's begin (K + 1,)."""
    order = np.empty(len(guess), np.int64)
    starts = np.empty(n_units + 1, np.int64)
    order_by_unit(np.ascontiguousarray(guess), n_units, order, starts)
    return order, starts


@compiled(nogil=True, fastmath=FAST)
def nearest_from_guess(  # type: ignore[no-untyped-def]
    x, row_scale, column_scale, scale, order, starts, ends, centred, across, prototypes, slack,
    lo, hi, units, distances, evaluated,
):  # fmt: skip
    """Exact nearest prototype of the items that are guessed to belong to the units lo..hi.

    order, starts, ends: the items of unit k are order[starts[k] : ends[k]]. centred: (K, d) float32, prototypes less a
    centre and times `scale`, and across: (d, K) the same, transposed. slack: relative rounding of their product.
    units, distances: (n, 1); the distances are squared. evaluated: (1,) counts the measured prototypes.
    """
    n_units, n_features = prototypes.shape
    buffer = np.empty(n_features, x.dtype)
    gram = np.empty((_BLOCK, n_units), np.float32)
    squared = np.empty(n_units, np.float32)
    norms = np.empty(n_units, np.float32)
    for k in range(n_units):
        total = np.float32(0.0)
        for j in range(n_features):
            total += centred[k, j] * centred[k, j]
        squared[k] = total
        norms[k] = np.sqrt(total)
    most = 0
    n_used = 0
    used = np.empty(hi - lo, np.int64)  # units that are somebody's guess
    for k in range(lo, hi):
        most = max(most, ends[k] - starts[k])
        if ends[k] > starts[k]:
            used[n_used] = k
            n_used += 1
    own = np.empty(most, np.float64)
    near_units = np.empty(n_units, np.int32)
    gaps = np.empty(n_units, np.float64)
    lower = np.empty(n_units, np.float32)
    sorted_units = np.empty(n_units, np.int32)
    sorted_gaps = np.empty(n_units, np.float64)
    grown = 1.0 + 1.2e-7 * (n_features + 8)  # what rounding can add to a float32 sum of squares
    tiny = 1e-37 * n_features  # and what underflow can take from it
    underflow = np.float32(1e-37 * (n_features + 2))  # as it can from the distances of prototypes
    count = 0
    for block in range(0, n_used, _BLOCK):
        n_block = min(_BLOCK, n_used - block)
        np.dot(centred[used[block : block + n_block]], across, gram[:n_block])
        for place in range(n_block):
            g = used[block + place]
            first = starts[g]
            n = ends[g] - first
            furthest = 0.0
            for p in range(n):
                item = shaped_item(x, order[first + p], row_scale, column_scale, buffer)
                own[p] = squared_exact(item, prototypes[g])
                furthest = max(furthest, own[p])
            count += n
            # Candidates of the furthest item, nearest to the guess first.
            reach = np.float32(4.0 * furthest * scale * scale * 1.00001)
            row = gram[place]
            for k in range(n_units):
                both = norms[g] + norms[k]
                lower[k] = (
                    squared[g] + squared[k] - np.float32(2.0) * row[k] - slack * both * both - underflow
                )
            n_near = 0
            for start in range(0, n_units, 16):
                stop = min(start + 16, n_units)
                hits = 0
                for k in range(start, stop):
                    hits += lower[k] <= reach
                if hits > 0:
                    for k in range(start, stop):
                        if lower[k] <= reach and k != g:
                            near_units[n_near] = k
                            gaps[n_near] = np.sqrt(max(np.float64(lower[k]), 0.0)) / scale * (1.0 - 1e-6)
                            n_near += 1
            if n_near <= _FEW:
                for a in range(1, n_near):
                    gap, unit = gaps[a], near_units[a]
                    b = a
                    while b > 0 and gaps[b - 1] > gap:
                        gaps[b], near_units[b] = gaps[b - 1], near_units[b - 1]
                        b -= 1
                    gaps[b], near_units[b] = gap, unit
                for a in range(n_near):
                    sorted_gaps[a], sorted_units[a] = gaps[a], near_units[a]
            else:
                places = np.argsort(gaps[:n_near])
                for a in range(n_near):
                    sorted_gaps[a], sorted_units[a] = gaps[places[a]], near_units[places[a]]
            for p in range(n):
                i = order[first + p]
                item = shaped_item(x, i, row_scale, column_scale, buffer)
                k1, d1 = g, own[p]
                to_guess = np.sqrt(d1)
                limit = 2.0 * to_guess
                near = x.dtype.type(d1 * grown + tiny)
                for a in range(n_near):
                    if sorted_gaps[a] > limit:
                        break
                    k = sorted_units[a]
                    count += 1
                    if squared_rough(item, prototypes[k]) <= near:
                        d = squared_exact(item, prototypes[k])
                        if d < d1 or (d == d1 and k < k1):
                            k1, d1 = k, d
                            limit = to_guess + np.sqrt(d1)
                            near = x.dtype.type(d1 * grown + tiny)
                units[i, 0] = k1
                distances[i, 0] = d1
    evaluated[0] = count


@compiled(nogil=True, fastmath=FAST)
def lowest_bound(left, bound, lo, hi, chunk, units):  # type: ignore[no-untyped-def]
    """units[i] = the column of the lowest bound of item i, for the items lo..hi; arguments as in `nearest_bounded`."""
    n_lanes = bound.shape[1] // LANE
    scores = np.empty((chunk, bound.shape[1]), np.float32)
    for start in range(lo, hi, chunk):
        n = min(chunk, hi - start)
        np.dot(left[start : start + n], bound, scores[:n])
        for i in range(n):
            row = scores[i]
            best_lane = 0
            best = np.float32(3e38)
            for b in range(n_lanes):
                o = b * LANE
                low = np.float32(3e38)
                for k in range(16):
                    a = min(min(row[o + k], row[o + 16 + k]), min(row[o + 32 + k], row[o + 48 + k]))
                    low = min(low, a)
                if low < best:
                    best, best_lane = low, b
            k = best_lane * LANE
            while row[k] != best:
                k += 1
            units[start + i] = k
