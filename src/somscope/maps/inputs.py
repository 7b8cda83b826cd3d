"""From what users hand over to the array that a map works on, and clear errors for what cannot be used."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from somscope.errors import InputError
from somscope.maps.items import METRICS, DenseItems, Items, SparseItems, count_gaps

__all__ = ["as_items", "as_matrix", "checked_weights"]


def as_matrix(x: Any) -> Any:
    """A collection's feature matrix, or a tensor as an array; anything else as it is.

    Small integers and half floats become float32, which holds them exactly; scikit-learn's checks do the rest.
    """
    if hasattr(x, "matrix") and hasattr(x, "fingerprint"):
        x = x.matrix()
    elif hasattr(x, "detach"):
        x = x.detach().cpu().numpy()
    kind = getattr(x, "dtype", None)
    if isinstance(kind, np.dtype) and kind in (np.bool_, np.int8, np.uint8, np.int16, np.uint16, np.float16):
        return x.astype(np.float32)
    return x


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
        csr.sum_duplicates()
        return SparseItems(csr, metric, feature_weights, sample_weight)
    gaps, infinities, (row, column) = count_gaps(x)
    if infinities:
        raise InputError(f"X contains inf: {infinities} infinite values, one in row {row}, column {column}")
    if gaps:
        everywhere = np.flatnonzero(np.isnan(x).all(axis=0))
        if len(everywhere):
            raise InputError(
                f"column {everywhere[0]} holds nothing but NaN; leave out {len(everywhere)} such columns"
            )
    return DenseItems(x, metric, feature_weights, sample_weight, missing=gaps > 0)
