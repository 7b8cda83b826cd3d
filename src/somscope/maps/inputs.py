"""From what users hand over to the array that a map works on, and clear errors for what cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from somscope.errors import InputError
from somscope.maps.items import METRICS, DenseItems, Items, SparseItems, count_gaps
from somscope.maps.lattice import Lattice

__all__ = [
    "as_items",
    "as_matrix",
    "as_prototypes",
    "checked_weights",
    "refuse_infinities",
    "refuse_overflow",
    "refuse_unmappable",
    "sample_rows",
    "sample_step",
]

_SAMPLE = 2048  # items that the grid, the plane and the first prototypes are chosen from
_ROWS = 4096  # rows looked at together
_LARGEST = 1e150  # the square of more is beyond float64 after a few sums


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


def as_prototypes(given: Any, lattice: str | Lattice, toroidal: bool) -> tuple[NDArray[np.floating], Lattice]:
    """A copy (K, d) of given prototypes, and their lattice; given: (rows, columns, d), or any shape with a Lattice.

    Raises InputError where they do not fit each other, or are not finite.
    """
    array = np.array(given)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if not isinstance(lattice, Lattice):
        if array.ndim != 3:
            raise InputError(
                f"prototypes have shape {array.shape}; needed: (rows, columns, d), or (K, d) with a Lattice"
            )
        lattice = Lattice(array.shape[0], array.shape[1], lattice, toroidal)
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
    array = np.asarray(weights, dtype=np.float64)
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
) -> Items:
    """Items for training or search from a validated array or CSR matrix.

    Raises InputError for infinite values (and where), and for missing ones where the metric cannot take them.
    """
    if metric not in METRICS:
        raise InputError(f"metric={metric!r} is not known; allowed: {', '.join(METRICS)}")
    if sparse.issparse(x):
        csr = sparse.csr_matrix(x)
        if not np.isfinite(csr.data).all():
            raise InputError("X is sparse and holds NaN or inf; missing values need a dense array")
        if not csr.has_canonical_format:  # the caller's matrix stays as it is
            csr = csr.copy()
            csr.sum_duplicates()
        return SparseItems(csr, metric, feature_weights, sample_weight)
    gaps = refuse_infinities(x, "X")
    if gaps and not allow_nan:
        raise InputError(
            f"X has {gaps} missing values (NaN), which algorithm='batch' with metric 'euclidean' or 'manhattan' takes, "
            f"but neither algorithm='online' nor metric='cosine'; or impute them first"
        )
    return DenseItems(x, metric, feature_weights, sample_weight, missing=gaps > 0)


def refuse_infinities(x: NDArray[np.floating], what: str) -> int:
    """The number of missing values (NaN) in (n, d); InputError where a value is infinite, and where it lies."""
    if not len(x):
        return 0
    gaps, infinities, (row, column) = count_gaps(x)
    if infinities:
        raise InputError(
            f"{what} contains inf: {infinities} infinite values, one in row {row}, column {column}"
        )
    return gaps


def sample_step(n: int) -> int:
    """The smallest power of two s for which every s-th of n items makes a sample of at most 2048."""
    step = 1
    while -(-n // step) > _SAMPLE:
        step *= 2
    return step


def sample_rows(n: int) -> NDArray[np.int64]:
    """Rows of an even sample of n items: every s-th. A stream of blocks can keep the same ones without knowing n."""
    return np.arange(0, n, sample_step(n))


def refuse_overflow(sample: Any) -> None:
    """InputError for a sample of items, dense or sparse, whose squares cannot be summed in float64."""
    values = sample.data if sparse.issparse(sample) else sample
    largest = max(
        float(np.fmax.reduce(values, axis=None, initial=0.0)),
        -float(np.fmin.reduce(values, axis=None, initial=0.0)),
    )
    if largest > _LARGEST:
        raise InputError(
            f"X has values up to {largest:.3g}, whose squares overflow; scale them to {_LARGEST:g} or less"
        )


def refuse_unmappable(x: Any) -> None:
    """InputError for fewer than two items, items that are all equal, and columns without any value."""
    n = x.shape[0]
    if n < 2:
        raise InputError(f"X has {n} sample(s), and a map needs at least 2 different items")
    if sparse.issparse(x):
        for start in range(0, n, _ROWS):
            part = sparse.vstack([x[:1], x[start : start + _ROWS]], format="csr")
            if (part.max(axis=0) != part.min(axis=0)).nnz:
                return
    else:
        differ, unseen = False, np.ones(x.shape[1], dtype=np.bool_)
        for start in range(0, n, _ROWS):
            block = x[start : start + _ROWS]
            gaps = np.isnan(block)
            unseen &= gaps.all(axis=0)
            differ = differ or bool(((block != x[0]) & ~(gaps & np.isnan(x[0]))).any())
            if differ and not unseen.any():
                return
        if unseen.any():
            empty = np.flatnonzero(unseen)
            raise InputError(
                f"column {empty[0]} holds nothing but NaN; leave out {len(empty)} such column(s)"
            )
    raise InputError(f"all {n} items are equal: there is nothing to map")
