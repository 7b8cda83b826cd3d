"""Arrow's many ways to hold one thing, brought to the few that the readers look for."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from somscope.errors import DataError

__all__ = ["is_binary", "is_list", "is_number", "is_text", "plain_table"]


def plain_table(name: str, table: pa.Table) -> pa.Table:
    """The table with the same cells in plain types: no dictionaries (categories), views, runs or extension types.

    Raises DataError for columns of one name, text that is not UTF-8, and dictionaries or lists that point outside.
    """
    twice = sorted(column for column, count in Counter(table.column_names).items() if count > 1)
    if twice:
        shown = ", ".join(map(repr, twice[:5]))
        raise DataError(f"{name}: {len(twice)} column names occur more than once: {shown}")
    try:
        table.validate(full=True)
    except pa.ArrowException as error:
        raise DataError(f"{name} is damaged, or not UTF-8 text: {error}") from error
    for place, field in enumerate(table.schema):
        kind = _plain(field.type)
        if kind != field.type:
            try:
                column = _cast(table.column(place), kind)
            except pa.ArrowException as error:
                raise DataError(
                    f"{name}: column {field.name!r} of {field.type} cannot be read: {error}"
                ) from error
            table = table.set_column(place, pa.field(field.name, kind, metadata=field.metadata), column)
    return table


def _plain(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        inside = _plain(kind.storage_type)
        return inside if is_text(inside) or is_number(inside) or is_list(inside) else kind
    if types.is_dictionary(kind) or types.is_run_end_encoded(kind):
        return _plain(kind.value_type)
    if types.is_string_view(kind):
        return pa.large_string()  # large: the offsets of 2 GiB of text do not fit the small one
    if types.is_binary_view(kind):
        return pa.large_binary()
    if types.is_list_view(kind) or types.is_large_list_view(kind):
        return pa.large_list(_plain(kind.value_type))
    if is_list(kind) and _plain(kind.value_type) != kind.value_type:
        return pa.large_list(_plain(kind.value_type))
    return kind


def _cast(column: Any, kind: pa.DataType) -> Any:
    if isinstance(column.type, pa.BaseExtensionType):
        column = pa.chunked_array([chunk.storage for chunk in column.chunks], column.type.storage_type)
    if pa.types.is_list_view(column.type) or pa.types.is_large_list_view(column.type):
        return pa.chunked_array(
            [pa.array(column.to_pylist(), kind)]
        )  # Arrow 26 casts views with nulls wrongly
    if pa.types.is_run_end_encoded(column.type):
        column = pc.run_end_decode(column)
    if pa.types.is_dictionary(column.type):
        column = pc.dictionary_decode(column)
    return pc.cast(column, kind)


def is_text(kind: pa.DataType) -> bool:
    """Whether the cells are words."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def is_binary(kind: pa.DataType) -> bool:
    """Whether the cells are bytes."""
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def is_number(kind: pa.DataType) -> bool:
    """Whether the cells are numbers or booleans."""
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether the cells are lists, of whatever."""
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))
