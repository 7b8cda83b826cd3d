"""Codes for other engines: what is written says what the index holds, and LanceDB finds what the index finds."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.samples import invoke, make_photos
from somscope.codes import CodeIndex, export, unpack
from somscope.codes.export import export_codes
from somscope.errors import InputError, RunError

NAMES = ["a\tb", "c\\d", "e\nf", *(f"item {i}" for i in range(97))]


def index_of(n: int = 100, bits: int = 64) -> CodeIndex:
    index = CodeIndex(bits, fingerprint="ab" * 32)
    codes = np.random.default_rng(0).integers(256, size=(n, bits // 8), dtype=np.uint8)
    index.add(codes, np.arange(n) * 3)
    return index


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_ROWS", 33)


def test_pgvector_gets_bit_strings(tmp_path: Path) -> None:
    index = index_of()
    text = export_codes(index, tmp_path / "codes.sql", "pgvector", NAMES).read_text()
    head, _, rest = text.partition("FROM stdin;\n")
    rows, _, end = rest.partition("\\.\n")
    assert "code bit(64) NOT NULL" in head
    assert "COPY codes (id, item, code)" in head
    assert end == "CREATE INDEX ON codes USING hnsw (code bit_hamming_ops);\n"
    lines = [line.split("\t") for line in rows.splitlines()]
    assert [int(line[0]) for line in lines] == index.ids.tolist()
    assert [line[1] for line in lines[:3]] == ["a\\tb", "c\\\\d", "e\\nf"]
    assert np.array_equal([[int(b) for b in line[2]] for line in lines], unpack(index.codes, 64))
    assert all(re.fullmatch("[01]{64}", line[2]) for line in lines)


def test_milvus_gets_lists_of_bytes_and_a_schema(tmp_path: Path) -> None:
    index = index_of()
    folder = export_codes(index, tmp_path / "milvus", "milvus", NAMES)
    table = pq.read_table(folder / "codes.parquet")
    assert [str(table.schema.field(name).type) for name in ("id", "item", "code")] == [
        "int64", "string", "list<element: uint8>"
    ]  # fmt: skip
    assert table["id"].to_pylist() == index.ids.tolist()
    assert table["item"].to_pylist() == NAMES
    assert np.array_equal(table["code"].to_pylist(), index.codes)
    schema = json.loads((folder / "schema.json").read_text())
    assert schema["fields"][-1] == {"name": "code", "type": "BINARY_VECTOR", "dim": 64}
    assert schema["index"]["metric_type"] == "HAMMING"
    assert schema["fingerprint"] == index.fingerprint


@pytest.mark.filterwarnings("ignore")  # of LanceDB's own packages
def test_lancedb_finds_what_the_index_finds(tmp_path: Path) -> None:
    lancedb = pytest.importorskip("lancedb", reason="the extra lancedb is not installed")
    index = index_of()
    export_codes(index, tmp_path / "db", "lancedb", NAMES)
    table = lancedb.connect(str(tmp_path / "db")).open_table("codes")
    assert table.count_rows() == 100
    found = index.search(index.codes[:5], 100)
    for row in range(5):
        query = index.codes[row].tolist()
        hits = table.search(query, vector_column_name="code").distance_type("hamming").limit(100).to_arrow()
        ids, distances = (np.array(hits[name].to_pylist()) for name in ("id", "_distance"))
        order = np.lexsort([ids, distances])  # LanceDB leaves ties in no order
        assert np.array_equal(ids[order], found.ids[row])
        assert np.array_equal(distances[order], found.distances[row])


def test_without_lancedb_its_layout_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lancedb", None)
    with pytest.raises(RunError, match=r"somscope\[lancedb\]"):
        export_codes(index_of(), tmp_path / "db", "lancedb")


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="allowed: lancedb, milvus, pgvector"):
        export_codes(index_of(), tmp_path / "x", "qdrant")
    with pytest.raises(InputError, match="no codes"):
        export_codes(CodeIndex(8), tmp_path / "x", "milvus")
    with pytest.raises(InputError, match="1 items for 100 codes"):
        export_codes(index_of(), tmp_path / "x", "milvus", ["a"])
    (tmp_path / "x").touch()
    with pytest.raises(RunError, match="exists"):
        export_codes(index_of(), tmp_path / "x", "milvus")


def test_the_command_exports_a_run(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", 12)
    done = invoke("codes", photos, "--bits", 8, "--model", "lsh", "-o", tmp_path / "run")
    assert done.exit_code == 0, done.output
    done = invoke("export", tmp_path / "run", "--to", "pgvector", "-o", tmp_path / "codes.sql")
    assert done.exit_code == 0, done.output
    assert "12 codes of 8 bits for pgvector" in done.output
    assert len(re.findall(r"^\d+\t.+\t[01]{8}$", (tmp_path / "codes.sql").read_text(), re.MULTILINE)) == 12
    assert invoke("export", tmp_path / "photos", "-o", tmp_path / "y").exit_code == 2
