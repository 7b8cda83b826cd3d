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
        typer.Argument(help="A folder of `somscope map`, `cluster`, `codes` or `audit`.", metavar="RUN"),
    ],
    beside: Annotated[
        Path | None,
        typer.Option(
            "--with", help="A second run over the same items: two maps side by side, linked.", metavar="RUN"
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(
            help="Serve nothing; write a copy that opens from a disk: a folder, or one file that ends in .html.",
        ),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(help="Where the folder of the images is now, if it was moved.", metavar="FOLDER"),
    ] = None,
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
    """Look at a map, an audit or codes in the browser: zoom from prototypes to items, select, search, compare, export.

    It is served to this machine alone, at an address with a secret in it, until Ctrl-C. No network is needed.
    A run that is still being trained shows its losses, and then its map.

    Examples:

    `somscope look runs/photos`

    `somscope look runs/photos --with runs/photos-desom`

    `somscope look audits/facades`

    `somscope look runs/photos --export photos.html`
    """
    if export is not None:
        from somscope.explorer.copy import write_copy
        from somscope.explorer.maps import open_maps

        written = write_copy(open_maps(run, beside, images), export)
        page = written / "index.html" if written.is_dir() else written
        OUT.print(f"open it in a browser: {page}", soft_wrap=True, markup=False, highlight=False)
        return
    from somscope.explorer.look import look

    server = look(run, port, beside, images)
    OUT.print(f"look at it here: {server.url}", soft_wrap=True, markup=False, highlight=False)
    OUT.print("Ctrl-C ends it", style="dim")
    server.run(browser)
