"""A run folder is whole or absent, whatever happens while it is written."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from somscope.errors import RunError
from somscope.runs import check_target, new_file, new_run


def make_old(path: Path) -> None:
    path.mkdir()
    (path / "config.json").write_text("old")


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_folder_appears_whole_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "run"
    with new_run(path) as folder:
        (folder / "config.json").write_text("{}")
        (folder / "figures").mkdir()
        (folder / "figures" / "a.png").write_bytes(b"png")
        assert not path.exists()
    assert contents(path) == ["config.json", "figures"]
    assert contents(path.parent) == ["run"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_failure_leaves_nothing_not_even_parents(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "deep" / "er" / "run"
    with pytest.raises(type(error)), new_run(path) as folder:
        (folder / "config.json").write_text("{}")
        raise error
    assert contents(tmp_path) == []


def test_existing_path_is_refused(tmp_path: Path) -> None:
    make_old(tmp_path / "run")
    with pytest.raises(RunError, match=r"run exists.*--overwrite"), new_run(tmp_path / "run"):
        pytest.fail("the block must not be entered")
    assert (tmp_path / "run" / "config.json").read_text() == "old"


def test_overwrite_keeps_the_old_run_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "run"
    make_old(path)
    (path / "left-over").write_text("of the old run")
    with new_run(path, overwrite=True) as folder:
        (folder / "config.json").write_text("new")
        assert (path / "config.json").read_text() == "old"
    assert contents(path) == ["config.json"]
    assert (path / "config.json").read_text() == "new"
    assert contents(tmp_path) == ["run"]


def test_failed_overwrite_keeps_the_old_run(tmp_path: Path) -> None:
    path = tmp_path / "run"
    make_old(path)
    with pytest.raises(KeyboardInterrupt), new_run(path, overwrite=True):
        raise KeyboardInterrupt
    assert (path / "config.json").read_text() == "old"
    assert contents(tmp_path) == ["run"]


def test_failed_rename_restores_the_old_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run"
    make_old(path)
    rename = Path.rename

    def broken(self: Path, target: Path) -> Path:
        if self.name.endswith(".partial"):
            raise OSError(errno.EIO, "broken")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", broken)
    with pytest.raises(OSError, match="broken"), new_run(path, overwrite=True) as folder:
        (folder / "config.json").write_text("new")
    assert (path / "config.json").read_text() == "old"
    assert contents(tmp_path) == ["run"]


def test_overwrite_never_deletes_a_folder_that_is_no_run(tmp_path: Path) -> None:
    path = tmp_path / "holiday"
    path.mkdir()
    (path / "photo.jpg").write_bytes(b"precious")
    with pytest.raises(RunError, match="not a run folder"):
        check_target(path, overwrite=True)
    assert contents(path) == ["photo.jpg"]


def test_a_file_or_a_link_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    make_old(tmp_path / "run")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    for name in ("file", "link", "file/below"):
        with pytest.raises(RunError), new_run(tmp_path / name, overwrite=True):
            pytest.fail("the block must not be entered")
    assert contents(tmp_path) == ["file", "link", "run"]


def test_two_writers_to_one_path(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with new_run(path) as folder:
        (folder / "config.json").write_text("first")
        with pytest.raises(RunError, match="another process is writing"), new_run(path):
            pytest.fail("the block must not be entered")
    assert (path / "config.json").read_text() == "first"
    assert contents(tmp_path) == ["run"]


def test_what_a_killed_writer_left_is_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "run"
    code = (
        "import sys, time; from somscope.runs import new_run\n"
        "with new_run(sys.argv[1]) as folder:\n"
        "    (folder / 'config.json').write_text('{}'); sys.stdout.write('in\\n'); sys.stdout.flush(); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"in\n"
        with pytest.raises(RunError, match="another process"), new_run(path):
            pytest.fail("the block must not be entered")
        process.kill()
    assert ".run.partial" in contents(tmp_path)
    with new_run(path) as folder:
        (folder / "config.json").write_text("second")
    assert contents(tmp_path) == ["run"]
    assert contents(path) == ["config.json"]


KILLED = """
import os, signal, sys
from pathlib import Path
from somscope.runs import new_run
def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)
with new_run(sys.argv[1], overwrite=True) as folder:
    (folder / "config.json").write_text("new")
    if sys.argv[2] == "replacing":
        rename = Path.rename
        Path.rename = lambda old, new: kill() if old.name.endswith(".partial") else rename(old, new)
    else:
        kill()
"""


@pytest.mark.parametrize("when", ["writing", "replacing"])
def test_what_killed_writers_left_is_cleaned_by_the_next_run_beside_it(tmp_path: Path, when: str) -> None:
    make_old(tmp_path / "run")
    (tmp_path / ".mine.partial").mkdir()  # of another program: no lock of ours beside it
    (tmp_path / ".mine.lock").write_text("123")
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "run"), when])
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "run").exists() == (when == "writing")
    with new_run(tmp_path / "other") as folder:
        (folder / "config.json").write_text("{}")
    assert contents(tmp_path) == [".mine.lock", ".mine.partial", "other", "run"]
    assert (tmp_path / "run" / "config.json").read_text() == "old"


def test_an_interrupted_replacement_is_undone_by_the_next_writer(tmp_path: Path) -> None:
    make_old(tmp_path / ".run.old")  # as a power cut between the two renames leaves it
    with pytest.raises(RunError, match="exists"), new_run(tmp_path / "run"):
        pytest.fail("the block must not be entered")
    assert (tmp_path / "run" / "config.json").read_text() == "old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_full_disk(tmp_path: Path) -> None:
    with (
        pytest.raises(RunError, match="disk is full"),
        new_run(tmp_path / "run"),
        open("/dev/full", "wb") as full,
    ):
        full.write(b"x")
        full.flush()
    assert contents(tmp_path) == []


def test_full_disk_as_safetensors_says_it(tmp_path: Path) -> None:
    text = 'Error while serializing: I/O error: Os { code: 28, kind: StorageFull, message: "No space left on device" }'
    with pytest.raises(RunError, match="disk is full"), new_run(tmp_path / "run"):
        raise RuntimeError(text)
    assert contents(tmp_path) == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EPERM])
def test_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    real = os.open

    def refused(path: str | Path, *args: int, **kwargs: int) -> int:
        if str(path).endswith(".lock"):
            raise OSError(code, os.strerror(code), str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", refused)
    with pytest.raises(RunError, match=r"cannot write .*run"), new_run(tmp_path / "run"):
        pytest.fail("the block must not be entered")
    assert contents(tmp_path) == []


def test_unreadable_data_is_not_reported_as_an_unwritable_run(tmp_path: Path) -> None:
    def read_data() -> None:
        raise PermissionError(errno.EACCES, "Permission denied", "/data/secret.npy")

    with pytest.raises(PermissionError, match=r"secret\.npy"), new_run(tmp_path / "run"):
        read_data()
    assert contents(tmp_path) == []


def test_ctrl_c_in_a_real_process_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import sys, time; from somscope.runs import new_run\n"
        "with new_run(sys.argv[1]) as folder:\n"
        "    (folder / 'config.json').write_text('{}'); sys.stdout.write('in\\n'); sys.stdout.flush(); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.wait(30)
    assert contents(tmp_path) == []


def test_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "where.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="stop"), new_file(path) as partial:
        partial.write_text("half")
        raise ValueError("stop")
    assert path.read_text() == "old"
    with new_file(path) as partial:
        assert partial.suffix == ".csv"
        partial.write_text("new")
    assert path.read_text() == "new"
    assert contents(tmp_path) == ["where.csv"]


def test_file_cannot_replace_a_folder(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is a folder"), new_file(tmp_path):
        pytest.fail("the block must not be entered")
