"""Where the commands write: results on standard output, messages and errors on standard error."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

__all__ = ["ERR", "OUT", "say_error", "say_note"]

OUT = Console(highlight=False, emoji=False)
ERR = Console(stderr=True, highlight=False, emoji=False)


def say_error(message: str) -> None:
    """One red message; long paths are not broken into lines, so that they can be copied."""
    ERR.print(Text(f"error: {message}", style="red"), soft_wrap=True)


def say_note(message: str) -> None:
    """One yellow message about something that the user should know and that is no error."""
    ERR.print(Text(message, style="yellow"), soft_wrap=True)
