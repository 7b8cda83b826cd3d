"""Table files: CSV, TSV, JSON lines and Parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from somscope.data.arrow_types import is_binary, is_text, plain_table
from somscope.data.columns import as_numbers, reads_as_number
from somscope.data.limits import MAX_ARRAY_BYTES
from somscope.errors import DataError

__all__ = ["TABLE_SUFFIXES", "read_table"]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")
_BLOCK = 1 << 24  # bytes: no row of a text file may be longer, and the first block decides the types


def read_table(path: Path, *, words: Iterable[str | None] = (), label: str | None = None) -> pa.Table:
    """The rows of a CSV, TSV, JSON lines or Parquet file, in the types of `somscope.data.arrow_types.plain_table`.

    CSV: UTF-8, with commas, or semicolons, tabs or bars where the first line has no comma. In a column of numbers an
    empty cell, "NA", "null" and their like (`MISSING_WORDS`) are missing; in a column of words only an empty cell is,
    because the others may be names.

    words, label: columns of a CSV in which 007 is another name than 7. Those in `words` (ids, texts) stay as they are
    written; `label` becomes numbers unless one of its cells begins with a zero that would be lost.

    Raises DataError for a file that is empty, broken, too large, or in no known format, and for columns of one name.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".parquet", ".pq"):
            return plain_table(str(path), _read_parquet(path))
        if suffix not in TABLE_SUFFIXES:
            raise DataError(f"{path}: no known kind of table; allowed: {', '.join(TABLE_SUFFIXES)}")
        if path.stat().st_size > MAX_ARRAY_BYTES:
            raise DataError(f"{path} is larger than the limit of {MAX_ARRAY_BYTES:,} bytes for one table")
        if suffix in (".jsonl", ".ndjson"):
            from pyarrow import json

            return plain_table(str(path), json.read_json(path, json.ReadOptions(block_size=_BLOCK)))
        return plain_table(str(path), _read_csv(path, "\t" if suffix == ".tsv" else None, words, label))
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} cannot be read as {suffix.lstrip('.')}: it is not UTF-8 text "
            f"({error.reason} at byte {error.start})"
        ) from error
    except MemoryError as error:
        raise DataError(f"{path} does not fit into memory") from error
    except (pa.ArrowException, csv.Error, OSError) as error:
        raise DataError(f"{path} cannot be read as {suffix.lstrip('.')}: {error}") from error


def _read_csv(path: Path, delimiter: str | None, words: Iterable[str | None], label: str | None) -> pa.Table:
    from pyarrow import csv as arrow_csv

    with path.open(encoding="utf-8-sig", newline="") as file:
        if delimiter is None:
            delimiter = _delimiter(next((line for line in file if line.strip()), ""))
            file.seek(0)
        first = next(_filled_rows(file, delimiter), [])
    read = arrow_csv.ReadOptions(autogenerate_column_names=_is_data(first), block_size=_BLOCK)
    parse = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    as_written = {column for column in words if column is not None}
    untyped = as_written if label is None else {*as_written, label}
    convert = arrow_csv.ConvertOptions(column_types=dict.fromkeys(untyped, pa.string()))
    try:
        table = arrow_csv.read_csv(path, read, parse, convert)
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            raise DataError(f"{path} cannot be read as csv: {_ragged(path, delimiter) or error}") from error
        # A word below the first block of a number column: read all as text, so that the caller can name its row.
        names = arrow_csv.open_csv(path, read, parse).schema.names
        as_text = arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))
        try:
            table = arrow_csv.read_csv(path, read, parse, as_text)
        except pa.ArrowInvalid as again:
            if "invalid UTF8" not in str(again):
                raise
            told = re.search(r"column #(\d+)", str(again))
            where = "" if told is None else f": column {names[int(told[1])]!r}"
            raise DataError(f"{path}{where} is not UTF-8 text") from again
    for place, field in enumerate(table.schema):
        if is_binary(field.type):
            raise DataError(f"{path}: column {field.name!r} is not UTF-8 text")
        if is_text(field.type):
            cells = table.column(place)
            if field.name in as_written:
                cells = _words(cells)
            else:
                cells = _classes(cells) if field.name == label else _numbers_or_words(cells)
            table = table.set_column(place, field.name, cells)
    return table


def _numbers_or_words(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells of text as numbers when all that are not missing are written so; else as words, null where empty."""
    if pc.all(reads_as_number(cells)).as_py():
        return as_numbers(cells)
    return _words(cells)


def _classes(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Labels: whole numbers to the last digit, words where a number would lose its leading zero."""
    if pc.any(pc.match_substring_regex(cells, r"^\s*[-+]?0\d")).as_py():
        return _words(cells)
    try:
        return as_numbers(cells, pa.int64())
    except pa.ArrowInvalid:
        return _numbers_or_words(cells)


def _words(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Cells of text, null where empty."""
    return pc.if_else(pc.equal(cells, ""), pa.scalar(None, cells.type), cells)


def _delimiter(line: str) -> str:
    outside = re.sub(r'"[^"]*"', "", line)
    return next((mark for mark in ",;\t|" if mark in outside), ",")


def _filled_rows(lines: Iterator[str], delimiter: str) -> Iterator[list[str]]:
    return (row for row in csv.reader(lines, delimiter=delimiter) if row)


def _is_data(first: list[str]) -> bool:
    """Whether the first row holds numbers instead of names (the columns are then called f0, f1, ...)."""
    reads = reads_as_number(pa.array(first, pa.string())).to_pylist()
    return True in reads and False not in reads and "" not in first


def _ragged(path: Path, delimiter: str) -> str:
    """What is wrong with the first row that has more or fewer cells than the first line."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = _filled_rows(file, delimiter)
        first = next(rows, [])
        start = 1 if _is_data(first) else 0
        for number, row in enumerate(rows, start):
            if len(row) != len(first):
                return (
                    f"row {number} has {len(row)} cells, the first line {len(first)} (rows count from 0, the line of "
                    "names is no row)"
                )
    return ""


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        groups = range(file.metadata.num_row_groups)
        stored = sum(file.metadata.row_group(group).total_byte_size for group in groups)
        widths = [field.type.bit_width for field in file.schema_arrow if pa.types.is_primitive(field.type)]
        size = max(
            stored, file.metadata.num_rows * sum(widths) // 8
        )  # a column of equal numbers takes no room
        if size > MAX_ARRAY_BYTES:
            raise DataError(f"{path} declares {size:,} bytes of rows; the limit is {MAX_ARRAY_BYTES:,} bytes")
        return file.read()
