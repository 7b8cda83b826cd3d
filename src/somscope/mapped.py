"""Memory-mapped arrays: what was read of one is given back, so that a pass over it takes the memory of one block."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["blocks_of_rows", "mapping_of", "picked", "release"]

_PICKED = 4096  # rows


def mapping_of(array: Any) -> np.memmap[Any, Any] | None:
    """The memory-mapped array that `array` is, or is a view of; None for one in memory."""
    while isinstance(array, np.ndarray):
        below: Any = array.base
        if isinstance(array, np.memmap) and isinstance(below, mmap.mmap):
            return array
        array = below
    return None


def release(array: Any) -> None:
    """Take the pages of a memory-mapped array out of this process; they stay in the system's cache while it has room.

    Nothing happens to an array in memory, nor to one that was mapped copy-on-write, whose changes are in its pages.
    """
    mapped = mapping_of(array)
    if mapped is not None and mapped.mode != "c" and hasattr(mmap, "MADV_DONTNEED"):
        pages: Any = mapped.base
        pages.madvise(mmap.MADV_DONTNEED)


def blocks_of_rows(array: NDArray[Any], n_bytes: int) -> Iterator[tuple[slice, NDArray[Any]]]:
    """The rows of an array in views of at most about `n_bytes`, each released when the next is asked for."""
    width = max(1, array[:1].nbytes)
    step = max(1, n_bytes // width)
    for start in range(0, len(array), step):
        rows = slice(start, min(start + step, len(array)))
        yield rows, array[rows]
        release(array)


def picked(array: NDArray[Any], rows: NDArray[np.integer]) -> NDArray[Any]:
    """array[rows] in memory. The system maps pages around each row that is picked: few rows at a time."""
    if mapping_of(array) is None:
        return np.asarray(array[rows])
    parts = []
    for some in np.array_split(rows, 1 + len(rows) // _PICKED):
        parts.append(np.array(array[some]))
        release(array)
    return np.concatenate(parts)
