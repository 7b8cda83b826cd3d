"""What follows a training, step by step: a step that fails or is interrupted never takes the trained map with it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from somscope.errors import SomscopeError

__all__ = ["Steps"]

T = TypeVar("T")
_log = logging.getLogger(__name__)


class Steps:
    """Runs steps that may be left out, and keeps what was, why, and whether by "error", "interrupted" or "size"."""

    def __init__(self, folder: Path, kept: str = "the map") -> None:
        self.folder = folder  # where the run is being written; its temporary name means nothing to a reader
        self.kept = kept  # what the messages say is not lost
        self.left_out: list[dict[str, str]] = []

    def do(self, what: str, work: Callable[[], T]) -> T | None:
        """What `work` returns; None where an error or Ctrl-C ended it, which is recorded under the name `what`."""
        try:
            return work()
        except KeyboardInterrupt:
            _log.warning("interrupted: %s left out; %s is kept", what, self.kept)
            self.leave_out(what, "interrupted by Ctrl-C", "interrupted")
        except Exception as error:
            self.failed(what, error)
        return None

    def failed(self, what: str, error: Exception) -> None:
        """Record that something could not be done; the log gets the traceback of an error that nobody foresaw."""
        foreseen = isinstance(error, (SomscopeError, MemoryError, OSError))
        why = _told(error).replace(f"{self.folder}{os.sep}", "")
        _log.warning("%s left out: %s; %s is kept", what, why, self.kept, exc_info=not foreseen)
        self.leave_out(what, why, "error")

    def leave_out(self, what: str, why: str, cause: str = "size") -> None:
        """Record that the run lacks something."""
        self.left_out.append({"what": what, "why": why, "cause": cause})


def _told(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"not enough memory{f' ({error})' if str(error) else ''}"
    return str(error) if isinstance(error, SomscopeError) else f"{type(error).__name__}: {error}"
