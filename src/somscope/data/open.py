"""`open_collection`: the one door to every kind of data."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from somscope.data.array_files import npy_array, read_idx_file, read_npy_file, read_npz_file
from somscope.data.arrays import collection_from_array
from somscope.data.collection import Collection
from somscope.data.folder import list_files, read_image_folder
from somscope.data.idx import is_idx, read_idx
from somscope.data.images import IMAGE_SUFFIXES
from somscope.data.labels import encode_labels
from somscope.data.limits import MAX_TEXT_BYTES
from somscope.data.named import NAMED, get_named, is_named
from somscope.data.objects import collection_from_object
from somscope.data.packed import is_pack, read_pack
from somscope.data.sampling import choose
from somscope.data.table_files import TABLE_SUFFIXES
from somscope.data.table_folder import PARQUET_SUFFIXES, read_table_folder
from somscope.data.tables import collection_from_table, read_table_file
from somscope.data.tar_shards import TAR_SUFFIX, read_tar_shards
from somscope.data.text import read_text_file, read_text_folder, read_text_table
from somscope.errors import DataError, InputError, closest

__all__ = ["open_collection", "options_of", "reopen"]

Reader = Callable[..., Collection]
_HUB = "hf:"


def open_collection(
    source: Any,
    *,
    name: str | None = None,
    labels: Iterable[Any] | str | Path | None = None,
    limit: int | None = None,
    seed: int | None = None,
    **options: Any,
) -> Collection:
    """The collection in `source`.

    source: the name of a data set ("fashion-mnist", "mnist:train+test"; see `somscope data list`), a path, or data
        in memory. A name goes before a folder of the same name: write "./mnist" for the folder. By path:

        - a folder: images, .txt files, Parquet files (one table), tar shards, or what `pack` has written
        - .csv .tsv .jsonl .ndjson .parquet .pq: a table of numbers, of images, or (with text_column) of texts
        - .tar: WebDataset shards of images
        - .npy .npz, IDX (.idx, -ubyte, and either with .gz), .txt (one document a line)
        - "hf:owner/name": a data set of the Hugging Face Hub (extra `huggingface`)

        In memory: a `Collection`, a NumPy array, a SciPy matrix, (X, y), a PyArrow table, a pandas data frame, and
        what `somscope.data.objects` lists.
    name: what to call the collection. labels: one value for each item, or a file of them (IDX, .npy, or text with
        one a line); they replace those that were read.
    limit, seed: at most so many items; the first ones, or with a seed a random sample, in their old order.
    options: those of the reader (see the modules of `somscope.data`).

    Raises InputError for unknown names and options (listing the allowed), DataError for what cannot be read.
    """
    reader, where = _reader(source, options)
    early = "limit" in _check_options(reader, options)
    sampling = {"limit": limit, "seed": seed} if early else {}
    given_source = source.removeprefix(_HUB) if isinstance(source, str) else source
    collection = reader(given_source, **options, **sampling)
    if labels is not None and (early and limit is not None):
        raise InputError(
            "labels cannot be joined with limit here: take the rows yourself, or put the labels beside"
        )
    if labels is not None:
        collection = _with_labels(collection, labels, options.get("label_names", ()))
    if limit is not None and not early:
        collection = collection.take(choose(len(collection), limit, seed))
    given = {"limit": limit, "seed": seed, "name": name, **options}
    if isinstance(labels, (str, Path)):
        given["labels"] = str(Path(labels).resolve())
    described = {
        **collection.source,
        "options": _json_able({k: v for k, v in given.items() if v is not None}),
    }
    if where is not None:
        described.setdefault("path", where)
    if labels is not None and "labels" not in given:
        described["labels_from"] = "memory"
    return replace(collection, name=name or collection.name, source=described)


def reopen(source: dict[str, Any]) -> Collection:
    """Read again what `Collection.source` describes. Raises DataError when it came from memory."""
    if "path" not in source or source.get("labels_from") == "memory":
        raise DataError(
            "this collection came from memory, not from a path or a named data set: it cannot be re-read"
        )
    return open_collection(source["path"], **source.get("options", {}))


def _reader(source: Any, options: dict[str, Any]) -> tuple[Reader, str | None]:
    """The function that reads `source`, and the text by which it can be found again."""
    if isinstance(source, Collection):
        return _as_it_is, source.source.get("path")
    if isinstance(source, np.ndarray) or issparse(source):
        return collection_from_array, None
    if type(source).__module__.split(".")[0] in ("pyarrow", "pandas") and hasattr(source, "shape"):
        return collection_from_table, None
    if not isinstance(source, (str, Path)):
        return collection_from_object, None
    text = str(source)
    if isinstance(source, str) and text.startswith(_HUB):
        from somscope.data.huggingface import load_from_hub

        return load_from_hub, text
    if isinstance(source, str) and is_named(text):
        return get_named, text
    if not text.strip():
        raise InputError("the source is an empty text; give a path or a name ('.' is this folder)")
    try:
        path = Path(source).expanduser()
        where, is_folder, is_there = str(path.resolve()), path.is_dir(), path.exists()
    except (
        OSError,
        ValueError,
        RuntimeError,
    ) as error:  # too long, a NUL in it, a link to itself, no such home
        raise DataError(f"{text[:200]!r} cannot be a path: {error}") from error
    if is_folder:
        return _folder_reader(path), where
    if not is_there:
        raise DataError(
            f"{text!r} is neither a file, nor a folder, nor the name of a data set ({', '.join(NAMED)})"
            f"{closest(text.partition(':')[0], [*NAMED, *_beside(path)])}"
        )
    return _file_reader(path, options), where


def _beside(path: Path) -> list[str]:
    """What lies in the folder in which `path` was looked for, written as `path` was."""
    try:
        return [str(path.parent / name.name) for name in path.parent.iterdir()]
    except OSError:
        return []


def _as_it_is(collection: Collection) -> Collection:
    return collection


def _folder_reader(folder: Path) -> Reader:
    if is_pack(folder):
        return read_pack
    names = [name.lower() for name in list_files(folder)]

    def has(suffixes: str | tuple[str, ...]) -> bool:
        return any(name.endswith(suffixes) for name in names)

    if has(IMAGE_SUFFIXES):
        return read_image_folder
    if has(TAR_SUFFIX):
        return read_tar_shards
    if has(PARQUET_SUFFIXES):
        return read_table_folder
    return read_text_folder if has(".txt") else read_image_folder


def _file_reader(path: Path, options: dict[str, Any]) -> Reader:
    suffix = path.suffix.lower()
    if is_idx(path):
        return read_idx_file
    if suffix in TABLE_SUFFIXES:
        return read_text_table if "text_column" in options else read_table_file
    readers: dict[str, Reader] = {
        ".npy": read_npy_file,
        ".npz": read_npz_file,
        ".txt": read_text_file,
        TAR_SUFFIX: read_tar_shards,
    }
    if suffix in readers:
        return readers[suffix]
    if suffix in IMAGE_SUFFIXES:
        raise DataError(f"{path} is one image: give the folder that holds the images")
    allowed = ", ".join((*TABLE_SUFFIXES, *readers, ".idx", "-ubyte", ".gz of the last two"))
    raise DataError(f"{path}: files ending in {suffix or 'nothing'} are not known; allowed: {allowed}")


def options_of(source: Any, options: dict[str, Any]) -> list[str]:
    """Names of the options that the reader of `source` takes (with a text_column among `options` a table is texts)."""
    return _options_of(_reader(source, options)[0])


_DOOR = ("name", "labels", "limit", "seed")


def _check_options(reader: Reader, options: dict[str, Any]) -> list[str]:
    """Names of the options that `reader` takes; raises InputError when one of the given is not among them."""
    known = _options_of(reader)
    unknown = [option for option in options if option not in known]
    if unknown:
        allowed = ", ".join(dict.fromkeys((*known, *_DOOR)))
        raise InputError(
            f"unknown option {', '.join(unknown)} for {_described(reader)}; allowed: {allowed}"
            f"{closest(unknown[0], known)}"
        )
    return known


def _options_of(reader: Reader) -> list[str]:
    """Keyword parameters of a reader, with those of the table reader where it passes them on."""
    parameters = inspect.signature(reader).parameters.values()
    names = [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        names += _options_of(collection_from_table)
    return list(dict.fromkeys(names))


def _described(reader: Reader) -> str:
    return (
        reader.__name__.removeprefix("read_")
        .removeprefix("get_")
        .removeprefix("collection_from_")
        .replace("_", " ")
        .strip()
    )


def _with_labels(
    collection: Collection, labels: Iterable[Any] | str | Path, names: Iterable[str]
) -> Collection:
    values = _read_labels(Path(labels)) if isinstance(labels, (str, Path)) else labels
    numbers, classes = encode_labels(values, len(collection), tuple(names))
    return replace(collection, labels=numbers, label_names=classes)


def _read_labels(path: Path) -> Iterable[Any]:
    if is_idx(path):
        return read_idx(path)
    if path.suffix.lower() == ".npy":
        return np.asarray(npy_array(path))
    try:
        if path.stat().st_size > MAX_TEXT_BYTES:
            raise DataError(f"{path} is larger than the limit of {MAX_TEXT_BYTES:,} bytes for one text file")
        return path.read_text(encoding="utf-8-sig").removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        raise DataError(f"labels in {path} cannot be read: {error}") from error


def _json_able(options: dict[str, Any]) -> dict[str, Any]:
    """Options as JSON holds them; what it cannot hold is told by its type."""
    plain: dict[str, Any] = {}
    for option, value in options.items():
        value = value.tolist() if isinstance(value, (np.generic, np.ndarray)) else value
        try:
            plain[option] = json.loads(json.dumps(value))
        except TypeError:
            plain[option] = str(value) if isinstance(value, Path) else f"<{type(value).__name__}>"
    return plain
