"""Reading a pack, see `somscope.data.pack`: its features stay on the disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from somscope.data.array_files import read_npy_file
from somscope.data.collection import Collection, Skipped
from somscope.errors import DataError

__all__ = ["FORMAT", "is_pack", "read_pack"]

FORMAT = 1
_FILES = ("features.npy", "collection.json")


def is_pack(folder: Path) -> bool:
    """Whether a folder is a pack."""
    return all((folder / name).is_file() for name in _FILES)


def read_pack(folder: str | Path) -> Collection:
    """The collection of a pack. Raises DataError for one that is broken, edited or of another format."""
    import pyarrow.parquet as pq

    folder = Path(folder)
    try:
        described: dict[str, Any] = json.loads((folder / "collection.json").read_text(encoding="utf-8"))
        if described["format"] != FORMAT:
            raise DataError(f"{folder} has format {described['format']!r}; this version reads {FORMAT}")
        features = read_npy_file(folder / "features.npy").features
        file = folder / "items.parquet"
        items = pq.read_table(file) if file.is_file() else None
        if len(features) != described["n_items"] or (items is not None and items.num_rows != len(features)):
            raise DataError(f"{folder} is no whole pack: its files have different numbers of items")
        columns = {} if items is None else {n: items[n].to_numpy() for n in items.column_names}
        ids, paths = columns.get("id"), columns.get("path")
        return Collection(
            name=described["name"],
            kind=described["kind"],
            features=features,
            ids=None if ids is None else ids.astype(np.str_),  # type: ignore[arg-type]
            labels=columns.get("label"),
            label_names=tuple(described["label_names"]),
            feature_names=tuple(described["feature_names"]),
            paths=paths,
            skipped=tuple(Skipped(str(where), str(why)) for where, why in described["skipped"]),
            source=dict(described["source"]),
        )
    except (KeyError, TypeError, ValueError, OSError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{folder} cannot be read as a pack: {error}") from error
