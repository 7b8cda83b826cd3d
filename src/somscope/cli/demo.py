"""somscope demo: the whole way with images that come with the package."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.group import command_line

__all__ = ["DEMO_DATA", "demo_command"]

DEMO_DATA = "fashion-mnist:sample"


def demo_command(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run folder to write.")] = Path("runs/demo"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is there.")] = False,
) -> None:
    """Map the 10,000 Fashion-MNIST images that come with somscope; needs no network.

    Example:

    `somscope demo -o runs/demo`
    """
    from somscope.runs import check_target

    check_target(out, overwrite)

    from somscope.cli.summary import end
    from somscope.data import open_collection
    from somscope.mapping import map_collection

    collection = open_collection(DEMO_DATA)
    parameters = {"random_state": 0, "verbose": None}
    run = map_collection(
        collection, out, parameters=parameters, overwrite=overwrite, command=command_line(context)
    )
    end(run)
