"""Where the features of a collection are put while it is read: in memory, or in a file that is then memory-mapped."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from somscope.data.limits import MAX_ARRAY_BYTES
from somscope.errors import DataError

__all__ = ["on_disk", "room", "shorten"]

_file: ContextVar[Path | None] = ContextVar("file", default=None)


@contextmanager
def on_disk(file: Path) -> Iterator[None]:
    """Meanwhile `room` gives arrays of this .npy file."""
    token = _file.set(file)
    try:
        yield
    finally:
        _file.reset(token)


def room(name: str, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    """An array to fill; on the disk floats are float32.

    Raises DataError for more than MAX_ARRAY_BYTES in memory, and for more than the disk has.
    """
    dtype, file = np.dtype(dtype), _file.get()
    if file is not None and dtype == np.float64:
        dtype = np.dtype(np.float32)
    n_bytes = math.prod(shape) * dtype.itemsize
    if file is None:
        if n_bytes > MAX_ARRAY_BYTES:
            raise DataError(
                f"{name}: {shape[0]:,} items of {shape[1:]} are {n_bytes:,} bytes; the limit in memory is "
                f"{MAX_ARRAY_BYTES:,}: `somscope data pack` puts them into a file, or choose a smaller image_size or a "
                "limit"
            )
        return np.empty(shape, dtype)
    free = shutil.disk_usage(file.parent).free
    if n_bytes > free:
        raise DataError(
            f"{name}: {shape[0]:,} items need {n_bytes:,} bytes, and {file.parent} has {free:,} free"
        )
    return np.lib.format.open_memmap(file, mode="w+", dtype=dtype, shape=shape)


def shorten(file: Path, n_items: int) -> None:
    """Keep the first rows of a .npy file: of fewer items than there was room for."""
    with file.open("rb+") as opened:
        version = npy_format.read_magic(opened)
        if version != (1, 0):
            raise DataError(f"{file} is not of npy format 1.0")
        shape, fortran, dtype = npy_format.read_array_header_1_0(opened)
        begin = opened.tell()
        opened.seek(0)
        header = {"descr": npy_format.dtype_to_descr(dtype), "fortran_order": fortran}
        npy_format.write_array_header_1_0(opened, {**header, "shape": (n_items, *shape[1:])})
        if opened.tell() != begin:  # NumPy leaves room in the header for any number of rows
            raise DataError(f"the header of {file} cannot be changed")
        opened.truncate(begin + n_items * math.prod(shape[1:]) * dtype.itemsize)
