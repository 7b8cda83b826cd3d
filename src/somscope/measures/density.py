"""Density of the data around each unit: Pareto radius, P-matrix and U*-matrix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from somscope.errors import InputError
from somscope.measures._arrays import (
    Features,
    Floats,
    Units,
    as_count,
    as_features,
    as_prototypes,
    block_rows,
    check_shape,
)
from somscope.measures._pairs import PairDistances
from somscope.measures._threads import row_threads

__all__ = ["p_matrix", "pareto_radius", "u_star_matrix"]

PARETO_SHARE = 0.2013  # Ultsch: a sphere with this share of the data tells most with fewest points


def pareto_radius(
    features: Any, share: float = PARETO_SHARE, sample_size: int = 10_000, random_state: int = 0
) -> float:
    """The radius at which the median sphere around an item holds `share` of the items (itself included).

    It is the median over items of the distance to the ceil(share n)-th nearest, exact up to `sample_size` items; of
    more, a random sample is used. In units of the features. Work O(n^2 d), memory O(n d) + about 192 MiB.
    Raises InputError for a share outside 0 to 1 or a sample below 2.
    Source: Ultsch (2005), "Pareto density estimation: a density estimation for knowledge discovery".
    """
    x = as_features(features)
    if not 0.0 < share <= 1.0:
        raise InputError(f"share={share}; allowed: above 0, at most 1")
    as_count("sample_size", sample_size, 2, np.iinfo(np.int64).max)
    if x.shape[0] > sample_size:
        x = x[np.sort(np.random.default_rng(random_state).choice(x.shape[0], sample_size, replace=False))]
    n = x.shape[0]
    place = int(np.ceil(share * n - 1e-9)) - 1
    distances, reach = PairDistances(x), np.empty(n)
    with row_threads() as spread:
        for start, block in distances.blocks(spread):

            def work(first: int, last: int, start: int = start, block: Any = block) -> None:
                reach[start + first : start + last] = np.partition(block[first:last], place, axis=1)[:, place]

            spread(work, len(block))
    return float(np.median(np.sqrt(reach)))


def p_matrix(
    features: Any, prototypes: ArrayLike, shape: tuple[int, int], radius: float | None = None
) -> Units:
    """(rows, columns) number of items within `radius` of each unit's prototype; high = dense.

    radius: in units of the features; `pareto_radius(features)` when None. An item exactly at the radius counts.
    features: (n, d) dense, with NaN (partial distances, see `item_distances`), or CSR. shape: (rows, columns).
    Source: Ultsch (2003), "Maps for the visualization of high-dimensional data spaces".
    """
    x = as_features(features)
    m = as_prototypes(prototypes, x.shape[1])
    check_shape(shape, len(m))
    reach = pareto_radius(x) if radius is None else radius
    if not reach >= 0:
        raise InputError(f"radius={radius}; allowed: 0 or more")
    count = np.zeros(len(m), dtype=np.int64)
    for squared in _squared_to_prototypes(x, m):
        count += (squared <= reach**2).sum(axis=0)
    return count.reshape(shape)


def u_star_matrix(u_matrix: ArrayLike, p_matrix: ArrayLike) -> Floats:
    """(rows, columns) the U-matrix weighted by density: borders fade inside dense regions and stand out in thin ones.

        U* = U * (1 + (P - mean P) / (mean P - max P))
    so that it is U at mean density and 0 at the densest unit. With equal density everywhere it is U.
    Source: Ultsch (2003), "U*-matrix: a tool to visualize clusters in high dimensional data".
    """
    u, p = np.asarray(u_matrix, dtype=np.float64), np.asarray(p_matrix, dtype=np.float64)
    if u.ndim != 2 or u.shape != p.shape or not u.size:
        raise InputError(f"U-matrix {u.shape} and P-matrix {p.shape} must be of one shape (rows, columns)")
    room = p.max() - p.mean()
    return np.asarray(u * (1.0 - (p - p.mean()) / room)) if room > 0 else u.copy()


def _squared_to_prototypes(x: Features, m: Floats) -> Iterator[Floats]:
    """Blocks of (rows, K) squared distances of the items to every prototype, in float64."""
    middle = np.zeros(m.shape[1]) if sparse.issparse(x) else m.mean(axis=0)
    m = m - middle
    norms = np.einsum("ij,ij->i", m, m)
    step = block_rows(8 * max(m.shape))
    for start in range(0, x.shape[0], step):
        rows: Any = x[start : start + step]
        if sparse.issparse(rows):
            own = np.asarray(rows.multiply(rows).sum(axis=1)).reshape(-1, 1)
            squared = own - 2.0 * (rows @ m.T) + norms
        else:
            rows = np.asarray(rows, dtype=np.float64) - middle
            observed = ~np.isnan(rows)
            if observed.all():
                squared = np.einsum("ij,ij->i", rows, rows)[:, None] - 2.0 * (rows @ m.T) + norms
            else:
                rows[~observed] = 0.0
                own = np.einsum("ij,ij->i", rows, rows)[:, None]
                squared = own - 2.0 * (rows @ m.T) + observed.astype(np.float64) @ (m**2).T
                squared *= m.shape[1] / np.maximum(observed.sum(axis=1), 1)[:, None]
        yield np.maximum(squared, 0.0)
