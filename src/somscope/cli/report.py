"""somscope report: write the report of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.console import OUT

__all__ = ["report_command"]


def report_command(
    run: Annotated[Path, typer.Argument(help="A run folder, as `somscope map` writes it.", metavar="RUN")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The HTML file; by default RUN/report.html.")
    ] = None,
) -> None:
    """Write the report of a run: one HTML file that opens offline.

    `somscope map` has written it already; use this after an update of somscope, or to put it elsewhere.

    Example:

    `somscope report runs/photos -o photos.html`
    """
    from somscope.report import write_report
    from somscope.runs import Run, new_file

    opened = Run.open(run)
    target = run / "report.html" if out is None else out
    with new_file(target) as partial:
        write_report(opened, partial)
    OUT.print(f"report: {target}", soft_wrap=True, markup=False)
