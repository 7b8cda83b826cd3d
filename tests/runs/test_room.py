"""Room on the disk that is taken before a training and given back when its result is written."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from somscope.data.open import open_collection
from somscope.errors import RunError
from somscope.runs import give_room, keep_room, new_run, room_for


def test_room_is_taken_and_given_back(tmp_path: Path) -> None:
    with new_run(tmp_path / "run") as folder:
        keep_room(folder, 3 * 2**20)
        held = [path.stat() for path in folder.iterdir()]
        assert [(stat.st_size, stat.st_blocks * 512 >= 3 * 2**20) for stat in held] == [(3 * 2**20, True)]
        give_room(folder)
        give_room(folder)
        (folder / "config.json").write_text("{}")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["config.json"]


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="this system writes the room out")
def test_a_disk_without_the_room_is_an_error_before_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(RunError, match=r"too full: a run takes up to 5 MiB .* nothing was trained"):  # noqa: SIM117
        with new_run(tmp_path / "run") as folder:
            keep_room(folder, 5 * 2**20)
    assert not list(tmp_path.iterdir())


def test_room_grows_with_items_and_their_names() -> None:
    few, many = (open_collection(np.zeros((n, 2)) + np.arange(n)[:, None]) for n in (10, 1000))
    assert room_for(many, 0) - room_for(few, 0) >= 990 * 64
    assert room_for(few, 500) - room_for(few, 0) == 500
