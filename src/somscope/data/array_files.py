"""Array files: `.npy`, `.npz` and IDX. Nothing that is pickled is ever loaded: it could run code."""

from __future__ import annotations

import lzma
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from somscope.data.arrays import collection_from_array
from somscope.data.collection import Collection
from somscope.data.idx import idx_labels_path, read_idx
from somscope.data.limits import MAX_ARRAY_BYTES
from somscope.errors import DataError, InputError

__all__ = ["npy_array", "npz_arrays", "read_idx_file", "read_npy_file", "read_npz_file"]

_FEATURE_KEYS = ("X", "x", "data", "features", "images")
_HEADERS = {(1, 0): npy_format.read_array_header_1_0, (2, 0): npy_format.read_array_header_2_0}
_BROKEN = (OSError, ValueError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)
_LAST_CHARACTER = 0x10FFFF
_LABEL_KEYS = ("y", "Y", "labels", "label", "target")


def read_idx_file(path: str | Path, *, label_names: Sequence[str] = ()) -> Collection:
    """A collection from an IDX file; its labels come from the file beside it, when the canonical name is there.

    Raises DataError for a broken file, InputError for labels of another length.
    """
    path = Path(path)
    labels = idx_labels_path(path)
    return collection_from_array(
        read_idx(path),
        name=path.name.split("-")[0].split(".")[0],
        labels=None if labels is None else read_idx(labels),
        label_names=label_names,
        source={"reader": "idx", "labels_from": None if labels is None else labels.name},
    )


def read_npy_file(path: str | Path, *, label_names: Sequence[str] = ()) -> Collection:
    """A collection from one array; it stays on disk (memory-mapped) until it is used.

    Numbers of other types than float32, float64 and the uint8 of images are converted, which needs memory for all.

    Raises DataError for a file that is no .npy, is truncated, or holds Python objects.
    """
    path = Path(path)
    array = npy_array(path)
    return collection_from_array(array, name=path.stem, label_names=label_names, source={"reader": "npy"})


def npy_array(path: Path) -> NDArray[Any]:
    """The array in a .npy file, which stays on the disk. Raises DataError as `read_npy_file` does."""
    try:
        with path.open("rb") as file:
            declared, held = _check_header(path, file, ""), path.stat().st_size
        if declared > held:
            raise DataError(f"{path} is truncated: it declares {declared:,} bytes and holds {held:,}")
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path} cannot be read as npy: {error}") from error
    return _checked_text(str(path), array)


def npz_arrays(path: Path, max_bytes: int = MAX_ARRAY_BYTES) -> dict[str, NDArray[Any]]:
    """All arrays of an archive by name. Raises DataError for a broken one, Python objects, and arrays that declare more
    than `max_bytes` together."""
    try:
        with zipfile.ZipFile(path) as archive:
            keys = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            held = sum(entry.file_size for entry in archive.infolist())
            if held > max_bytes:
                raise DataError(f"{path} declares {held:,} bytes; the limit is {max_bytes:,}")
            return {key: _read_member(path, archive, key) for key in keys}
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory") from error
    except _BROKEN as error:
        raise DataError(f"{path} cannot be read as npz: {error}") from error


def read_npz_file(
    path: str | Path,
    *,
    key: str | None = None,
    label_key: str | None = None,
    label_names: Sequence[str] = (),
) -> Collection:
    """A collection from an archive of arrays, or from a sparse matrix that `scipy.sparse.save_npz` wrote.

    key: the array of features; by default the sparse matrix, the first of X, x, data, features, images, or the
        only one there.
    label_key: the array of labels; by default the first of y, Y, labels, label, target, when there is one.

    Raises DataError for a broken archive, Python objects, and arrays that declare more than MAX_ARRAY_BYTES;
    InputError when the wanted keys are not there (naming those that are).
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as archive:
            keys = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
            if key is None and {"indices", "indptr", "data", "shape", "format"} <= set(keys):
                features, used = _read_sparse(path, archive), "scipy sparse matrix"
            else:
                used = _pick(path, "key", key, keys, _FEATURE_KEYS)
                features = _read_member(path, archive, used)
            if label_key is None:
                label_key = next((name for name in _LABEL_KEYS if name in keys and name != used), None)
            elif label_key not in keys:
                raise InputError(f"{path}: label_key={label_key!r} is not there; its keys: {', '.join(keys)}")
            labels = None if label_key is None else _read_member(path, archive, label_key)
    except InputError:
        raise
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory") from error
    except _BROKEN as error:
        raise DataError(f"{path} cannot be read as npz: {error}") from error
    return collection_from_array(
        features,
        name=path.stem,
        labels=labels,
        label_names=label_names,
        source={"reader": "npz", "key": used, "label_key": label_key},
    )


def _pick(path: Path, option: str, wanted: str | None, keys: Sequence[str], usual: Sequence[str]) -> str:
    if wanted is not None and wanted in keys:
        return wanted
    if wanted is None:
        found = [name for name in usual if name in keys] or (list(keys) if len(keys) == 1 else [])
        if found:
            return found[0]
    problem = "none of its arrays has a usual name" if wanted is None else f"{option}={wanted!r} is not there"
    raise InputError(
        f"{path}: {problem}; its keys: {', '.join(keys) or 'none'}; choose one by {option} (usual: {', '.join(usual)})"
    )


def _read_member(path: Path, archive: zipfile.ZipFile, key: str) -> NDArray[Any]:
    with archive.open(f"{key}.npy") as file:
        declared = _check_header(path, file, key)
    held = archive.getinfo(f"{key}.npy").file_size
    if declared > held:
        raise DataError(f"{path}, key {key} is truncated: it declares {declared:,} bytes and holds {held:,}")
    with archive.open(f"{key}.npy") as file:
        array = np.asarray(npy_format.read_array(file, allow_pickle=False))
    return _checked_text(f"{path}, key {key}", array)


def _checked_text(where: str, array: NDArray[Any]) -> NDArray[Any]:
    """The array; of texts only if each of their characters is one, for Python ends in an error of its own at others."""
    if array.dtype.kind == "U" and array.nbytes:
        numbers = np.ascontiguousarray(array).view(np.dtype("u4").newbyteorder(array.dtype.byteorder))
        if numbers.max() > _LAST_CHARACTER or ((numbers >= 0xD800) & (numbers <= 0xDFFF)).any():
            raise DataError(f"{where} holds texts with numbers that are no characters of Unicode")
    return array


def _check_header(path: Path, file: Any, key: str) -> int:
    """The bytes that the header declares; objects and huge sizes are refused before memory is reserved."""
    where = f"{path}, key {key}" if key else str(path)
    version = npy_format.read_magic(file)
    if version not in _HEADERS:
        raise DataError(f"{where}: npy format {version} is not known; allowed: 1.0 and 2.0")
    try:
        shape, _, dtype = _HEADERS[version](file)
    except (
        Exception
    ) as error:  # it is parsed as Python: SyntaxError, TokenError, RecursionError, MemoryError, ...
        raise DataError(f"{where}: the header cannot be read: {str(error)[:200]}") from error
    if dtype.hasobject:
        raise DataError(
            f"{where} holds Python objects, which are pickled and could run code: save it as numbers, "
            "for example np.save(path, np.stack(list_of_rows))"
        )
    size = math.prod(shape) * dtype.itemsize
    if key and size > MAX_ARRAY_BYTES:
        raise DataError(f"{where} declares {shape} {dtype}, {size:,} bytes; the limit is {MAX_ARRAY_BYTES:,}")
    return size


def _read_sparse(path: Path, archive: zipfile.ZipFile) -> Any:
    from scipy import sparse

    parts = {
        name: _read_member(path, archive, name) for name in ("data", "indices", "indptr", "shape", "format")
    }
    for name in ("indices", "indptr", "shape"):
        if parts[name].dtype.kind not in "iu":
            raise DataError(f"{path}, key {name} holds {parts[name].dtype}, not whole numbers")
    kind = parts["format"].item()
    kind = kind.decode() if isinstance(kind, bytes) else kind
    if kind not in ("csr", "csc"):
        raise DataError(f"{path}: sparse format {kind!r} is not known; allowed: csr, csc")
    build = sparse.csr_matrix if kind == "csr" else sparse.csc_matrix
    matrix = build((parts["data"], parts["indices"], parts["indptr"]), shape=tuple(parts["shape"].tolist()))
    matrix.check_format(full_check=True)  # indices outside the shape would otherwise be read as memory
    return matrix.tocsr()
