"""somscope look: a run in the browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.console import OUT

__all__ = ["look_command"]


def look_command(
    run: Annotated[
        Path,
        typer.Argument(
            help="A run folder, as `somscope map` and `somscope cluster` write it.", metavar="RUN"
        ),
    ],
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            help="Where it is served; the next free one if it is in use. By default 8765; 0 takes any.",
        ),
    ] = None,
    browser: Annotated[
        bool,
        typer.Option("--browser/--no-browser", help="Open the browser; the address is printed in any case."),
    ] = True,
) -> None:
    """Look at a map in the browser: zoom from prototypes to items, select, search, compare, export.

    It is served to this machine alone, at an address with a secret in it, until Ctrl-C. No network is needed.
    A run that is still being trained shows its losses, and then its map.

    Examples:

    `somscope look runs/photos`

    `somscope look runs/photos --port 9000 --no-browser`
    """
    from somscope.explorer.look import look

    server = look(run, port)
    OUT.print(f"look at it here: {server.url}", soft_wrap=True, markup=False, highlight=False)
    OUT.print("Ctrl-C ends it", style="dim")
    server.run(browser)
