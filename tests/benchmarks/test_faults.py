"""Faults done to real processes, a few times each: nothing more is lost than the manual says."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.faults import mounts
from benchmarks.faults.rows import Row, table

ROOT = Path(__file__).parents[2]
BEFORE = {"fault": "clock", "tried": 7, "lost": "", "seen": "", "failed": 0}


def tried(folder: Path, *arguments: object) -> dict[str, dict[str, object]]:
    """The first row of each fault that is in the file of the command."""
    command = [sys.executable, "-m", "benchmarks.faults", "--out", folder / "faults.json", *arguments]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    content = json.loads((folder / "faults.json").read_text())
    return {entry["kind"]: entry["rows"][0] for entry in content["rows"]}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """Most of the faults, twice each, by one command: its start takes longer than a fault."""
    folder = tmp_path_factory.mktemp("faults")
    (folder / "faults.json").write_text(json.dumps({"rows": [{"kind": "clock", "rows": [BEFORE]}]}))
    mounting = ["full-index", "full-map", "read-only"] if mounts.can_mount() else []
    kinds = ["training", "passes", "command", "run", "index", "two-writers", "images", *mounting]
    return tried(folder, "--only", *kinds, "--times", 2, "--images", 200)


def test_killed_processes_leave_nothing_half_written(rows: dict[str, dict[str, object]]) -> None:
    for kind in ("training", "passes", "command", "run", "index"):
        assert (rows[kind]["tried"], rows[kind]["failed"]) == (2, 0), kind
    assert "2 of 2 runs are those of a command never killed" in str(rows["command"]["lost"])
    for kind in ("training", "passes"):
        assert "2 of 2 resumed to the same bits" in str(rows[kind]["lost"])


def test_two_writers_and_broken_images(rows: dict[str, dict[str, object]]) -> None:
    assert not any(rows[kind]["failed"] for kind in ("two-writers", "images"))
    assert str(rows["images"]["lost"]).startswith("198 images are mapped; 2 skipped, each by name")
    assert "another process is writing" in str(rows["two-writers"]["seen"])


def test_what_was_not_tried_now_keeps_its_row(rows: dict[str, dict[str, object]]) -> None:
    assert rows["clock"] == BEFORE


@pytest.mark.skipif(not mounts.can_mount(), reason="this system lets nobody mount a small file system")
def test_a_full_disk_and_one_that_cannot_be_written(rows: dict[str, dict[str, object]]) -> None:
    assert not any(rows[kind]["failed"] for kind in ("full-index", "full-map", "read-only"))
    assert rows["full-index"]["lost"] == "the old index is there: 1; the new index is there: 1"
    assert rows["full-map"]["lost"] == "refused before the training: 1; kept whole: 1"


@pytest.mark.skipif(
    shutil.which("cc") is None, reason="the clock is set back by a library, which needs a C compiler"
)
def test_a_clock_that_goes_back(tmp_path: Path) -> None:
    row = tried(tmp_path, "--only", "clock", "--times", 1)["clock"]
    assert row["failed"] == 0
    assert "1 runs are whole" in str(row["lost"])


def test_the_table_of_the_manual_is_that_of_the_results() -> None:
    content = json.loads((ROOT / "results" / "faults.json").read_text(encoding="utf-8"))
    rows = [row for entry in content["rows"] for row in entry["rows"]]
    assert table(rows) in (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert not any(row["failed"] for row in rows)


def test_a_bar_does_not_part_a_cell() -> None:
    row = Row("a|b", 1, "nothing", "an error")
    assert table([vars(row)]).splitlines()[-1] == r"| a\|b | 1 | nothing | an error |"
