"""Writes the arguments and options of a command into its page, from the command itself, when the manual is built.

The line `<!-- options of: map -->` becomes a table; so the page cannot say what the command does not do.
"""

from __future__ import annotations

import re
from typing import Any, Literal, get_args, get_origin

MARK = re.compile(r"^<!-- options of: ([a-z -]+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for every page."""
    return MARK.sub(lambda match: options_of(match[1].split()), markdown)


def options_of(path: list[str]) -> str:
    """The help text of the command at `path` (such as ["data", "get"]) and a table of what it takes."""
    import typer

    from somscope.cli.main import app

    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    rows = ["| argument or option | meaning | default |", "|---|---|---|"]
    for parameter in command.params:
        rows.append(f"| {_spelling(parameter)} | {_cell(parameter.help or '')} | {_default(parameter)} |")
    text = [line.strip() for line in (command.help or "").splitlines()]
    return "\n".join([*text, "", *rows] if command.params else text)


def _spelling(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    text = " ".join(f"`{name}`" for name in [*parameter.opts, *parameter.secondary_opts])
    annotation = parameter.type_descriptor.annotation
    choices = get_args(annotation) if get_origin(annotation) is Literal else ()
    return f"{text} {_cell(' | '.join(choices))}" if choices else text


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None or parameter.default is False:
        return ""
    return f"`{parameter.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
