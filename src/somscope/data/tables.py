"""A table to a collection: rows of numbers, or a column of encoded images."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from somscope.data.arrow_types import is_binary, plain_table
from somscope.data.collection import Collection
from somscope.data.columns import number_columns, numbers
from somscope.data.image_stack import stack_images
from somscope.data.images import ImageSource
from somscope.data.labels import encode_labels
from somscope.data.sampling import choose
from somscope.data.table_files import read_table
from somscope.errors import DataError, InputError, closest

__all__ = [
    "collection_from_table",
    "column_ids",
    "embedded_class_names",
    "encoded_images",
    "only_image_column",
    "read_table_file",
]


def read_table_file(path: str | Path, **options: Any) -> Collection:
    """A collection from a table in a file; options as in `collection_from_table`."""
    path = Path(path)
    label = options.get("label_column") or "label"
    table = read_table(path, words=[options.get("id_column")], label=label)
    collection = collection_from_table(table, name=path.stem, **options)
    collection.source["reader"] = f"{path.suffix.lower().lstrip('.')} table"
    return collection


def collection_from_table(
    table: Any,
    *,
    name: str = "table",
    columns: str | Sequence[str] | None = None,
    label_column: str | None = None,
    id_column: str | None = None,
    image_column: str | None = None,
    image_size: Any = None,
    label_names: Sequence[str] = (),
    limit: int | None = None,
    seed: int | None = None,
) -> Collection:
    """A collection of vectors, or of images when the table has a column of images.

    table: a PyArrow table, or a pandas data frame.
    columns: the number columns to use, as a list or "a,b,c"; by default every column of numbers, also of numbers
        written as text (or of equally long lists of numbers), that is neither label nor id. All others become
        `metadata`.
    label_column: the column of classes; by default one called "label", when there is one.
    id_column: the column of ids (unique); by default the row number. Rows count from 0, here and in errors; the line
        of names at the head of a file is no row, and with limit rows keep the numbers that they have in the table.
    image_column: a column of encoded images, as bytes or in the struct (bytes, path) of Hugging Face data sets; by
        default the only such column. image_size: see `somscope.data.image_stack`.
    limit, seed: keep only so many rows, see `somscope.data.sampling.choose`.

    Empty cells are missing values (NaN). Raises InputError for unknown columns, text in number columns (naming
    columns and rows), infinite values, repeated ids; DataError when no image can be used.
    """
    table = plain_table(name, _arrow(name, table))
    for option, column in (
        ("label_column", label_column),
        ("id_column", id_column),
        ("image_column", image_column),
    ):
        if column is not None:
            _check_columns(name, option, [column], table)
    if table.num_rows == 0:
        raise InputError(f"{name}: the table has no rows")
    if label_column is None and "label" in table.column_names and "label" not in _names(columns):
        label_column = "label"
    label_names = tuple(label_names) or embedded_class_names(table, label_column)
    rows = choose(table.num_rows, limit, seed)
    if limit is not None:
        table = table.take(pa.array(rows))
    asked = image_column is not None
    image_column = image_column or (None if columns is not None else only_image_column(name, table))
    used = {label_column, id_column, image_column} - {None}
    source: dict[str, Any] = {"reader": "table", "label_column": label_column, "id_column": id_column}
    skipped: tuple[Any, ...] = ()
    paths = None
    feature_names: tuple[str, ...] = ()
    if image_column is not None:
        blobs, paths = encoded_images(table[image_column])
        try:
            stack = stack_images(blobs, [f"row {row}" for row in rows.tolist()], image_size)
        except DataError as error:
            hint = "" if asked else "; for numbers name their columns"
            raise DataError(f"{name}, column {image_column!r}: {error}{hint}") from error
        table, rows = (table.take(pa.array(stack.kept)), rows[stack.kept]) if stack.skipped else (table, rows)
        skipped, features = stack.skipped, stack.features
        paths = None if paths is None else paths[stack.kept]
        source |= {"image_column": image_column, "images": stack.policy}
    else:
        chosen = _names(columns) or number_columns(name, table, used, rows)
        _check_columns(name, "columns", chosen, table)
        if len(set(chosen)) < len(chosen):
            raise InputError(f"{name}: columns names one column twice: {', '.join(chosen)}")
        features, feature_names = numbers(name, table, chosen, rows)
        used |= set(chosen)
        source["columns"] = chosen
    labels, classes = None, tuple(label_names)
    if label_column is not None:
        labels, classes = encode_labels(table[label_column].to_pylist(), table.num_rows, label_names, rows)
    rest = [column for column in table.column_names if column not in used]
    return Collection(
        name=name,
        kind="images" if image_column is not None else "vectors",
        features=features,
        ids=rows.astype(np.str_) if id_column is None else column_ids(name, table, id_column, rows),  # type: ignore[arg-type]
        labels=labels,
        label_names=classes if labels is not None else (),
        metadata=table.select(rest) if rest else None,
        feature_names=feature_names,
        paths=paths,
        skipped=skipped,
        source=source,
    )


def column_ids(name: str, table: pa.Table, column: str, rows: NDArray[np.int64]) -> list[str]:
    """(n,) ids from a column; rows: (n,) the row numbers to tell when it has empty cells (InputError)."""
    values = table[column].to_pylist()
    empty = [str(row) for row, value in zip(rows.tolist(), values, strict=True) if value in (None, "")]
    if empty:
        more = ", ..." if len(empty) > 5 else ""
        raise InputError(
            f"{name}: id_column {column!r} is empty in row {', '.join(empty[:5])}{more} (rows count from 0)"
        )
    return [str(value) for value in values]


def _arrow(name: str, table: Any) -> pa.Table:
    if isinstance(table, pa.Table):
        return table
    try:
        return pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(f"{name}: this data frame cannot be read: {error}") from error


def _names(columns: str | Sequence[str] | None) -> list[str]:
    if columns is None:
        return []
    if isinstance(columns, str):
        return [part.strip() for part in columns.split(",")]
    if not isinstance(columns, Iterable) or not all(isinstance(column, str) for column in columns):
        raise InputError(f"columns={columns!r}: give names, as a list or as text with commas between them")
    return list(columns)


def _check_columns(name: str, option: str, wanted: Sequence[str], table: pa.Table) -> None:
    there = set(table.column_names)
    missing = [column for column in wanted if column not in there]
    if missing:
        raise InputError(
            f"{name}: {option} names {', '.join(map(repr, missing))}; the table has {', '.join(table.column_names)}"
            f"{closest(missing[0], table.column_names)}"
        )


def only_image_column(name: str, table: pa.Table) -> str | None:
    found = [field.name for field in table.schema if _is_image_type(field.type)]
    if len(found) > 1:
        raise InputError(
            f"{name}: several columns of images ({', '.join(found)}); choose one by image_column"
        )
    return found[0] if found else None


def _is_image_type(kind: pa.DataType) -> bool:
    if not pa.types.is_struct(kind):
        return is_binary(kind)
    place = kind.get_field_index("bytes")
    return bool(place >= 0 and is_binary(kind.field(place).type))


def encoded_images(column: Any) -> tuple[list[ImageSource], NDArray[np.object_] | None]:
    """Encoded bytes of each row (b"" where there are none) and the paths that the struct names."""
    if not _is_image_type(column.type):
        raise InputError(f"a column of images holds bytes, or a struct of bytes and path, not {column.type}")
    if not pa.types.is_struct(column.type):
        return [blob or b"" for blob in column.to_pylist()], None
    blobs: list[ImageSource] = [blob or b"" for blob in pc.struct_field(column, "bytes").to_pylist()]
    if column.type.get_field_index("path") < 0:
        return blobs, None
    return blobs, np.array([path or "" for path in pc.struct_field(column, "path").to_pylist()], dtype=object)


def embedded_class_names(table: pa.Table, label_column: str | None) -> tuple[str, ...]:
    """The class names that Hugging Face data sets write into the schema of a Parquet file, when they are there."""
    import json

    try:
        info = json.loads((table.schema.metadata or {}).get(b"huggingface", b"{}"))
        return tuple(info["info"]["features"][label_column]["names"])
    except (ValueError, KeyError, TypeError):
        return ()
