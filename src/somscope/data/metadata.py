"""The table beside a folder of images: `metadata.csv`, `.jsonl` or `.parquet` with a column `file_name`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from unicodedata import normalize

import pyarrow as pa

from somscope.data.table_files import read_table
from somscope.errors import DataError

__all__ = ["METADATA_NAMES", "Metadata", "read_metadata"]

METADATA_NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
_KEY = "file_name"


@dataclass(frozen=True, eq=False)
class Metadata:
    """path: the file. table: its rows, with the column `file_name` (path inside the folder, "/" between parts)."""

    path: Path
    table: pa.Table

    @cached_property
    def names(self) -> list[str]:
        """`file_name` of each row."""
        return [str(name).removeprefix("./") for name in self.table[_KEY].to_pylist()]

    @cached_property
    def _row_of(self) -> dict[str, int]:
        rows = {name: row for row, name in enumerate(self.names)}
        if len(rows) < len(self.names):
            twice = next(name for row, name in enumerate(self.names) if rows[name] != row)
            raise DataError(f"{self.path}: {_KEY} {twice!r} occurs more than once")
        return rows

    def rows(self, names: list[str]) -> pa.Array:
        """The row of each name, null where it has none; é as one character and as e with an accent are one name."""
        row_of = self._row_of
        alike = {normalize("NFC", name): row for name, row in row_of.items()}
        return pa.array(
            [row_of.get(name, alike.get(normalize("NFC", name))) for name in names], type=pa.int64()
        )

    def join(self, names: list[str]) -> pa.Table | None:
        """The columns besides `file_name`, one row for each name; nulls where it has none."""
        table = self.table.drop_columns([_KEY])
        return table.take(self.rows(names)) if table.num_columns else None


def read_metadata(folder: Path, label: str) -> Metadata | None:
    """The metadata table of a folder, or None. label: its column of classes, if it has one.

    Raises DataError for two tables, one without `file_name`, and a `file_name` that occurs twice.
    """
    found = [folder / name for name in METADATA_NAMES if (folder / name).is_file()]
    if not found:
        return None
    if len(found) > 1:
        raise DataError(f"{folder} has {' and '.join(path.name for path in found)}: keep one of them")
    table = read_table(found[0], words=[_KEY], label=label)
    if _KEY not in table.column_names:
        raise DataError(f"{found[0]} has no column {_KEY}; its columns: {', '.join(table.column_names)}")
    metadata = Metadata(found[0], table)
    metadata.rows([])  # refuses names that occur twice
    return metadata
