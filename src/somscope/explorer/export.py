"""A choice of items as a table or as paths, for the work that comes after looking."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice
from somscope.explorer.shown import Shown
from somscope.runs.record import METADATA

__all__ = ["KINDS", "export_rows"]

KINDS = {"parquet": "application/vnd.apache.parquet", "paths": "text/plain; charset=utf-8"}


def export_rows(shown: Shown, kind: str, mask: bytes) -> bytes:
    """The chosen items: "parquet" with id, unit, unit_name, distance, second_unit, percentile, label and metadata, as
    far as they are known, or "paths", one a line: the file that an item was read from, or its id where none is known.

    mask: one bit for each item, the first in the most significant place of the first byte. Raises InputError for
    another kind and for a mask of another length.
    """
    check_choice("export", kind, KINDS)
    n = len(shown.summary.ids)
    if len(mask) != -(-n // 8):
        raise InputError(f"a choice among {n:,} items has {-(-n // 8):,} bytes, not {len(mask):,}")
    rows = np.flatnonzero(np.unpackbits(np.frombuffer(mask, np.uint8), count=n))
    return _table(shown, rows) if kind == "parquet" else _paths(shown, rows)


def _table(shown: Shown, rows: NDArray[np.int64]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    notes = shown.notes.all()
    table = shown.run.assignments().take(rows)
    names = [notes.get(str(unit), {}).get("name", "") for unit in table["unit"].to_pylist()]
    table = table.add_column(2, "unit_name", pa.array(names, pa.string()))
    if not shown.measured:
        table = table.drop_columns(["distance", "second_unit", "percentile"])
    items = shown.run.items()
    for name in items.column_names:
        own = name.removeprefix(METADATA)
        if name.startswith(METADATA):
            table = table.append_column(name if own in table.column_names else own, items[name].take(rows))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def _paths(shown: Shown, rows: NDArray[np.int64]) -> bytes:
    folder: Path | None = shown.originals.folder
    ids = [shown.summary.ids[row] for row in rows.tolist()]
    lines = [str(folder / name) if folder is not None else name for name in ids]
    return ("\n".join(line.replace("\n", " ").replace("\r", " ") for line in lines) + "\n").encode(
        "utf-8", "surrogateescape"
    )
