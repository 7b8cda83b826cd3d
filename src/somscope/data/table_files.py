"""Table files: CSV, TSV, JSON lines and Parquet."""

from __future__ import annotations

from csv import Error as CsvError
from csv import reader as csv_rows
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from somscope.data.columns import reads_as_number
from somscope.data.limits import MAX_ARRAY_BYTES
from somscope.errors import DataError

__all__ = ["TABLE_SUFFIXES", "read_table"]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")


def read_table(path: Path) -> pa.Table:
    """The rows of a CSV (comma, or tab for .tsv), JSON lines or Parquet file.

    Raises DataError for a file that is empty, broken, or in no known format.
    """
    suffix = path.suffix.lower()
    try:
        if suffix in (".csv", ".tsv"):
            return _check_names(path, _read_csv(path, "\t" if suffix == ".tsv" else ","))
        if suffix in (".jsonl", ".ndjson"):
            from pyarrow import json

            return json.read_json(path)
        if suffix in (".parquet", ".pq"):
            return _read_parquet(path)
    except (pa.ArrowException, CsvError, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as {suffix.lstrip('.')}: {error}") from error
    raise DataError(f"{path}: no known kind of table; allowed: {', '.join(TABLE_SUFFIXES)}")


def _read_csv(path: Path, delimiter: str) -> pa.Table:
    from pyarrow import csv

    read = csv.ReadOptions(autogenerate_column_names=_first_row_is_numbers(path, delimiter))
    parse = csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    convert = csv.ConvertOptions(strings_can_be_null=True)
    try:
        return csv.read_csv(path, read, parse, convert)
    except pa.ArrowInvalid as error:
        if "conversion error" not in str(error):
            raise
    # A word below the first block of a number column: read all as text, so that the caller can name its row.
    names = csv.open_csv(path, read, parse, convert).schema.names
    convert = csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True)
    table = csv.read_csv(path, read, parse, convert)
    for place, name in enumerate(table.column_names):
        if pc.all(reads_as_number(table[name]), min_count=0).as_py():
            numbers = pc.cast(pc.utf8_trim_whitespace(table[name]), pa.float64())
            table = table.set_column(place, name, numbers)
    return table


def _first_row_is_numbers(path: Path, delimiter: str) -> bool:
    """Whether the file starts with data instead of names; its columns are then called f0, f1, ..."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = next(csv_rows(file, delimiter=delimiter), [])
    return bool(first) and bool(pc.all(reads_as_number(pa.array(first, pa.string()))).as_py())


def _read_parquet(path: Path) -> pa.Table:
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        groups = range(file.metadata.num_row_groups)
        size = sum(file.metadata.row_group(group).total_byte_size for group in groups)
        if size > MAX_ARRAY_BYTES:
            raise DataError(f"{path} declares {size:,} bytes of rows; the limit is {MAX_ARRAY_BYTES:,} bytes")
        return file.read()


def _check_names(path: Path, table: pa.Table) -> pa.Table:
    twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: {len(twice)} column names occur more than once: {', '.join(twice[:5])}")
    return table
