"""How every command ends: deliberate errors as one message, Ctrl-C as 130, anything else as a traceback."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from somscope.cli.console import say_error, say_note
from somscope.errors import SomscopeError

__all__ = ["EXIT_ERROR", "EXIT_INCOMPLETE", "EXIT_INTERRUPTED", "SomscopeGroup", "command_line"]

EXIT_ERROR = 2  # as for a wrong option
EXIT_INCOMPLETE = 1  # the trained map is there, but a part of its run is not
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells expect
_ARGV = "somscope.argv"


class SomscopeGroup(TyperGroup):
    """The group of all commands."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> Any:
        """Keep the arguments as they were typed: a run records them."""
        typed = ["somscope", *args]  # parsing consumes `args`
        context = super().make_context(info_name, args, *rest, **extra)
        context.meta[_ARGV] = typed
        return context

    def invoke(self, ctx: Any) -> Any:
        """Run the command and turn what it raises into a message and an exit code."""
        try:
            return super().invoke(ctx)
        except SomscopeError as error:
            say_error(str(error))
            raise typer.Exit(EXIT_ERROR) from error
        except KeyboardInterrupt as error:
            say_note("interrupted: nothing was written; run the same command again to start anew")
            raise typer.Exit(EXIT_INTERRUPTED) from error


def command_line(context: typer.Context) -> list[str]:
    """The arguments as they were typed, "somscope" first."""
    return list(context.meta.get(_ARGV, []))
