"""A fingerprint of the data of a training, to notice on resuming that they are others."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from somscope.training.feed import Data

__all__ = ["fingerprint"]

_WHOLE = 2**30  # bytes up to which every value counts
_SAMPLES = 1024  # ranges of rows, evenly spaced, of larger data
_SAMPLE = 2**20  # bytes of each


def fingerprint(data: Data) -> str:
    """SHA-256 (hex) over shape, type and values; of data above 1 GiB over 1,024 evenly spaced ranges of 1 MiB."""
    dtype = str(data.dtype).removeprefix("torch.")
    digest = hashlib.sha256(f"{dtype} {tuple(data.shape)}".encode())
    width = max(1, int(np.prod(data.shape[1:], dtype=np.int64)) * data.dtype.itemsize)
    rows = max(1, _SAMPLE // width)
    starts = np.arange(0, len(data), rows)
    if len(data) * width > _WHOLE:
        starts = starts[np.unique(np.linspace(0, len(starts) - 1, _SAMPLES).astype(np.int64))]
    for start in starts.tolist():
        part = data[start : start + rows]
        digest.update(_bytes(part).data)
    return digest.hexdigest()


def _bytes(part: Data) -> NDArray[Any]:
    """The values in the order of the rows; those of a tensor as bytes, because NumPy has no bfloat16."""
    if isinstance(part, Tensor):
        return part.detach().cpu().contiguous().view(torch.uint8).numpy()
    return np.ascontiguousarray(part)
