"""From what users hand over to the items that a deep map is trained on: pixels as bytes, all else as float32."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from somscope.errors import InputError
from somscope.mapped import blocks_of_rows, mapping_of
from somscope.maps.inputs import as_matrix

__all__ = ["ImageShape", "as_training_items", "known_image_shape"]

ImageShape = tuple[int, int, int]
_BLOCK = 16 * 2**20  # bytes of a file that are checked at once
_MOST_PIXEL = 16.0  # more than any pixel / 255, also one that was standardised
_LARGEST_DENSE = 8 * 2**30  # bytes that a sparse matrix may need when it is made dense


def known_image_shape(x: Any) -> ImageShape | None:
    """(H, W, C) where x is a collection of images, or an array or tensor (n, H, W, C) of bytes, else None."""
    shape = getattr(x, "image_shape", None)
    if shape is None and _is_bytes(x) and x.ndim == 4:
        shape = x.shape[1:]
    return None if shape is None else (int(shape[0]), int(shape[1]), int(shape[2]))


def _is_bytes(x: Any) -> bool:
    return isinstance(x, np.ndarray | torch.Tensor) and x.dtype in (np.uint8, torch.uint8)


def as_training_items(estimator: BaseEstimator, x: Any, reset: bool) -> NDArray[Any]:
    """(n, d) items: uint8 for images, whose value is pixel / 255, and float32 for everything else, used as given.

    x: a collection, images (n, H, W, C) uint8, or an array, tensor or CSR matrix (n, d). Bytes (n, d) are pixels, too,
    where the model is one of images. The estimator notes the number of features with `reset`, and is asked for it
    without.
    Raises InputError for NaN, infinite values, other shapes, another number of features, floating-point pixels above 16
    for a model of images, and sparse items that would not fit into 8 GB.
    """
    kind: type = np.float32
    of_images = getattr(estimator, "image_shape" if reset else "image_shape_", None) is not None
    if known_image_shape(x) is not None or (of_images and _is_bytes(x) and x.ndim == 2):
        pixels = getattr(x, "features", x)
        pixels = pixels.cpu().numpy() if isinstance(pixels, torch.Tensor) else pixels
        flat, kind = pixels.reshape(len(pixels), math.prod(pixels.shape[1:])), np.uint8
    else:
        flat = as_matrix(x)
        if isinstance(flat, np.ndarray) and flat.ndim > 2:
            raise InputError(
                f"X has shape {flat.shape} and type {getattr(x, 'dtype', flat.dtype)}; allowed: (n, d) numbers, "
                "images (n, H, W, C) uint8, or a collection"
            )
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # too large for float32 is refused as infinite
            checked = validate_data(
                estimator,
                flat,
                reset=reset,
                accept_sparse="csr",
                dtype=kind,
                order="C",
                ensure_all_finite=mapping_of(flat) is None,
            )
            if mapping_of(flat) is not None:
                for _, rows in blocks_of_rows(checked, _BLOCK):
                    check_array(rows, dtype=None, input_name="X")
    except ValueError as error:
        raise InputError(_where_not_finite(flat) or str(error)) from None
    if of_images and kind is np.float32:
        _refuse_byte_values(checked)
    if isinstance(checked, np.ndarray):
        return checked
    needed = 4 * checked.shape[0] * checked.shape[1]
    if needed > _LARGEST_DENSE:
        raise InputError(
            f"X is sparse and would need {needed / 2**30:.0f} GB when made dense, which a network needs; keep fewer "
            f"features (limit: {_LARGEST_DENSE / 2**30:.0f} GB)"
        )
    return np.asarray(checked.toarray())


def _refuse_byte_values(x: Any) -> None:
    """Raise InputError for pixels from 0 to 255 as floating-point numbers, of which a model sees a 255th."""
    most = float(x.max()) if x.size else 0.0
    if most > _MOST_PIXEL:
        raise InputError(
            f"X has values up to {most:g}, but floating-point pixels of a model of images are pixel / 255: "
            "give uint8, or divide by 255"
        )


def _where_not_finite(x: Any) -> str:
    """Which of (n, d) numbers are NaN or infinite, in words; "" where none is, or where these are no numbers."""
    if not isinstance(x, np.ndarray) or x.ndim != 2 or x.dtype.kind != "f":
        return ""
    wrong = ~np.isfinite(x)
    if not wrong.any():
        return ""
    row, column = np.argwhere(wrong)[0]
    return (
        f"X contains NaN or infinity in {wrong.any(axis=1).sum()} of {len(x)} items, the first in row {row}, column "
        f"{column}: {x[row, column]}; replace or remove them"
    )
