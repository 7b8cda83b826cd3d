"""Columns of a table turned into features: which hold numbers, and which cells do not.

Rows count from 0, as in the ids of items; the line of names at the head of a file is no row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv

from somscope.data.arrow_types import is_list, is_number, is_text
from somscope.errors import InputError

__all__ = ["MISSING_WORDS", "as_numbers", "number_columns", "numbers", "reads_as_number"]

MISSING_WORDS = frozenset(csv.ConvertOptions().null_values)
"""What stands for a missing number in a column of numbers: "", "NA", "null" and their like."""

_FLOAT = pa.float64()
_SHOWN = 5
_SHOWN_LENGTH = 40  # characters of a cell
_NUMBER = r"^[-+]?((\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|(?i:nan|inf|infinity))$"


def number_columns(name: str, table: pa.Table, used: set[Any], rows: NDArray[np.int64]) -> list[str]:
    """The columns of numbers, or of lists of numbers, that are not `used`; numbers may be written as text.

    rows: (n,) the row numbers to tell in an error. Raises InputError when a column holds mostly, but not only,
    numbers, and when there is no column of numbers.
    """
    left = [column for column in table.column_names if column not in used]
    spoilt = [column for column in left if _mostly_numbers(table[column])]
    if spoilt:
        raise InputError(
            f"{name}: text in number columns: {_text_rows(table, spoilt, rows)}; mend these cells (an empty one means "
            "missing), or choose other columns"
        )
    chosen = [column for column in left if _is_numeric(table[column].type) or _written_numbers(table[column])]
    if not chosen:
        raise InputError(
            f"{name}: no column of numbers among {', '.join(table.column_names)} (for text give text_column)"
        )
    return chosen


def numbers(
    name: str, table: pa.Table, chosen: Sequence[str], rows: NDArray[np.int64]
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """(n, d) floats and d names; a list column gives one feature for each place, "name[0]", "name[1]", ...

    rows: (n,) the row numbers to tell in an error. Raises InputError for cells that are no numbers.
    """
    bad = [column for column in chosen if not _holds_numbers(table[column])]
    if bad:
        raise InputError(
            f"{name}: text in number columns: {_text_rows(table, bad, rows)}; leave them out of columns"
        )
    blocks, names = [], []
    for column in chosen:
        values = table[column]
        if is_list(values.type):
            block = _list_block(name, column, values.combine_chunks(), rows)
            names += [f"{column}[{place}]" for place in range(block.shape[1])]
        else:
            cells = as_numbers(values) if is_text(values.type) else pc.cast(values, pa.float64(), safe=False)
            block = cells.to_numpy()[:, None]
            narrow = pa.types.is_float32(values.type) or pa.types.is_float16(values.type)
            block = block.astype(np.float32) if narrow else block
            names.append(column)
        blocks.append(block)
    return np.concatenate(blocks, axis=1), tuple(names)


def _list_block(name: str, column: str, values: Any, rows: NDArray[np.int64]) -> NDArray[Any]:
    lengths = np.asarray(pc.list_value_length(values).fill_null(-1))
    common = int(lengths.max())
    if common < 1:
        raise InputError(f"{name}: the lists in column {column!r} hold nothing")
    bad = np.flatnonzero(lengths != common)
    if len(bad):
        found = "no list" if lengths[bad[0]] < 0 else f"{lengths[bad[0]]} numbers"
        raise InputError(
            f"{name}: lists in column {column!r} must all have one length: row {rows[bad[0]]} has {found}, others "
            f"{common} (rows count from 0)"
        )
    flat = pc.list_flatten(values)
    dtype = np.float32 if pa.types.is_float32(flat.type) or pa.types.is_float16(flat.type) else np.float64
    numbers = pc.cast(flat, pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.asarray(numbers, dtype=dtype).reshape(len(values), common)


def _text_rows(table: pa.Table, columns: Sequence[str], numbers: NDArray[np.int64]) -> str:
    """'height' (row 3: "tall"; row 9: "short"), ...: where the cells are that are no numbers."""
    told = []
    for column in columns:
        cells = table[column]
        wrong = ~np.asarray(reads_as_number(cells).fill_null(True)) if is_text(cells.type) else None
        rows = np.arange(table.num_rows) if wrong is None else np.flatnonzero(wrong)
        shown = "; ".join(
            f'row {numbers[row]}: "{str(cells[row])[:_SHOWN_LENGTH]}"' for row in rows[:_SHOWN].tolist()
        )
        more = f"; {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
        told.append(f"{column!r} ({shown}{more})")
    return ", ".join(told) + " (rows count from 0)"


def reads_as_number(cells: Any) -> Any:
    """For each cell of text whether it is written as a number; null where it is missing (`MISSING_WORDS`)."""
    return pc.match_substring_regex(_present(cells), _NUMBER)


def as_numbers(cells: Any, kind: pa.DataType = _FLOAT) -> Any:
    """Cells of text that are all written as numbers, or missing, as numbers of this kind."""
    plain = pc.replace_substring_regex(_present(cells), r"^\+", "")  # which Arrow does not read
    return pc.cast(plain, kind)


def _present(cells: Any) -> Any:
    """Cells of text without the space around them; null where the number is missing."""
    trimmed = pc.utf8_trim_whitespace(cells)
    missing = pc.is_in(trimmed, value_set=pa.array(sorted(MISSING_WORDS), trimmed.type))
    return pc.if_else(missing, pa.scalar(None, trimmed.type), trimmed)


def _is_numeric(kind: pa.DataType) -> bool:
    return is_number(kind) or (is_list(kind) and is_number(kind.value_type))


def _holds_numbers(column: Any) -> bool:
    if is_text(column.type):
        return bool(pc.all(reads_as_number(column), min_count=0).as_py())
    return _is_numeric(column.type) or column.null_count == len(column)


def _written_numbers(column: Any) -> bool:
    """Whether all cells of text that are not missing are written as numbers, and not all are missing."""
    return is_text(column.type) and bool(pc.all(reads_as_number(column)).as_py())


def _mostly_numbers(column: Any) -> bool:
    if not is_text(column.type):
        return False
    share = pc.mean(reads_as_number(column)).as_py()
    return share is not None and 0.5 < share < 1
