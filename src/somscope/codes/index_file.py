"""An index of codes in one file: safetensors, whose header says what it is, with a check sum over all arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from somscope import __version__
from somscope.atomic import whole_file
from somscope.errors import DataError, RunError

__all__ = ["read_index", "write_index"]

_FORMAT = 1
_KIND = "somscope code index"
_DTYPES = {"ids": "I64", "codes": "U8", "structure": "U8"}
_BROKEN = (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError, MemoryError)
_LARGEST_HEADER = 2**20  # bytes


def write_index(
    path: Path,
    described: Mapping[str, Any],
    ids: NDArray[np.int64],
    codes: NDArray[np.uint8],
    structure: NDArray[np.uint8] | None,
) -> Path:
    """Write what the index is, its ids (n,), codes (n, w) and what was built over them.

    Raises RunError where it cannot be written, such as on a full disk; the file is then as it was.
    """
    given: dict[str, NDArray[Any]] = {"ids": ids.astype("<i8", copy=False), "codes": codes}
    if structure is not None:
        given["structure"] = structure
    arrays = {name: np.ascontiguousarray(array) for name, array in given.items()}
    head = {**described, "format": _FORMAT, "somscope": __version__, "sha256": _digest(described, arrays)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as unfinished, unfinished.open("wb") as file:
            _write(file, arrays, {"kind": _KIND, "index": json.dumps(head)})
    except OSError as error:
        raise RunError(f"{path} was not written: {error.strerror or error}") from error
    return path


def _write(file: BinaryIO, arrays: Mapping[str, NDArray[Any]], about: Mapping[str, str]) -> None:
    """Arrays, those of the widest numbers first, as safetensors. Its own writer makes a temporary file besides ours,
    which nobody would remove if the process died."""
    header: dict[str, Any] = {"__metadata__": about}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": _DTYPES[name], "shape": array.shape, "data_offsets": [start, end]}
    described = json.dumps(header).encode()
    described += b" " * (-len(described) % 8)
    file.write(len(described).to_bytes(8, "little") + described)
    for array in arrays.values():
        file.write(array.reshape(-1).view(np.uint8).data)


def read_index(
    path: Path, memory_map: bool
) -> tuple[dict[str, Any], NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8] | None]:
    """What `write_index` was given. memory_map: ids and codes stay in the file, and are not verified.

    Raises DataError for a file that cannot be read, is cut or corrupted, or holds something else.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:  # checks the header against the size of the file
            about = file.metadata() or {}
            names = set(file.keys())
        if about.get("kind") != _KIND:
            raise DataError(f"{path} is no index of codes written by somscope")
        head = json.loads(about["index"])
        if head.get("format") != _FORMAT:
            raise DataError(
                f"{path} is an index of format {head.get('format')!r}; this version reads {_FORMAT}"
            )
        if not {"ids", "codes"} <= names <= set(_DTYPES):
            raise DataError(f"{path} holds {', '.join(sorted(names))} instead of ids and codes")
        arrays = _mapped(path, names)
        if not memory_map:
            arrays = {name: np.array(array) for name, array in arrays.items()}
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except (*_BROKEN, SafetensorError) as error:
        raise DataError(f"{path} is no readable index of codes: {error}") from None
    described = {name: value for name, value in head.items() if name not in ("format", "somscope", "sha256")}
    if not memory_map and head.get("sha256") != _digest(described, arrays):
        raise DataError(f"{path} is corrupted: its content is not what was written")
    return described, arrays["ids"], arrays["codes"], arrays.get("structure")


def _mapped(path: Path, names: set[str]) -> dict[str, NDArray[Any]]:
    """The arrays as they lie in the file. Raises ValueError for other types."""
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LARGEST_HEADER:
            raise ValueError("its header is too large")
        header = json.loads(file.read(length))
    arrays: dict[str, NDArray[Any]] = {}
    for name in names:
        entry = header[name]
        if entry["dtype"] != _DTYPES[name]:
            raise ValueError(f"{name} are {entry['dtype']}, not {_DTYPES[name]}")
        dtype = np.dtype("<i8" if name == "ids" else "u1")
        shape = tuple(entry["shape"])
        start = 8 + length + entry["data_offsets"][0]
        # A file cannot be mapped where there is nothing.
        arrays[name] = np.memmap(path, dtype, "r", start, shape) if np.prod(shape) else np.empty(shape, dtype)
    return arrays


def _digest(described: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(described, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
