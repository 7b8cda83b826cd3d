"""Files that appear whole or not at all, and the short moments that Ctrl-C must not cut in two."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["flush_folder", "flush_to_disk", "no_interrupt", "whole_file"]


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary name beside `path`; at the end of the block it replaces `path`, at once and on the disk.

    An error or Ctrl-C inside the block removes it and leaves `path` as it was. Raises what the system says.
    """
    partial = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        flush_to_disk(partial)
        os.replace(partial, path)
        flush_folder(path.parent)  # the new name too
    finally:
        partial.unlink(missing_ok=True)


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
