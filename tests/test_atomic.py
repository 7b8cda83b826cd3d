"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from somscope.atomic import whole_file


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
