"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from somscope.atomic import holder, locked, whole_file


def test_a_whole_file_is_on_the_disk_with_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    real_replace, real_fsync = os.replace, os.fsync

    def replace(source: Path, target: Path) -> None:
        done.append("renamed")
        real_replace(source, target)

    def fsync(handle: int) -> None:
        done.append(
            "folder flushed" if os.path.samestat(os.fstat(handle), tmp_path.stat()) else "file flushed"
        )
        real_fsync(handle)

    monkeypatch.setattr(os, "replace", replace)
    monkeypatch.setattr(os, "fsync", fsync)
    with whole_file(tmp_path / "map.json") as partial:
        partial.write_text("{}")
    folder = [] if sys.platform == "win32" else ["folder flushed"]
    assert done == ["file flushed", "renamed", *folder]
    assert [path.name for path in tmp_path.iterdir()] == ["map.json"]


def test_an_error_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "map.json").write_text("old")

    def write() -> None:
        with whole_file(tmp_path / "map.json") as partial:
            partial.write_text("new")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write()
    assert (tmp_path / "map.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["map.json"]


KILLED = """
import os, signal, sys
from pathlib import Path
from somscope.atomic import locked, whole_file
with locked(Path(sys.argv[1]) / ".lock"), whole_file(Path(sys.argv[1]) / "map.json") as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_what_a_killed_process_left_is_removed_and_its_lock_is_free(tmp_path: Path) -> None:
    (tmp_path / ".map.notes.partial.json").write_text("of somebody else")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)])
    assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".map.*.partial.json"))) == 2
    assert isinstance(holder(tmp_path / ".lock"), int)
    with locked(tmp_path / ".lock") as ours, whole_file(tmp_path / "map.json") as partial:
        assert ours
        assert holder(tmp_path / ".lock") == os.getpid()
        partial.write_text("whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".map.notes.partial.json", "map.json"]
    assert (tmp_path / "map.json").read_text() == "whole"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such locks")
def test_the_file_of_a_writer_at_work_is_no_leftover(tmp_path: Path) -> None:
    with whole_file(tmp_path / "map.json") as first:
        first.write_text("first")
        with whole_file(tmp_path / "map.json") as second:
            second.write_text("second")
        assert first.read_text() == "first"
    assert (tmp_path / "map.json").read_text() == "first"


def test_a_lock_is_held_once(tmp_path: Path) -> None:
    with locked(tmp_path / ".lock") as first, locked(tmp_path / ".lock") as second:
        assert (first, second) == (True, False)
    assert not (tmp_path / ".lock").exists()
    (tmp_path / ".lock").write_text("of another program")
    assert holder(tmp_path / ".lock") is None
