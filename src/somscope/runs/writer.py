"""Writing a run folder or a result file so that it is whole or absent."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from somscope.atomic import whole_file, whole_folder
from somscope.errors import RunError

__all__ = ["check_target", "make_folder", "new_file", "new_run"]


def check_target(path: str | Path, overwrite: bool = False) -> None:
    """Raise RunError if a run cannot be written to `path`: call it before a long training.

    A path that exists is refused, unless `overwrite` is set and it is a run or an empty folder: somscope never
    deletes a folder that it did not write.
    """
    path = _absolute(path)
    if not path.name:
        raise RunError(f"{path} cannot be a run folder: name a folder inside it")
    if not os.path.lexists(path):
        return
    if not path.is_dir() or path.is_symlink():
        raise RunError(f"{path} exists and is not a folder: choose another output folder")
    if not overwrite:
        raise RunError(
            f"{path} exists: choose another output folder, or replace it (--overwrite, overwrite=True)"
        )
    if any(path.iterdir()) and not (path / "config.json").is_file():
        raise RunError(f"{path} is not a run folder (it has no config.json), so it is not replaced")


@contextmanager
def new_run(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary folder beside `path` to write a run into; at the end it becomes `path`, at once.

    An error or Ctrl-C inside the block removes the temporary folder and leaves `path` as it was. With `overwrite`
    the run that is there stays until the new one is complete and on the disk. A lock beside the folder keeps a
    second writer away; it is released by the system if the process dies, and what a dead process left is cleaned
    by the next that writes a run into the same parent folder.

    Raises RunError if `path` exists and may not be replaced, if another process is writing it, if the folder cannot
    be written, or if the disk is full.
    """
    path = _absolute(path)
    check_target(path, overwrite)
    with (
        _explained(path),
        _made_parents(path.parent),
        # again: another writer may have finished meanwhile
        whole_folder(path, lambda: check_target(path, overwrite), RunError) as partial,
    ):
        yield partial


@contextmanager
def new_file(path: str | Path) -> Iterator[Path]:
    """Give a temporary file name beside `path`; at the end of the block it replaces `path`, at once.

    Raises RunError if the folder cannot be written or the disk is full; `path` is then as it was.
    """
    path = _absolute(path)
    if path.is_dir():
        raise RunError(f"{path} is a folder: name a file")
    with _explained(path), _made_parents(path.parent), whole_file(path) as partial:
        yield partial


def make_folder(path: str | Path) -> None:
    """Make a folder, unless it is there, and those above it. Raises RunError where that cannot be."""
    path = _absolute(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"cannot write {path}: {error.strerror} ({error.filename})") from error


def _absolute(path: str | Path) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn what the system says about a full or read-only disk into a RunError."""
    try:
        yield
    except RunError as error:
        if error.__cause__ is not None and _means(error.__cause__, errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"the disk is full: {path} was not written") from error
        raise
    except Exception as error:
        if _means(error, errno.ENOSPC, errno.EDQUOT):
            raise RunError(f"the disk is full: {path} was not written") from error
        if isinstance(error, OSError) and _means(error, *_NOT_WRITABLE) and _beside(path, error.filename):
            raise RunError(f"cannot write {path}: {error.strerror} ({error.filename})") from error
        raise


_NOT_WRITABLE = (
    errno.EACCES,
    errno.ENOENT,
    errno.EPERM,
    errno.EROFS,
    errno.EEXIST,
    errno.ENOTDIR,
    errno.ENAMETOOLONG,
)


def _beside(path: Path, name: object) -> bool:
    """Whether an error about file `name` is about writing `path`: not about data that the block reads."""
    if not isinstance(name, str | Path):
        return False
    return Path(name).is_relative_to(path.parent) or path.is_relative_to(name)


def _means(error: BaseException, *codes: int) -> bool:
    """Whether an error is one of these system errors; safetensors passes them on as text only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in codes
    return any(os.strerror(code) in str(error) for code in codes)


@contextmanager
def _made_parents(folder: Path) -> Iterator[None]:
    """Make `folder` and its parents; on failure remove again those that were made."""
    made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        with suppress(OSError):  # stop at the first that holds something
            for parent in made:
                if parent.exists():
                    parent.rmdir()
        raise
