"""Ctrl-C between two steps instead of in the middle of one."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupt", "catch_interrupt"]

_log = logging.getLogger(__name__)


class Interrupt:
    """requested: Ctrl-C was pressed; the work is to end after the step that it is in. message: said then."""

    requested = False

    def __init__(self, message: str) -> None:
        self.message = message

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """The handler of SIGINT; the second one raises KeyboardInterrupt at once."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        _log.warning("Ctrl-C: %s; press it again to stop at once", self.message)


@contextmanager
def catch_interrupt(message: str) -> Iterator[Interrupt]:
    """Note SIGINT instead of raising it, where it would raise KeyboardInterrupt; other handlers stay as they are."""
    interrupt = Interrupt(message)
    in_main = threading.current_thread() is threading.main_thread()
    if not in_main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
