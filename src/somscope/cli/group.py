"""How every command ends: deliberate errors as one message, Ctrl-C as 130, anything else as a traceback."""

from __future__ import annotations

import os
import re
from typing import Any

import typer
from typer.core import TyperGroup

from somscope.atomic import no_interrupt
from somscope.cli.console import say_error, say_note
from somscope.errors import SomscopeError
from somscope.processes import n_processes, process_rank

__all__ = ["EXIT_ERROR", "EXIT_INCOMPLETE", "EXIT_INTERRUPTED", "SomscopeGroup", "command_line"]

EXIT_ERROR = 2  # as for a wrong option
EXIT_INCOMPLETE = 1  # the trained map is there, but a part of its run is not
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells expect
_ARGV = "somscope.argv"
# Parameters of a model that are set by options of another name.
_SET_BY = {
    "n_clusters": "--clusters",
    "n_passes": "--passes",
    "n_steps": "--steps",
    "n_epochs": "--epochs",
    "n_decay_epochs": "--decay",
    "n_layers": "--layers",
    "pool_size": "--pool",
    "domain_names": "--names",
    "pretrain_epochs": "--pretrain",
    "final_radius": "--radius",
    "random_state": "--seed",
}


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
            if process_rank() == 0:
                say_error(as_typed(str(error), self._typed_command(ctx)))
            raise typer.Exit(EXIT_ERROR) from error
        except KeyboardInterrupt as error:
            if process_rank() == 0:
                with no_interrupt():  # pressed twice
                    say_note("interrupted: nothing was written; run the same command again to start anew")
            raise typer.Exit(EXIT_INTERRUPTED) from error

    def _typed_command(self, ctx: Any) -> Any:
        """`map`, or `train` of `translate train`."""
        command: Any = self
        for word in ctx.meta[_ARGV][1:]:
            command = getattr(command, "commands", {}).get(word, command)
        return command


def as_typed(message: str, command: Any) -> str:
    """A message in which parameters are called as the options of the command line that set them."""
    options = [part for part in getattr(command, "params", ()) if part.param_type_name == "option"]
    own = {word for part in options for word in part.opts}
    typed = {part.name: part.opts[0] for part in options}
    typed |= {name: option for name, option in _SET_BY.items() if option in own}

    def joined(found: re.Match[str]) -> str:  # text_column: no word of English is written so
        return str(typed.get(found[0], found[0]))

    def alone(found: re.Match[str]) -> str:  # key, columns: only where they are named as what to give
        return f"{found[1]} {typed.get(found[2], found[2])}"

    message = re.sub(r"\b[a-z]+(?:_[a-z]+)+\b", joined, message)
    return re.sub(r"\b(by|give) ([a-z]+)\b", alone, message)


def command_line(context: typer.Context) -> list[str]:
    """The arguments as they were typed, "somscope" first, and before it how several processes were started."""
    typed = list(context.meta.get(_ARGV, []))
    if typed and n_processes() > 1:
        return ["torchrun", "--nproc-per-node", os.environ["LOCAL_WORLD_SIZE"], "-m", *typed]
    return typed
