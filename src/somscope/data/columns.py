"""Columns of a table turned into features: which hold numbers, and which cells do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from somscope.errors import InputError

__all__ = ["number_columns", "numbers", "reads_as_number"]

_SHOWN = 5
_NUMBER = r"^\s*[-+]?((\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|(?i:nan|inf|infinity))\s*$"


def _is_number(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)
    )


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    is_list = types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind)
    return bool(is_list and _is_number(kind.value_type))


def number_columns(name: str, table: pa.Table, used: set[Any]) -> list[str]:
    left = [column for column in table.column_names if column not in used]
    spoilt = [column for column in left if _mostly_numbers(table, column)]
    if spoilt:
        raise InputError(
            f"{name}: text in number columns: {_text_rows(table, spoilt)}; mend these cells (an empty one means "
            "missing), or choose other columns"
        )
    chosen = [
        c for c in left if _is_number(table.schema.field(c).type) or _is_list(table.schema.field(c).type)
    ]
    if not chosen:
        raise InputError(
            f"{name}: no column of numbers among {', '.join(table.column_names)} (for text give text_column)"
        )
    return chosen


def numbers(name: str, table: pa.Table, chosen: Sequence[str]) -> tuple[NDArray[Any], tuple[str, ...]]:
    """(n, d) floats and d names; a list column gives one feature for each place, "name[0]", "name[1]", ..."""
    bad = [column for column in chosen if not _holds_numbers(table[column])]
    if bad:
        raise InputError(
            f"{name}: text in number columns: {_text_rows(table, bad)}; leave them out of columns"
        )
    blocks, names = [], []
    for column in chosen:
        values = table[column].combine_chunks()
        if _is_list(values.type):
            block = _list_block(name, column, values)
            names += [f"{column}[{place}]" for place in range(block.shape[1])]
        else:
            values = pc.utf8_trim_whitespace(values) if pa.types.is_string(values.type) else values
            block = pc.cast(values, pa.float64(), safe=False).to_numpy(zero_copy_only=False)[:, None]
            narrow = pa.types.is_float32(values.type) or pa.types.is_float16(values.type)
            block = block.astype(np.float32) if narrow else block
            names.append(column)
        blocks.append(block)
    return np.concatenate(blocks, axis=1), tuple(names)


def _list_block(name: str, column: str, values: Any) -> NDArray[Any]:
    lengths = np.asarray(pc.list_value_length(values).fill_null(-1))
    common = int(lengths.max())
    bad = np.flatnonzero(lengths != common)
    if len(bad) or common < 1:
        raise InputError(
            f"{name}: lists in column {column!r} must all have one length: row {int(bad[0]) if len(bad) else 0} "
            f"has {int(lengths[bad[0]]) if len(bad) else 0}, others {common} (-1 means no list)"
        )
    flat = pc.list_flatten(values)
    dtype = np.float32 if pa.types.is_float32(flat.type) or pa.types.is_float16(flat.type) else np.float64
    numbers = pc.cast(flat, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=dtype).reshape(len(values), common)


def _text_rows(table: pa.Table, columns: Sequence[str]) -> str:
    """'height' (row 3: "tall"; row 9: "n/a"), ...: where the cells are that are no numbers. Rows count from 1."""
    told = []
    for column in columns:
        is_text = pa.types.is_string(table.schema.field(column).type)
        numeric = reads_as_number(table[column]).fill_null(True) if is_text else None
        rows = np.flatnonzero(~np.asarray(numeric)) if is_text else np.arange(table.num_rows)
        shown = "; ".join(
            f'row {row + 1}: "{str(table[column][row])[:40]}"' for row in rows[:_SHOWN].tolist()
        )
        more = f"; {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        told.append(f"{column!r} ({shown}{more})")
    return ", ".join(told)


def reads_as_number(cells: Any) -> Any:
    """For each cell of text whether it is written as a number; null stays null."""
    return pc.match_substring_regex(cells, _NUMBER)


def _holds_numbers(column: Any) -> bool:
    if pa.types.is_string(column.type):
        return bool(pc.all(reads_as_number(column), min_count=0).as_py())
    return _is_number(column.type) or _is_list(column.type) or column.null_count == len(column)


def _mostly_numbers(table: pa.Table, column: str) -> bool:
    if not pa.types.is_string(table.schema.field(column).type):
        return False
    share = pc.mean(reads_as_number(table[column])).as_py()
    return share is not None and 0.5 < share < 1
