"""IDX files, the format of MNIST: `*-ubyte`, `*.idx`, and either with `.gz`.

Two zero bytes, one byte for the type, one byte for the number of dimensions, each dimension as a big-endian
uint32, then the values, big-endian, in C order (Y. LeCun, C. Cortes, C. Burges, "The MNIST database").
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.typing import NDArray

from somscope.data.limits import MAX_ARRAY_BYTES
from somscope.errors import DataError

__all__ = ["IDX_SUFFIXES", "idx_labels_path", "is_idx", "read_idx", "write_idx"]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(text).newbyteorder("="): code for code, text in _DTYPES.items()}
_MAX_DIMENSIONS = 8
_PIECE = 1 << 22  # bytes read at a time
IDX_SUFFIXES = ("-ubyte", "-ubyte.gz", ".idx", ".idx.gz", ".ubyte", ".ubyte.gz")


def is_idx(path: Path) -> bool:
    """Whether the file's name says IDX."""
    return path.name.lower().endswith(IDX_SUFFIXES)


def read_idx(path: str | Path, max_bytes: int = MAX_ARRAY_BYTES) -> NDArray[Any]:
    """The array in an IDX file (gzip is recognised by its content), in native byte order.

    Raises DataError for a wrong magic number, an unknown type, more declared values than `max_bytes` hold,
    fewer or more values than declared, and damaged gzip data. What a file declares is checked before memory
    is reserved, and memory grows with what the file really holds.
    """
    path = Path(path)
    try:
        with path.open("rb") as raw:
            zipped = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast(IO[bytes], gzip.GzipFile(fileobj=raw)) if zipped else raw
            return _read(path, stream, max_bytes)
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read as IDX: {error}") from error


def _read(path: Path, stream: IO[bytes], max_bytes: int) -> NDArray[Any]:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _DTYPES or not 1 <= head[3] <= _MAX_DIMENSIONS:
        raise DataError(
            f"{path} is not an IDX file: it starts with {head.hex(' ') or 'nothing'}, not with 00 00, a type "
            f"({', '.join(f'{code:02x}' for code in _DTYPES)}) and 1 to {_MAX_DIMENSIONS} dimensions"
        )
    dtype = np.dtype(_DTYPES[head[2]])
    dimensions = stream.read(4 * head[3])
    if len(dimensions) < 4 * head[3]:
        raise DataError(f"{path} is truncated: it ends inside its header")
    shape = tuple(int(size) for size in np.frombuffer(dimensions, dtype=">u4"))
    expected = math.prod(shape) * dtype.itemsize
    if expected > max_bytes:
        raise DataError(
            f"{path} declares {shape} values, {expected:,} bytes; the limit is {max_bytes:,} bytes"
        )
    content = _read_at_most(stream, expected + 1)
    if len(content) != expected:
        found = f"only {len(content):,}" if len(content) < expected else "more"
        kind = "is truncated" if len(content) < expected else "has trailing bytes"
        raise DataError(f"{path} {kind}: it declares {shape} values, {expected:,} bytes, and holds {found}")
    try:
        array = np.frombuffer(content, dtype=dtype).reshape(shape)
    except ValueError as error:  # sizes that NumPy cannot count, of no values
        raise DataError(f"{path} declares {shape} values: {error}") from None
    return array.astype(dtype.newbyteorder("="), copy=False)


def _read_at_most(stream: IO[bytes], n_bytes: int) -> bytearray:
    """As `stream.read(n_bytes)`, which would reserve all of n_bytes at once whatever the file holds."""
    content = bytearray()
    while len(content) < n_bytes:
        piece = stream.read(min(_PIECE, n_bytes - len(content)))
        if not piece:
            break
        content += piece
    return content


def write_idx(path: str | Path, array: NDArray[Any]) -> None:
    """Write an array as IDX, gzipped when the name ends in .gz (without a time: same array, same bytes).

    Raises DataError for a dtype that IDX does not have.
    """
    path = Path(path)
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None or not 1 <= array.ndim <= _MAX_DIMENSIONS:
        allowed = ", ".join(str(dtype) for dtype in _CODES)
        raise DataError(f"IDX has no {array.dtype} with {array.ndim} dimensions; allowed: {allowed}")
    head = bytes([0, 0, code, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    content = head + array.astype(_DTYPES[code]).tobytes()
    path.write_bytes(gzip.compress(content, compresslevel=6, mtime=0) if path.suffix == ".gz" else content)


def idx_labels_path(images: Path) -> Path | None:
    """The labels beside an IDX file of images, by the canonical names, or None.

    "train-images-idx3-ubyte.gz" -> "train-labels-idx1-ubyte.gz", "x-images.idx" -> "x-labels.idx" (.gz or not).
    """
    if "images" not in images.name:
        return None
    stem = images.name.removesuffix(".gz").replace("images", "labels")
    for digit in ("2", "3", "4"):
        stem = stem.replace(f"idx{digit}", "idx1")
    for name in (stem + ".gz", stem):
        if (images.parent / name).is_file():
            return images.parent / name
    return None
