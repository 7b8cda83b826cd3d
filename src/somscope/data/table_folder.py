"""A folder of Parquet files as one table, read batch by batch: vectors or images of any number of rows."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from somscope.data.arrow_types import plain_table
from somscope.data.collection import Collection, Skipped
from somscope.data.image_stack import stack_images
from somscope.data.images import FilePart
from somscope.data.labels import encode_labels
from somscope.data.room import room
from somscope.data.tables import (
    collection_from_table,
    column_ids,
    embedded_class_names,
    encoded_images,
    only_image_column,
)
from somscope.errors import DataError, InputError
from somscope.mapped import release

__all__ = ["PARQUET_SUFFIXES", "read_table_folder"]

PARQUET_SUFFIXES = (".parquet", ".pq")
_ROWS = 1 << 12  # of a batch: 1 MB of 64 numbers


def read_table_folder(
    folder: str | Path,
    *,
    columns: str | Sequence[str] | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    image_column: str | None = None,
    image_size: Any = None,
    label_names: Sequence[str] = (),
) -> Collection:
    """All rows of the Parquet files under `folder`, in sorted order of the files; options as in
    `somscope.data.tables.collection_from_table`.

    The first rows say which columns are used; a column that is neither feature nor label nor id is left out.
    Raises DataError for broken files, InputError for rows that do not fit the first ones, and says where.
    """
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PARQUET_SUFFIXES)
    n_rows = sum(_n_rows(file) for file in files)
    table = next((table for _, table in _batches(files)), None)
    if table is None:
        raise InputError(f"{folder}: its tables have no rows")
    name = folder.resolve().name
    label_column = label_column or ("label" if "label" in table.column_names else None)
    image_column = image_column or (None if columns is not None else only_image_column(name, table))
    values: list[Any] = []
    ids: list[str] = []
    features: NDArray[Any] | None = None
    feature_names: tuple[str, ...] = ()
    source: dict[str, Any] = {
        "reader": "folder of tables",
        "label_column": label_column,
        "id_column": id_column,
    }
    skipped: tuple[Skipped, ...] = ()
    at = 0
    with tempfile.TemporaryDirectory() as spool, (Path(spool) / "images").open("wb") as blobs:
        parts: list[Any] = []
        for where, table in _batches(files):
            numbers = np.arange(at, at + table.num_rows)
            try:
                if image_column is not None:
                    for blob in encoded_images(table[image_column])[0]:
                        assert isinstance(blob, bytes)
                        parts.append(FilePart(Path(blobs.name), blobs.tell(), len(blob)))
                        blobs.write(blob)
                else:
                    used = {label_column, id_column}
                    own = [c for c in table.column_names if c not in used] if columns is None else columns
                    kept = table.select(own.split(",") if isinstance(own, str) else own)
                    block = collection_from_table(kept, name=name, columns=columns)
                    columns, feature_names = block.source["columns"], block.feature_names
                    if features is None:
                        features = room(name, (n_rows, block.n_features), block.features.dtype)
                    if block.n_features != features.shape[1]:
                        raise InputError(f"{block.n_features} features, and {features.shape[1]} before them")
                    features[at : at + len(block)] = block.features
                    release(features)
                ids += [] if id_column is None else column_ids(name, table, id_column, numbers)
                values += [] if label_column is None else table[label_column].to_pylist()
            except (KeyError, InputError) as error:
                raise InputError(f"{where}: {error}") from error
            at += table.num_rows
        rows = np.arange(at)
        if image_column is not None:
            blobs.flush()
            stack = stack_images(parts, [f"row {row}" for row in range(at)], image_size)
            features, rows, skipped = stack.features, stack.kept, stack.skipped
            source |= {"image_column": image_column, "images": stack.policy}
        else:
            source["columns"] = columns
    assert features is not None
    label_names = tuple(label_names) or embedded_class_names(table, label_column)
    given = [values[row] for row in rows.tolist()] if label_column is not None else []
    labels, names = (None, ()) if label_column is None else encode_labels(given, len(rows), label_names, rows)
    named = [ids[row] for row in rows.tolist()] if id_column is not None else rows.astype(np.str_)
    return Collection(
        name=name,
        kind="images" if image_column is not None else "vectors",
        features=features,
        ids=None if id_column is None and len(rows) == at else np.asarray(named, dtype=np.str_),  # type: ignore[arg-type]
        labels=labels,
        label_names=names,
        feature_names=feature_names,
        skipped=skipped,
        source=source,
    )


def _n_rows(file: Path) -> int:
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(file) as opened:
            return int(opened.metadata.num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read as parquet: {error}") from error


def _batches(files: Sequence[Path]) -> Iterator[tuple[str, pa.Table]]:
    """Where some rows come from, and the rows; bounded in number."""
    from pyarrow import parquet

    for file in files:
        start = 0
        try:
            with parquet.ParquetFile(file) as opened:
                for batch in opened.iter_batches(_ROWS):
                    if batch.num_rows:
                        table = pa.Table.from_batches([batch], opened.schema_arrow)
                        yield f"{file}, rows from {start}", plain_table(str(file), table)
                    start += batch.num_rows
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{file} cannot be read as parquet: {error}") from error
