"""Files and folders that appear whole or not at all, locks that die with their process, moments without Ctrl-C."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from somscope.errors import SomscopeError

__all__ = ["flush_folder", "flush_to_disk", "holder", "locked", "no_interrupt", "whole_file", "whole_folder"]

_MARK = "somscope "  # begins a lock file; then follows the number of the process


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; at the end of the block it replaces `path`, at once and on the disk.

    An error or Ctrl-C inside the block removes it and leaves `path` as it was. What a process left that was killed in
    the middle of this is removed by the next that writes `path`. Raises what the system says.
    """
    _remove_leftovers(path)
    partial, handle = _partial(path)
    try:
        yield partial
        flush_to_disk(partial)
        os.replace(partial, path)
        flush_folder(path.parent)  # the new name too
    finally:
        partial.unlink(missing_ok=True)
        os.close(handle)


def _partial(path: Path) -> tuple[Path, int]:
    """A new empty file beside `path`, locked for as long as the handle is open or the process lives."""
    while True:
        partial = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.partial{path.suffix}")
        handle = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        if sys.platform == "win32":  # which replaces no open file
            os.close(handle)
            return partial, os.open(os.devnull, os.O_RDONLY)
        with suppress(OSError):  # a disk without locks: then nothing is ever taken for a leftover
            _lock(handle, wait=True)
        if _names(partial, handle):  # and nobody took it for a leftover before it was locked
            return partial, handle
        os.close(handle)


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of `path` whose writers are dead: nobody holds their locks."""
    if sys.platform == "win32":
        return
    ours = re.compile(rf"\.{re.escape(path.stem)}\.[0-9a-f]+\.partial{re.escape(path.suffix)}")
    with suppress(OSError):  # a folder that cannot be listed
        for name in os.listdir(path.parent):
            if ours.fullmatch(name):
                with suppress(OSError):
                    _remove_if_left(path.with_name(name))


def _remove_if_left(partial: Path) -> None:
    handle = os.open(partial, os.O_RDWR)
    try:
        _lock(handle)  # raises where the writer lives
        partial.unlink()
    finally:
        os.close(handle)


@contextmanager
def whole_folder(path: Path, check: Callable[[], object], error: type[SomscopeError]) -> Iterator[Path]:
    """Give a temporary folder beside `path` (.NAME.partial); at the end of the block it becomes `path`, at once and on
    the disk; a folder that is there is replaced, and stays whole (.NAME.old) until that has worked.

    An error or Ctrl-C inside the block removes the temporary folder and leaves `path` as it was. A lock (.NAME.lock)
    keeps a second writer away, with an `error`; the system releases it if the process dies. What dead processes left of
    any folder with the same parent is removed, or put back, by the next that begins there. check: called once the lock
    is held; what it raises goes on its way.
    """
    lock, partial, old = (path.with_name(f".{path.name}.{kind}") for kind in ("lock", "partial", "old"))
    with locked(lock) as ours:
        if not ours:
            number = holder(lock)
            which = "" if number is None else f" (process {number})"
            raise error(
                f"another process is writing {path}{which}: wait for it, or choose another output folder"
            )
        _clean(path)
        _clean_after_others(path.parent)
        check()
        try:
            partial.mkdir()
            yield partial
            with no_interrupt():  # it is whole: it must not be lost now
                flush_to_disk(partial)
                _replace(partial, path, old)
        finally:
            _remove(partial)
        _remove(old)


def _clean(path: Path) -> None:
    """Remove what a process left that died while it wrote `path`, which we hold; put back what it had set aside."""
    old = path.with_name(f".{path.name}.old")
    if old.exists() and not path.exists():  # it died in the middle of a replacement
        old.rename(path)
    _remove(path.with_name(f".{path.name}.partial"))
    _remove(old)


def _clean_after_others(parent: Path) -> None:
    """The same of all that lies in a folder whose writers are dead: nobody holds the locks that they made."""
    with suppress(OSError):  # it is no part of what is to be done here
        for name in os.listdir(parent):
            found = re.fullmatch(r"\.(.+)\.lock", name)
            if found and holder(parent / name) is not None:
                with locked(parent / name) as ours:
                    if ours:
                        _clean(parent / found[1])


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _replace(partial: Path, path: Path, old: Path) -> None:
    """Rename `partial` to `path`; a folder that is there is kept as `old` until that has worked."""
    replaced = path.exists()
    if replaced:
        path.rename(old)
    try:
        partial.rename(path)
    except BaseException:
        if replaced and not path.exists():
            old.rename(path)
        raise
    flush_folder(path.parent)


@contextmanager
def locked(name: Path) -> Iterator[bool]:
    """Hold the lock file `name` inside the block; gives False where another process has it, and the block is not safe.

    The system releases it if the process dies. The file is removed at the end. Raises what the system says.
    """
    handle = _locked_handle(name)
    if handle is None:
        yield False
        return
    try:
        with suppress(OSError):  # a full disk: the lock holds without the text
            os.ftruncate(handle, 0)
            os.write(handle, f"{_MARK}{os.getpid()}\n".encode())
        yield True
    finally:
        with suppress(OSError):  # Windows does not remove an open file; an unlocked one does no harm
            name.unlink()
        os.close(handle)


def _locked_handle(name: Path) -> int | None:
    while True:
        handle = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            _lock(handle)
        except (BlockingIOError, PermissionError):
            os.close(handle)
            return None
        if _names(name, handle):
            return handle
        os.close(handle)  # the last holder removed the file between our open and our lock


def holder(name: Path) -> int | None:
    """The number of the process that made the lock file `name`, alive or dead; None for what is no such file."""
    try:
        with name.open(encoding="utf-8") as file:
            text = file.read(64)
    except (OSError, UnicodeDecodeError):
        return None
    found = re.fullmatch(rf"{_MARK}(\d+)\n", text)
    return int(found[1]) if found else None


def _names(path: Path, handle: int) -> bool:
    """Whether `path` is still the name of the open file."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


if sys.platform == "win32":

    def _lock(handle: int, wait: bool = False) -> None:
        import msvcrt

        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)

else:

    def _lock(handle: int, wait: bool = False) -> None:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


@contextmanager
def no_interrupt() -> Iterator[None]:
    """Ctrl-C has no effect inside the block: what is done there takes a moment and must not be cut in two.

    Only the main thread ever gets one; in another thread the block runs as it is.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def flush_to_disk(path: Path) -> None:
    """Ask the system to write a file, or all of a folder, to the disk now."""
    if path.is_dir():
        for folder, _, files in os.walk(path):
            for file in files:
                _flush_file(Path(folder) / file)
            flush_folder(Path(folder))
    else:
        _flush_file(path)


def _flush_file(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def flush_folder(path: Path) -> None:
    """Ask the system to write the names in a folder to the disk now."""
    if sys.platform != "win32":  # Windows cannot open a folder
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
