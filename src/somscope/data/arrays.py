"""Arrays in memory: vectors (dense or CSR) and images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from somscope.data.collection import Collection, Features
from somscope.data.labels import encode_labels
from somscope.errors import InputError

__all__ = ["collection_from_array", "prepare_features"]


def collection_from_array(
    array: Any,
    *,
    name: str = "array",
    labels: Iterable[Any] | None = None,
    label_names: Sequence[str] = (),
    ids: Sequence[str] | None = None,
    feature_names: Sequence[str] = (),
    source: dict[str, Any] | None = None,
) -> Collection:
    """A collection of vectors or images from an array.

    array: (n, d) numbers or booleans, or a SciPy sparse matrix: vectors. float32 and float64 stay as they
        are, without a copy; float16 and integers of at most 16 bits become float32, others float64.
        (n, H, W), (n, H, W, 1) or (n, H, W, 3) uint8: images. Numbers (n,): n vectors of one feature,
        which `source["note"]` then says.
    labels: one value for each item, see `somscope.data.labels.encode_labels`.

    Raises InputError for objects, text, complex numbers, infinite values, other shapes, and labels, ids or
    feature names of the wrong length.
    """
    kind, features = prepare_features(name, array)
    source = {"reader": "array"} if source is None else source
    if np.ndim(array) == 1:
        source = {**source, "note": "the array has one dimension: each number is one item of one feature"}
    numbers, names = (None, ()) if labels is None else encode_labels(labels, features.shape[0], label_names)
    return Collection(
        name=name,
        kind=kind,
        features=features,
        ids=None if ids is None else np.asarray(ids, dtype=np.str_),  # type: ignore[arg-type]
        labels=numbers,
        label_names=names,
        feature_names=tuple(str(feature) for feature in feature_names),
        source=source,
    )


def prepare_features(name: str, array: Any) -> tuple[str, Features]:
    """("images" or "vectors", features as `Collection` wants them); see `collection_from_array`."""
    if issparse(array):
        dtype = _float_dtype(name, array.dtype)
        return "vectors", array.tocsr().astype(dtype, copy=False)
    values = array if isinstance(array, np.memmap) else np.asarray(array)  # a file stays a file
    if values.ndim == 1 and values.dtype != object:
        values = values[:, None]
    if values.dtype == np.uint8 and (values.ndim == 3 or (values.ndim == 4 and values.shape[3] in (1, 3))):
        return "images", values if values.ndim == 4 else values[..., None]
    dtype = _float_dtype(name, values.dtype)
    if values.ndim != 2:
        raise InputError(
            f"{name}: cannot tell what an array of shape {values.shape} and dtype {values.dtype} holds; "
            "vectors are (n, d), images are (n, H, W) or (n, H, W, 1 or 3) uint8"
        )
    with np.errstate(over="ignore"):  # what does not fit becomes infinite, and is refused as such
        return "vectors", values.astype(dtype, copy=False)


def _float_dtype(name: str, dtype: np.dtype[Any]) -> np.dtype[Any]:
    if dtype.kind == "O":
        raise InputError(f"{name}: an array of Python objects cannot be read; give numbers (n, d)")
    if dtype.kind not in "fiub":
        raise InputError(
            f"{name}: {dtype} values are not numbers; give float, integer or boolean values (n, d)"
        )
    # The 24 bits of a float32 hold every 8- and 16-bit integer exactly.
    wide = dtype.itemsize > (4 if dtype.kind == "f" else 2)
    return np.dtype(np.float64 if wide else np.float32)
