"""Packs: collections larger than memory, read once into a folder from which they are memory-mapped ever after.

features.npy       (n, d) float32, or images (n, H, W, C) uint8
items.parquet      id, label and path of each item, where there are any
collection.json    the rest, and of which files it was made
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from somscope.atomic import whole_folder
from somscope.data.collection import Collection
from somscope.data.open import open_collection
from somscope.data.packed import FORMAT, is_pack, read_pack
from somscope.data.room import on_disk, room, shorten
from somscope.errors import DataError, InputError
from somscope.mapped import blocks_of_rows, mapping_of, release

__all__ = ["pack"]

_BLOCK = 32 * 2**20  # bytes
_ROWS = 1 << 16


def pack(source: str | Path, folder: str | Path, *, overwrite: bool = False, **options: Any) -> Collection:
    """Read what is at `source` once, in bounded memory, into the pack `folder`, and return its collection.

    source: a path that `open_collection` reads, with its options: a folder of images or of Parquet files, tar shards,
    a table, an array. Beyond a block, memory is taken for ids, labels and file names alone.
    Where `folder` is a pack of the same files (their names, sizes and times) with the same options, it is used as it
    is. It appears whole or not at all. overwrite: replace another pack.
    Raises InputError for texts and sparse features, DataError for a folder that is something else, for a source that
    cannot be read and for a disk without room.
    """
    folder = Path(os.path.abspath(Path(folder).expanduser()))
    made_from = _state_of(Path(source).expanduser(), options)
    packed = _packed(folder, made_from, overwrite)
    if packed is not None:
        return packed
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_folder(folder, lambda: _packed(folder, made_from, overwrite), DataError) as partial:
            _write(partial, source, options, made_from)
    except OSError as error:
        raise DataError(f"{folder} was not written: {error.strerror or error}") from error
    return read_pack(folder)


def _packed(folder: Path, made_from: str, overwrite: bool) -> Collection | None:
    """The pack that is there, if it was made from the same; DataError for what may not be replaced."""
    if not os.path.lexists(folder):
        return None
    if not is_pack(folder):
        raise DataError(f"{folder} exists and is no pack: choose another folder")
    packed = read_pack(folder)
    if packed.source.get("packed_from") == made_from:
        return packed
    if not overwrite:
        raise DataError(f"{folder} is a pack of other files, or of other options: overwrite replaces it")
    return None


def _write(partial: Path, source: str | Path, options: dict[str, Any], made_from: str) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file = partial / "features.npy"
    with on_disk(file):
        collection = open_collection(source, **options)
        features = collection.features
        if issparse(features) or collection.kind == "text":
            raise InputError(f"{collection.name} is sparse or text; images and dense vectors can be packed")
        mapped = mapping_of(features)
        if mapped is None or Path(str(mapped.filename)) != file.resolve():
            out = room(collection.name, features.shape, features.dtype)
            for rows, block in blocks_of_rows(features, _BLOCK):
                out[rows] = block
                release(out)
            mapped = mapping_of(out)
    assert mapped is not None
    mapped.flush()
    if len(mapped) > len(features):
        shorten(file, len(features))
    columns: dict[str, Any] = {}
    numbered = bool(collection.ids[0] == "0") and all(
        np.array_equal(
            collection.ids[start : start + _ROWS],
            np.arange(start, min(start + _ROWS, len(collection))).astype(np.str_),
        )
        for start in range(0, len(collection), _ROWS)
    )
    for name, values in (("id", None if numbered else collection.ids), ("path", collection.paths)):
        if values is not None:
            chunks = [
                pa.array(values[start : start + _ROWS].tolist(), pa.large_string())
                for start in range(0, len(values), _ROWS)
            ]
            columns[name] = pa.chunked_array(chunks)
    if collection.labels is not None:
        columns["label"] = pa.array(collection.labels)
    if columns:
        pq.write_table(pa.table(columns), partial / "items.parquet", compression="zstd")
    described = {
        "format": FORMAT,
        "name": collection.name,
        "kind": collection.kind,
        "n_items": len(features),
        "label_names": list(collection.label_names),
        "feature_names": list(collection.feature_names),
        "skipped": [[item.where, item.why] for item in collection.skipped],
        "source": {**collection.source, "packed_from": made_from},
    }
    (partial / "collection.json").write_text(json.dumps(described), encoding="utf-8")


def _state_of(source: Path, options: dict[str, Any]) -> str:
    """SHA-256 (hex) of names, sizes and times of the files of a source, and of the options."""
    if not source.exists():
        raise DataError(f"{source} is no file or folder: what is packed lies in one")
    digest = hashlib.sha256(json.dumps(options, sort_keys=True, default=str).encode())
    files = sorted(p for p in source.rglob("*") if p.is_file()) if source.is_dir() else [source]
    for file in files:
        facts = file.stat()
        digest.update(
            f"{os.fsencode(file.relative_to(source))!r} {facts.st_size} {facts.st_mtime_ns}\n".encode()
        )
    return digest.hexdigest()
