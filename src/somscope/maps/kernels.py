"""Compiled loops of the classic map: exact best units behind a cheap lower bound, sums by unit, online steps.

Every function here releases the interpreter lock and works on one range of items, so that `threads.py` can run ranges
side by side; a range's result never depends on where it was cut, so neither does a map on the number of threads.
"""

from __future__ import annotations

import numpy as np

from somscope.maps.compiled import compiled

__all__ = [
    "FAST",
    "LANE",
    "count_gaps",
    "left_sides",
    "nearest_any",
    "nearest_bounded",
    "nearest_sparse",
    "online_steps",
    "order_by_unit",
    "project",
    "shaped_item",
    "squared_exact",
    "squared_rough",
    "sum_by_unit",
    "sum_sparse_by_unit",
]

LANE = 64  # units are scanned 64 at a time; the bound's columns are padded to a multiple of it
# Sums may be reordered and fused (that is what makes them fast); infinities keep their meaning.
FAST = {"nnan", "nsz", "arcp", "contract", "reassoc"}
_FAR = np.float32(3e38)


@compiled(nogil=True, fastmath=FAST)
def squared_exact(x, m):  # type: ignore[no-untyped-def]
    total = np.float64(0.0)
    for j in range(x.shape[0]):
        difference = np.float64(x[j]) - np.float64(m[j])
        total += difference * difference
    return total


@compiled(nogil=True, fastmath=FAST)
def squared_rough(x, m):  # type: ignore[no-untyped-def]
    total = x.dtype.type(0.0)
    for j in range(x.shape[0]):
        difference = x[j] - m[j]
        total += difference * difference
    return total


@compiled(nogil=True, fastmath=FAST)
def shaped_item(x, row, row_scale, column_scale, buffer):  # type: ignore[no-untyped-def]
    """Item `row` as the search sees it: scaled by its row's factor (cosine) and its columns' (feature weights)."""
    if row_scale is None and column_scale is None:
        return x[row]
    for j in range(x.shape[1]):
        value = x[row, j]
        if row_scale is not None:
            value *= row_scale[row]
        if column_scale is not None:
            value *= column_scale[j]
        buffer[j] = value
    return buffer


@compiled(nogil=True, fastmath=FAST)
def left_sides(codes, squared, left, lo, hi):  # type: ignore[no-untyped-def]
    """left = (code, what is left of the norm, 1) for the first left.shape[1] - 2 coordinates of the items lo..hi."""
    width = left.shape[1] - 2
    for i in range(lo, hi):
        rest = squared[i]
        for j in range(width):
            code = codes[i, j]
            left[i, j] = code
            rest -= np.float64(code) * np.float64(code)
        rest = max(rest, 0.0) + 2e-6 * squared[i]  # never too small, whatever was rounded
        left[i, width] = np.float32(np.sqrt(rest))
        left[i, width + 1] = 1.0


@compiled(nogil=True, fastmath=FAST)
def project(x, row_scale, column_scale, centre, scale, basis, codes, squared, lo, hi):  # type: ignore[no-untyped-def]
    """squared = |scale (T(x) - centre)|^2 and, with a basis (d, r), codes (n, r + 2) as `left_sides` for all r."""
    chunk = 256
    width = basis.shape[1]
    shaped = np.empty((chunk, x.shape[1]), np.float32)
    buffer = np.empty(x.shape[1], x.dtype)
    product = np.empty((chunk, width), np.float32)
    for start in range(lo, hi, chunk):
        n = min(chunk, hi - start)
        for i in range(n):
            item = shaped_item(x, start + i, row_scale, column_scale, buffer)
            total = np.float64(0.0)
            for j in range(x.shape[1]):
                value = np.float32((item[j] - centre[j]) * scale)
                shaped[i, j] = value
                total += np.float64(value) * np.float64(value)
            squared[start + i] = total
        if width > 0:
            np.dot(shaped[:n], basis, product[:n])
            codes[start : start + n, :width] = product[:n]
    if width > 0:
        left_sides(codes, squared, codes, lo, hi)


@compiled(nogil=True, fastmath=FAST)
def nearest_bounded(  # type: ignore[no-untyped-def]
    x, row_scale, column_scale, centre, scale, left, squared, bound, prototypes, slack, second,
    lo, hi, chunk, units, distances, evaluated,
):  # fmt: skip
    """Exact nearest prototypes of the items lo..hi: a float32 product bounds every distance from below, and only
    prototypes that the bound cannot exclude are measured, in float64.

    bound: (width + 1, P) or (width + 2, P) float32. With b the prototypes' first `width` coordinates in the basis, r
    what is left of their norm and s their squared norm, its rows are -2 b, (-2 r,) s: the product with an item's
    (code, residual, 1) is the squared distance less |x|^2 if x and m disagreed in nothing outside the basis.
    left: those left sides (n, rows), from `left_sides`; or empty, for features that are read from x block by block.
    units, distances: (n, 1 or 2); the distances are squared. evaluated: (1,) counts the measured prototypes.
    """
    n_units, n_features = prototypes.shape
    ready = left.shape[0] > 0
    width = bound.shape[0] - 1
    n_lanes = bound.shape[1] // LANE
    scores = np.empty((chunk, bound.shape[1]), np.float32)
    items = np.empty((0 if ready else chunk, bound.shape[0]), np.float32)
    lane_best = np.empty(n_lanes, np.float32)
    buffer = np.empty(n_features, x.dtype)
    largest = 0.0
    for k in range(n_units):
        largest = max(largest, np.sqrt(np.float64(bound[bound.shape[0] - 1, k])))
    grown = 1.0 + 1.2e-7 * (n_features + 8)  # what rounding can add to a float32 sum of squares
    tiny = 1e-37 * n_features  # and what underflow can take from it
    unscale = 1.0 / (np.float64(scale) * np.float64(scale))
    count = 0
    for start in range(lo, hi, chunk):
        n = min(chunk, hi - start)
        if ready:
            np.dot(left[start : start + n], bound, scores[:n])
        else:
            for i in range(n):
                item = shaped_item(x, start + i, row_scale, column_scale, buffer)
                for j in range(width):
                    items[i, j] = (item[j] - centre[j]) * scale
                items[i, width] = 1.0
            np.dot(items[:n], bound, scores[:n])
        for i in range(n):
            row = scores[i]
            best_lane = 0
            for b in range(n_lanes):
                o = b * LANE
                low = _FAR
                for k in range(16):
                    a = min(min(row[o + k], row[o + 16 + k]), min(row[o + 32 + k], row[o + 48 + k]))
                    low = min(low, a)
                lane_best[b] = low
                if low < lane_best[best_lane]:
                    best_lane = b
            first = best_lane * LANE
            while row[first] != lane_best[best_lane]:
                first += 1
            item = shaped_item(x, start + i, row_scale, column_scale, buffer)
            d1 = squared_exact(item, prototypes[first])
            k1 = first
            k2 = -1
            d2 = np.inf
            count += 1
            guess = -1
            if second:  # the second lowest bound is a good first guess of the second unit
                low = _FAR
                for b in range(n_lanes):
                    if b != best_lane and lane_best[b] < low:
                        low = lane_best[b]
                for k in range(best_lane * LANE, best_lane * LANE + LANE):
                    if k != first and row[k] < low:
                        low = row[k]
                for b in range(n_lanes):
                    if guess < 0 and lane_best[b] <= low:
                        for k in range(b * LANE, b * LANE + LANE):
                            if guess < 0 and row[k] == low and k != first and k < n_units:
                                guess = k
                if guess >= 0:
                    d2 = squared_exact(item, prototypes[guess])
                    k2 = guess
                    count += 1
                    if d2 < d1 or (d2 == d1 and k2 < k1):
                        k1, k2, d1, d2 = k2, k1, d2, d1
            norm = np.sqrt(squared[start + i]) + largest
            base = slack * norm * norm - squared[start + i]
            worst = d2 if second else d1
            limit = np.float32(worst / unscale + base)
            near = x.dtype.type(worst * grown + tiny)
            for b in range(n_lanes):
                if lane_best[b] > limit:
                    continue
                for o in range(b * LANE, b * LANE + LANE, 16):
                    low = row[o]
                    for k in range(1, 16):
                        low = min(low, row[o + k])
                    if low > limit:
                        continue
                    for k in range(o, o + 16):
                        if row[k] <= limit and k != first and k != guess and k < n_units:
                            count += 1
                            if squared_rough(item, prototypes[k]) <= near:
                                d = squared_exact(item, prototypes[k])
                                if d < d1 or (d == d1 and k < k1):
                                    k2, d2 = k1, d1
                                    k1, d1 = k, d
                                elif second and (d < d2 or (d == d2 and k < k2)):
                                    k2, d2 = k, d
                                worst = d2 if second else d1
                                limit = np.float32(worst / unscale + base)
                                near = x.dtype.type(worst * grown + tiny)
            units[start + i, 0] = k1
            distances[start + i, 0] = d1
            if second:
                units[start + i, 1] = k2
                distances[start + i, 1] = d2
    evaluated[0] = count


@compiled(nogil=True, fastmath={"nsz", "arcp", "contract", "reassoc"})
def nearest_any(x, prototypes, weights, manhattan, second, lo, hi, units, distances):  # type: ignore[no-untyped-def]
    """Nearest prototypes of the items lo..hi by measuring every one, for what the bound does not cover.

    manhattan: sum of w |x - m|; otherwise sum of w (x - m)^2. A feature that is NaN in an item is left out of its sum,
    which is scaled up by (total weight) / (weight of what was observed); an item with nothing observed lies at
    distance 0 from every unit and goes to unit 0.
    """
    n_units, n_features = prototypes.shape
    every = 0.0
    for j in range(n_features):
        every += weights[j]
    seen = np.empty(n_features, np.int64)
    for i in range(lo, hi):
        n_seen = 0
        observed = 0.0
        for j in range(n_features):
            if not np.isnan(x[i, j]):
                seen[n_seen] = j
                n_seen += 1
                observed += weights[j]
        scale = every / observed if observed > 0 else 1.0
        k1, k2 = 0, -1
        d1, d2 = np.inf, np.inf
        for k in range(n_units):
            total = 0.0
            if manhattan:
                for s in range(n_seen):
                    j = seen[s]
                    total += weights[j] * abs(np.float64(x[i, j]) - np.float64(prototypes[k, j]))
            else:
                for s in range(n_seen):
                    j = seen[s]
                    difference = np.float64(x[i, j]) - np.float64(prototypes[k, j])
                    total += weights[j] * difference * difference
            total *= scale
            if total < d1:
                k2, d2 = k1, d1
                k1, d1 = k, total
            elif total < d2:
                k2, d2 = k, total
        units[i, 0] = k1
        distances[i, 0] = d1
        if second:
            units[i, 1] = k2
            distances[i, 1] = d2


@compiled(nogil=True, fastmath=FAST)
def nearest_sparse(  # type: ignore[no-untyped-def]
    pointers, indices, values, row_scale, column_squared, transposed, norms, second, lo, hi, units, distances
):
    """Nearest prototypes of the rows lo..hi of a CSR matrix, by |m|^2 - 2 x.m + |x|^2 in float64.

    transposed: (d, K) prototypes times the squared column scale; norms: (K,) their scaled squared norms;
    column_squared: (d,) squared column scale; row_scale: (n,) factor of each row.
    """
    n_units = transposed.shape[1]
    scores = np.empty(n_units, np.float64)
    for i in range(lo, hi):
        for k in range(n_units):
            scores[k] = norms[k]
        own = 0.0
        for p in range(pointers[i], pointers[i + 1]):
            value = np.float64(values[p]) * row_scale[i]
            own += value * value * column_squared[indices[p]]
            column = transposed[indices[p]]
            for k in range(n_units):
                scores[k] -= 2.0 * value * column[k]
        k1, k2 = 0, -1
        d1, d2 = np.inf, np.inf
        for k in range(n_units):
            if scores[k] < d1:
                k2, d2 = k1, d1
                k1, d1 = k, scores[k]
            elif scores[k] < d2:
                k2, d2 = k, scores[k]
        units[i, 0] = k1
        distances[i, 0] = max(d1 + own, 0.0)
        if second:
            units[i, 1] = k2
            distances[i, 1] = max(d2 + own, 0.0)


@compiled(nogil=True)
def order_by_unit(units, n_units, order, starts):  # type: ignore[no-untyped-def]
    """Counting sort: `order` lists the items of unit 0, then of unit 1, ..., each in item order; starts: (K + 1,)."""
    for k in range(n_units + 1):
        starts[k] = 0
    for i in range(units.shape[0]):
        starts[units[i] + 1] += 1
    for k in range(n_units):
        starts[k + 1] += starts[k]
    cursor = starts[:n_units].copy()
    for i in range(units.shape[0]):
        order[cursor[units[i]]] = i
        cursor[units[i]] += 1


@compiled(nogil=True, fastmath={"nsz", "contract"})
def sum_by_unit(x, weights, order, starts, missing, sums, totals, lo, hi):  # type: ignore[no-untyped-def]
    """sums[k] += sum of w_i x_i and totals[k] += sum of w_i over the items of each unit k in lo..hi, in float64.

    weights: (n,) or None for 1. missing: totals is (K, d) and counts what was observed, feature by feature.
    """
    n_features = x.shape[1]
    for k in range(lo, hi):
        row = sums[k]
        for p in range(starts[k], starts[k + 1]):
            i = order[p]
            item = x[i]
            weight = 1.0 if weights is None else weights[i]
            if missing:
                for j in range(n_features):
                    if not np.isnan(item[j]):
                        row[j] += weight * np.float64(item[j])
                        totals[k, j] += weight
            else:
                for j in range(n_features):
                    row[j] += weight * np.float64(item[j])
                totals[k, 0] += weight


@compiled(nogil=True)
def sum_sparse_by_unit(pointers, indices, values, weights, order, starts, sums, totals, lo, hi):  # type: ignore[no-untyped-def]
    """`sum_by_unit` for the rows of a CSR matrix; weights: (n,) factor of each row, in its values and in the totals."""
    for k in range(lo, hi):
        for p in range(starts[k], starts[k + 1]):
            i = order[p]
            totals[k, 0] += weights[i]
            for q in range(pointers[i], pointers[i + 1]):
                sums[k, indices[q]] += weights[i] * np.float64(values[q])


@compiled(nogil=True, fastmath=FAST)
def online_steps(  # type: ignore[no-untyped-def]
    x, order, prototypes, squared_lattice, shape, radii, rates, column_squared, manhattan
):
    """Kohonen's sequential rule for the items in `order`: m_k += rate_t h(k, bmu; radius_t) (x_t - m_k).

    squared_lattice: (K, K); shape: index of the neighbourhood in `neighbourhood.NEIGHBOURHOODS`. Returns the sum of
    the distances at which the items met their best units.
    """
    n_units, n_features = prototypes.shape
    met = 0.0
    for t in range(order.shape[0]):
        item = x[order[t]]
        best = 0
        least = np.inf
        for k in range(n_units):
            total = 0.0
            row = prototypes[k]
            if manhattan:
                for j in range(n_features):
                    total += column_squared[j] * abs(item[j] - row[j])
            else:
                for j in range(n_features):
                    difference = item[j] - row[j]
                    total += column_squared[j] * difference * difference
            if total < least:
                least = total
                best = k
        met += least if manhattan else np.sqrt(least)
        rate = rates[t]
        radius = max(radii[t], 1e-12)
        for k in range(n_units):
            d = squared_lattice[best, k] / (radius * radius)
            if shape == 0:
                h = np.exp(-0.5 * d)
            elif shape == 1:
                h = np.exp(-0.5 * d) if d <= 1.0 else 0.0
            elif shape == 2:
                h = 1.0 if d <= 1.0 else 0.0
            elif shape == 3:
                h = max(0.0, 1.0 - d)
            else:
                h = (1.0 - d) * np.exp(-0.5 * d)
            step = rate * h
            if abs(step) > 1e-12:
                row = prototypes[k]
                for j in range(n_features):
                    row[j] += step * (item[j] - row[j])
    return met


@compiled(nogil=True, fastmath={"reassoc"})
def count_gaps(x, lo, hi, found):  # type: ignore[no-untyped-def]
    """found[0] += NaNs, found[1] += infinities in the rows lo..hi; found[2], found[3]: where the last one lies."""
    for i in range(lo, hi):
        total = x.dtype.type(0.0)
        for j in range(x.shape[1]):
            total += x[i, j] - x[i, j]  # 0 for a number, NaN for a gap or an infinity
        if total != 0.0:
            for j in range(x.shape[1]):
                if np.isnan(x[i, j]):
                    found[0] += 1
                elif np.isinf(x[i, j]):
                    found[1] += 1
                    found[2], found[3] = i, j
