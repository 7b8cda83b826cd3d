"""Checks of the arrays that measures take; each error names the argument, what it is and what it may be."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from somscope.errors import InputError

Features: TypeAlias = "NDArray[Any] | sparse.csr_matrix | sparse.csr_array"
Floats: TypeAlias = NDArray[np.float64]
Units: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]

_BLOCK_BYTES = 16 * 2**20  # one block of work; a measure holds a few of these beside its input


def block_rows(bytes_per_row: int) -> int:
    """How many rows make one block of work (about 16 MiB)."""
    return max(1, _BLOCK_BYTES // max(1, bytes_per_row))


def as_features(features: Any) -> Features:
    """(n, d) dense or CSR numbers with n, d >= 1; NaN means missing (dense only), infinite values are refused."""
    if sparse.issparse(features):
        matrix = features.tocsr()
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        values = matrix.data
    else:
        matrix = values = np.asarray(features)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InputError(
            f"features have shape {matrix.shape}; allowed: (items, features), at least one of each"
        )
    if values.dtype.kind not in "fiub":
        raise InputError(f"features have type {values.dtype}; allowed: numbers")
    if values.dtype.kind == "f":
        _refuse_infinite(values, is_sparse=sparse.issparse(matrix))
    return matrix


def _refuse_infinite(values: NDArray[Any], is_sparse: bool) -> None:
    step = block_rows(values.itemsize * (values.shape[1] if values.ndim == 2 else 1))
    for start in range(0, len(values), step):
        part = values[start : start + step]
        if is_sparse and not np.isfinite(part).all():
            raise InputError("sparse features hold NaN or infinite values; allowed: finite numbers")
        infinite = np.isinf(part)
        if infinite.any():
            row = start + int(np.argwhere(infinite)[0][0])
            raise InputError(f"features hold an infinite value in row {row}; allowed: finite numbers and NaN")


def has_missing(features: Features) -> bool:
    """Whether dense features hold NaN."""
    if sparse.issparse(features) or features.dtype.kind != "f":
        return False
    step = block_rows(features.itemsize * features.shape[1])
    return any(bool(np.isnan(features[i : i + step]).any()) for i in range(0, features.shape[0], step))


def observed_items(features: Features) -> Mask:
    """(n,) False for items all of whose features are missing."""
    if sparse.issparse(features) or features.dtype.kind != "f":
        return np.ones(features.shape[0], dtype=bool)
    step = block_rows(features.itemsize * features.shape[1])
    parts = [~np.isnan(features[i : i + step]).all(axis=1) for i in range(0, features.shape[0], step)]
    return np.concatenate(parts)


def as_prototypes(prototypes: ArrayLike, n_features: int | None = None) -> Floats:
    """(K, d) finite float64, K >= 1."""
    array = _numbers("prototypes", prototypes)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"prototypes have shape {array.shape}; allowed: (units, features), at least one of each"
        )
    if n_features is not None and array.shape[1] != n_features:
        raise InputError(f"prototypes have {array.shape[1]} features but the items have {n_features}")
    return array


def as_matrix(name: str, matrix: ArrayLike, n_units: int | None = None) -> Floats:
    """(K, K) finite, non-negative float64."""
    array = _numbers(name, matrix)
    size = n_units if n_units is not None else (array.shape[0] if array.ndim else 0)
    if array.shape != (size, size) or size == 0:
        raise InputError(f"{name} has shape {array.shape}; allowed: (units, units), here ({size}, {size})")
    if (array < 0).any():
        raise InputError(f"{name} holds negative values; allowed: 0 or more")
    return array


def as_adjacency(adjacency: ArrayLike, n_units: int | None = None) -> Mask:
    """(K, K) symmetric booleans, False on the diagonal."""
    array = as_matrix("adjacency", adjacency, n_units).astype(bool)
    if array.diagonal().any() or (array != array.T).any():
        raise InputError("adjacency must be symmetric, and no unit may be its own neighbour")
    return array


def as_units(name: str, units: ArrayLike, n_units: int, n_items: int | None = None) -> Units:
    """(n,) unit of each item, 0 <= unit < K."""
    array = _integers(name, units)
    if n_items is not None and len(array) != n_items:
        raise InputError(f"{name} has {len(array)} entries but there are {n_items} items")
    if array.min() < 0 or array.max() >= n_units:
        bad = int(np.flatnonzero((array < 0) | (array >= n_units))[0])
        raise InputError(f"{name}[{bad}] is {array[bad]}; allowed: units 0 to {n_units - 1}")
    return array


def as_labels(name: str, labels: ArrayLike, n_items: int | None = None) -> Units:
    """(n,) class of each item, -1 where it has none."""
    array = _integers(name, labels)
    if n_items is not None and len(array) != n_items:
        raise InputError(f"{name} has {len(array)} entries but there are {n_items} items")
    if array.min() < -1:
        bad = int(np.flatnonzero(array < -1)[0])
        raise InputError(
            f"{name}[{bad}] is {array[bad]}; allowed: 0 and above, or -1 for an item without a label"
        )
    return array


def compact(values: Units) -> Units:
    """The same values (0 or more) numbered from 0 without gaps; linear in n while they are not much larger than n."""
    if values.max() > 4 * len(values) + 1024:
        return np.unique(values, return_inverse=True)[1]
    used = np.bincount(values) > 0
    return (np.cumsum(used) - 1)[values]


def as_distances(distances: ArrayLike, n_items: int | None = None) -> Floats:
    """(n,) finite, non-negative float64."""
    array = _numbers("distances", distances)
    if array.ndim != 1 or not len(array):
        raise InputError(f"distances have shape {array.shape}; allowed: (items,), at least one")
    if n_items is not None and len(array) != n_items:
        raise InputError(f"distances have {len(array)} entries but there are {n_items} items")
    if (array < 0).any():
        raise InputError("distances hold negative values; allowed: 0 or more")
    return array


def as_count(name: str, value: object, low: int, high: int) -> int:
    """An integer from low to high."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InputError(f"{name}={value!r} is not an integer; allowed: {low} to {high}")
    if not low <= value <= high:
        raise InputError(f"{name}={value}; allowed: {low} to {high}")
    return int(value)


def check_shape(shape: tuple[int, int], n_units: int) -> None:
    """(rows, columns) must hold exactly the units."""
    if len(shape) != 2 or shape[0] < 1 or shape[1] < 1 or shape[0] * shape[1] != n_units:
        raise InputError(
            f"shape={tuple(shape)} does not hold {n_units} units; allowed: rows * columns = {n_units}"
        )


def _numbers(name: str, values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{name} has type {array.dtype}; allowed: numbers")
    array = array.astype(np.float64, copy=False)
    if not np.isfinite(array).all():
        raise InputError(f"{name} holds NaN or infinite values; allowed: finite numbers")
    return array


def _integers(name: str, values: ArrayLike) -> Units:
    array = np.asarray(values)
    if array.ndim != 1 or not len(array):
        raise InputError(f"{name} has shape {array.shape}; allowed: (items,), at least one")
    if array.dtype.kind not in "iu":
        raise InputError(f"{name} has type {array.dtype}; allowed: integers")
    return array.astype(np.int64, copy=False)
