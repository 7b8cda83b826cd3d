"""Room on the disk that is taken before a long training, for what must not be lost after it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from somscope.data.collection import Collection
from somscope.errors import RunError

__all__ = ["give_room", "keep_room", "room_for"]

_FILE = ".room"
_LEAST = 2**20  # bytes: descriptions, numbers, the history
_PER_ITEM = 64  # bytes of an item's numbers in all tables together
_BLOCK = 2**20


def room_for(collection: Collection, model_bytes: int) -> int:
    """Bytes that a model and the small record of a run on a collection take at most, without figures and report."""
    ids = 0 if collection.ids is None else collection.ids.nbytes
    return _LEAST + model_bytes + ids + _PER_ITEM * collection.n_items


def keep_room(folder: Path, n_bytes: int) -> None:
    """Take so many bytes of the disk in a folder of a run that is being written.

    Raises RunError where the disk does not have them.
    """
    try:
        with (folder / _FILE).open("wb") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, n_bytes)
            else:
                for _ in range(0, n_bytes, _BLOCK):
                    file.write(bytes(_BLOCK))
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise RunError(
            f"the disk is too full: a run takes up to {n_bytes / 2**20:,.0f} MiB besides its figures and report; "
            "nothing was trained"
        ) from None


def give_room(folder: Path) -> None:
    """Give back what `keep_room` took: what it was for is written next."""
    (folder / _FILE).unlink(missing_ok=True)
