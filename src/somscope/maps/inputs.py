"""From what users hand over to the array that a map works on, and clear errors for what cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from somscope.errors import InputError
from somscope.maps.defaults import parse_grid
from somscope.maps.items import METRICS, DenseItems, Items, SparseItems, count_gaps
from somscope.maps.lattice import Lattice

__all__ = [
    "as_items",
    "as_matrix",
    "as_prototypes",
    "checked_weights",
    "refuse_unusable",
]

_ROWS = 4096  # rows looked at together


def as_matrix(x: Any) -> Any:
    """A collection's feature matrix, or a tensor as an array; anything else as it is.

    Small integers and half floats become float32, which holds them exactly; scikit-learn's checks do the rest.
    """
    if isinstance(x, Iterator):
        raise InputError(
            "an iterator can be read only once: use fit_blocks(iterator), which takes blocks of items"
        )
    if hasattr(x, "matrix") and hasattr(type(x), "fingerprint"):
        x = x.matrix()
    elif hasattr(x, "detach"):
        x = x.detach().cpu()
        x = (x.float() if str(x.dtype) == "torch.bfloat16" else x).numpy()
    kind = getattr(x, "dtype", None)
    if isinstance(kind, np.dtype) and kind in (np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.float16):
        return x.astype(np.float32)
    return x


def as_prototypes(
    given: Any, lattice: str | Lattice, toroidal: bool, grid: Any = None
) -> tuple[NDArray[np.floating], Lattice]:
    """A copy (K, d) of given prototypes, and their lattice.

    given: (rows, columns, d), or (K, d) with a grid as `SOM` takes it; or any shape with a Lattice.
    Raises InputError where they do not fit each other, or are not finite.
    """
    array = np.array(given)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    sides = None if grid is None else parse_grid(grid)
    if isinstance(lattice, Lattice):
        if sides not in (None, (lattice.rows, lattice.columns)):
            raise InputError(f"grid={grid!r}, but the lattice given is {lattice}; give one of them")
    else:
        if array.ndim == 3:
            sides = sides or array.shape[:2]
        if sides is None or array.ndim not in (2, 3):
            raise InputError(
                f"prototypes have shape {array.shape}; needed: (rows, columns, d), or (K, d) with "
                "grid=(rows, columns) or a Lattice"
            )
        lattice = Lattice(*sides, lattice, toroidal)
    array = array.reshape(-1, array.shape[-1] if array.ndim else 1)
    if len(array) != lattice.n_units:
        raise InputError(f"{len(array)} prototypes for the {lattice.n_units} units of {lattice}")
    if not np.isfinite(array).all():
        raise InputError(f"prototype {np.argwhere(~np.isfinite(array))[0][0]} is not finite")
    return array, lattice


def checked_weights(weights: Any, n: int, what: str, of: str) -> NDArray[np.float64] | None:
    """(n,) weights of 0 or more with a positive sum, or None; InputError says what is wrong."""
    if weights is None:
        return None
    try:
        array = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(
            f"{what}={weights!r}; allowed: None, or {n} numbers of 0 or more, one for each {of}"
        ) from None
    if array.ndim == 0:
        array = np.full(n, float(array))
    if array.shape != (n,):
        raise InputError(f"{what} has shape {array.shape}; needed: ({n},), one for each {of}")
    if not np.isfinite(array).all() or (array < 0).any() or array.sum() <= 0:
        raise InputError(f"{what} must be finite, 0 or more, and not all zero")
    return array


def as_items(
    x: Any,
    metric: str,
    feature_weights: NDArray[np.float64] | None = None,
    sample_weight: NDArray[np.float64] | None = None,
    allow_nan: bool = True,
    what: str = "X",
) -> Items:
    """Items for training or search from a validated array or CSR matrix.

    Raises InputError for infinite values (and where), for missing ones where the metric cannot take them, and for items
    of which nothing is known that counts.
    """
    if metric not in METRICS:
        raise InputError(f"metric={metric!r} is not known; allowed: {', '.join(METRICS)}")
    if sparse.issparse(x):
        csr = sparse.csr_matrix(x)
        if not np.isfinite(csr.data).all():
            raise InputError(f"{what} is sparse and holds NaN or inf; missing values need a dense array")
        if not csr.has_canonical_format:  # the caller's matrix stays as it is
            csr = csr.copy()
            csr.sum_duplicates()
        return SparseItems(csr, metric, feature_weights, sample_weight)
    gaps = refuse_unusable(x, what, feature_weights)
    if gaps and not allow_nan:
        raise InputError(
            f"{what} has {gaps} missing values (NaN), which algorithm='batch' with metric 'euclidean' or 'manhattan' "
            f"takes, but neither algorithm='online' nor metric='cosine'; or impute them first"
        )
    return DenseItems(x, metric, feature_weights, sample_weight, missing=gaps > 0)


def refuse_unusable(
    x: NDArray[np.floating], what: str, feature_weights: NDArray[np.float64] | None = None
) -> int:
    """The number of missing values (NaN) in (n, d).

    Raises InputError where a value is infinite, and for items that are NaN in every feature (of positive weight), which
    are no nearer to one unit than to another; it says where.
    """
    if not len(x):
        return 0
    gaps, infinities, (row, column) = count_gaps(x)
    if infinities:
        raise InputError(
            f"{what} contains inf: {infinities} infinite values, one in row {row}, column {column}"
        )
    if gaps:
        counts = slice(None) if feature_weights is None else np.flatnonzero(feature_weights)
        unknown = np.concatenate(
            [
                start + np.flatnonzero(np.isnan(x[start : start + _ROWS, counts]).all(axis=1))
                for start in range(0, len(x), _ROWS)
            ]
        )
        if len(unknown):
            raise InputError(
                f"{what} has {len(unknown)} item(s) without any value, the first in row {unknown[0]}: NaN in every "
                "feature (of positive weight), so that no unit is nearer than another; leave them out"
            )
    return gaps
