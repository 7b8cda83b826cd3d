"""Codes in the layouts of engines that search collections beyond one machine: LanceDB, Milvus and pgvector.

Bits keep their order: the first bit of a code is the most significant one of its first byte, and the first digit of a
bit string. All three compare by Hamming distance; ids are those of the index.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope.atomic import whole_file
from somscope.codes.index import CodeIndex
from somscope.codes.packing import unpack
from somscope.errors import InputError, RunError, check_choice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LAYOUTS", "export_codes"]

LAYOUTS = ("lancedb", "milvus", "pgvector")
TABLE = "codes"
_ROWS = 2**16  # that are written at once
_LONGEST = 4096  # characters of an item's name


def export_codes(index: CodeIndex, path: str | Path, layout: str, items: Sequence[str] | None = None) -> Path:
    """Write the codes of an index.

    layout: "lancedb", a database in the folder `path` with the table `codes` (needs the extra lancedb); "milvus", a
    folder with codes.parquet for a bulk import, and schema.json, the collection and index to create for it; "pgvector",
    a file of SQL for psql, which creates the table `codes`, fills it and indexes it.
    items: (n,) what each code is of, as a column `item`.
    Raises InputError for another layout, no codes, or another number of items, RunError where `path` exists, or
    LanceDB is not installed.
    """
    check_choice("layout", layout, LAYOUTS)
    path = Path(path)
    if not len(index):
        raise InputError("the index holds no codes to export")
    if items is not None and len(items) != len(index):
        raise InputError(f"{len(items)} items for {len(index)} codes")
    if path.exists():
        raise RunError(f"{path} exists: choose another place")
    path.parent.mkdir(parents=True, exist_ok=True)
    {"lancedb": _lancedb, "milvus": _milvus, "pgvector": _pgvector}[layout](index, path, items)
    return path


def _blocks(
    index: CodeIndex, items: Sequence[str] | None
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8], Sequence[str] | None]]:
    for start in range(0, len(index), _ROWS):
        rows = slice(start, start + _ROWS)
        yield index.ids[rows], index.codes[rows], None if items is None else items[rows]


def _schema(vector: pa.DataType, items: Sequence[str] | None) -> pa.Schema:
    import pyarrow as pa

    named = [] if items is None else [("item", pa.string())]
    return pa.schema([("id", pa.int64()), *named, ("code", vector)])


def _batches(index: CodeIndex, items: Sequence[str] | None, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    width = index.bits // 8
    for ids, codes, names in _blocks(index, items):
        flat = pa.array(np.ascontiguousarray(codes).ravel())
        vectors = pa.FixedSizeListArray.from_arrays(flat, width).cast(schema.field("code").type)
        columns = [
            pa.array(ids),
            *([] if names is None else [pa.array([str(name) for name in names])]),
            vectors,
        ]
        yield pa.record_batch(columns, schema=schema)


def _lancedb(index: CodeIndex, path: Path, items: Sequence[str] | None) -> None:
    import pyarrow as pa

    try:
        import lancedb
    except ImportError:
        raise RunError("this layout is written by LanceDB: pip install 'somscope[lancedb]'") from None
    schema = _schema(pa.list_(pa.uint8(), index.bits // 8), items)
    lancedb.connect(str(path)).create_table(TABLE, data=_batches(index, items, schema), schema=schema)


def _milvus(index: CodeIndex, path: Path, items: Sequence[str] | None) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path.mkdir()
    schema = _schema(pa.list_(pa.uint8()), items)  # bytes in lists, as Milvus' own writer of Parquet has them
    with whole_file(path / "codes.parquet") as unfinished, pq.ParquetWriter(unfinished, schema) as writer:
        for batch in _batches(index, items, schema):
            writer.write_batch(batch)
    named = [] if items is None else [{"name": "item", "type": "VARCHAR", "max_length": _LONGEST}]
    described: dict[str, Any] = {
        "collection": TABLE,
        "fields": [
            {"name": "id", "type": "INT64", "primary": True, "auto_id": False},
            *named,
            {"name": "code", "type": "BINARY_VECTOR", "dim": index.bits},
        ],
        "index": {"field": "code", "index_type": "BIN_FLAT", "metric_type": "HAMMING"},
        "fingerprint": index.fingerprint,
    }
    with whole_file(path / "schema.json") as unfinished:
        unfinished.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def _pgvector(index: CodeIndex, path: Path, items: Sequence[str] | None) -> None:
    bits = index.bits
    item, column = ("", "") if items is None else ("item text, ", "item, ")
    with whole_file(path) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as file:
        file.write(
            f"-- {len(index)} codes of {bits} bits by the coder {index.fingerprint}. Nearest to a code:\n"
            f"-- SELECT id, code <~> B'...' AS distance FROM {TABLE} ORDER BY distance, id LIMIT 10;\n"
            "CREATE EXTENSION IF NOT EXISTS vector;\n"
            f"CREATE TABLE {TABLE} (id bigint PRIMARY KEY, {item}code bit({bits}) NOT NULL);\n"
            f"COPY {TABLE} (id, {column}code) FROM stdin;\n"
        )
        for ids, codes, names in _blocks(index, items):
            digits = (unpack(codes, bits) + np.uint8(ord("0"))).view(f"S{bits}").ravel().astype(np.str_)
            columns = [
                ids.astype(np.str_).tolist(),
                *([] if names is None else [map(_escaped, names)]),
                digits.tolist(),
            ]
            file.writelines("\t".join(line) + "\n" for line in zip(*columns, strict=True))
        file.write(f"\\.\nCREATE INDEX ON {TABLE} USING hnsw (code bit_hamming_ops);\n")


def _escaped(text: str) -> str:
    """As COPY reads it."""
    for what, how in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = str(text).replace(what, how)
    return text
