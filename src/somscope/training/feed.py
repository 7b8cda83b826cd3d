"""Batches out of the data: resident on the device where they fit, read batch by batch where they do not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from somscope.errors import InputError
from somscope.mapped import release
from somscope.training.task import Batch

__all__ = ["RESIDENT_SHARE", "Feed"]

RESIDENT_SHARE = 0.5  # of the GPU's free memory: the rest is for weights, activations and the allocator
_BLOCK_BYTES = 64 * 2**20  # copied to the device at a time

Data = NDArray[Any] | Tensor


class Feed:
    """The items of a training on one device.

    data: (n, ...) uint8 or floating array, memory map or tensor, n >= 1. uint8 stays uint8 and becomes float32 / 255
    batch by batch; other floating types become float32.

    On a GPU the whole set is copied there, as uint8 or float32, if it takes at most half of the free memory;
    otherwise each batch is read from the host. On a CPU nothing is copied: arrays are used where they are, and of a
    memory map only the rows of a batch are read.
    Raises InputError for data of another type or without items.
    """

    def __init__(self, data: Data, device: torch.device) -> None:
        _check(data)
        self.device = device
        self.data: Data = data
        if isinstance(data, np.ndarray) and _shareable(data):
            self.data = torch.from_numpy(data)
        if device.type == "cuda" and _fits(data, device):
            self.data = _copied(data, device)
        elif isinstance(data, Tensor) and data.device.type != "cpu" and data.device != device:
            self.data = data.to("cpu")

    def __len__(self) -> int:
        return len(self.data)

    @property
    def index_device(self) -> torch.device:
        """Where the indices of a batch have to be to be looked up without waiting."""
        return self.data.device if isinstance(self.data, Tensor) else torch.device("cpu")

    def batch(self, indices: Tensor, share: float = 1.0, raw: bool = False) -> Batch:
        """The items of `indices` (b,) int64 on the index_device."""
        if isinstance(self.data, Tensor):
            items = self.data.index_select(0, indices)
        else:
            items = torch.from_numpy(_native(np.take(self.data, indices.numpy(), axis=0)))
            release(self.data)
        if items.device != self.device:
            items = items.pin_memory().to(self.device, non_blocking=True)
            indices = indices.to(self.device, non_blocking=True)
        return Batch(items if raw else as_float(items), indices, share)

    def batches(self, batch_size: int = 1024, raw: bool = False) -> Iterator[Batch]:
        """All items once, in the order of the data. Under several processes each one passes over the whole set."""
        for start in range(0, len(self), batch_size):
            stop = min(start + batch_size, len(self))
            yield self.batch(torch.arange(start, stop, device=self.index_device), raw=raw)


def as_float(items: Tensor) -> Tensor:
    """float32; uint8 divided by 255."""
    if items.dtype == torch.uint8:
        return items.to(torch.float32).div_(255.0)
    return items.to(torch.float32)


def _check(data: Data) -> None:
    if not isinstance(data, np.ndarray | Tensor):
        raise InputError(f"data is a {type(data).__name__}; allowed: NumPy array, memory map, torch tensor")
    known = (
        data.dtype == np.uint8 or data.dtype.kind == "f"
        if isinstance(data, np.ndarray)
        else (data.dtype == torch.uint8 or data.dtype.is_floating_point)
    )
    if not known:
        raise InputError(f"data has dtype {data.dtype}; allowed: uint8 and floating types")
    if data.ndim < 2 or 0 in data.shape:
        raise InputError(
            f"data has shape {tuple(data.shape)}; it must be (n, ...) with at least one item and value"
        )


def _shareable(data: NDArray[Any]) -> bool:
    """Can PyTorch read this array in place? (It takes neither read-only nor reversed nor foreign-endian ones.)"""
    plain = data.dtype in (np.uint8, np.float32) and data.dtype.isnative
    return plain and data.flags.writeable and data.flags.c_contiguous and not isinstance(data, np.memmap)


def _native(rows: NDArray[Any]) -> NDArray[Any]:
    return rows if rows.dtype == np.uint8 else rows.astype(np.float32, copy=False)


def _fits(data: Data, device: torch.device) -> bool:
    if isinstance(data, Tensor) and data.device == device:
        return True
    n_bytes = int(np.prod(data.shape, dtype=np.int64)) * (1 if data.dtype in (np.uint8, torch.uint8) else 4)
    free, _ = torch.cuda.mem_get_info(device)
    return n_bytes <= RESIDENT_SHARE * free


def _copied(data: Data, device: torch.device) -> Tensor:
    """The whole set on the device, copied block by block so that the host needs no second copy."""
    if isinstance(data, Tensor) and data.device == device:
        return data if data.dtype == torch.uint8 else data.to(torch.float32)
    is_bytes = data.dtype in (np.uint8, torch.uint8)
    out = torch.empty(tuple(data.shape), dtype=torch.uint8 if is_bytes else torch.float32, device=device)
    rows = max(1, _BLOCK_BYTES // max(1, out[0].numel() * out.element_size()))
    for start in range(0, len(data), rows):
        part = data[start : start + rows]
        out[start : start + rows] = (
            torch.from_numpy(_native(np.array(part))) if isinstance(part, np.ndarray) else part
        )
    return out
