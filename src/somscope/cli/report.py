"""somscope report: write the report of a run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.console import OUT
from somscope.errors import RunError

__all__ = ["report_command"]


def report_command(
    run: Annotated[
        Path,
        typer.Argument(help="A run folder, as `somscope map` or `translate train` writes it.", metavar="RUN"),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The HTML file; by default RUN/report.html.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
) -> None:
    """Write the report of a run: one HTML file that opens offline.

    `somscope map` has written it already; use this after an update of somscope, or to put it elsewhere. Without --out
    the report in the run folder is replaced.

    Example:

    `somscope report runs/photos -o photos.html`
    """
    if out is not None and out.exists() and not overwrite:
        raise RunError(f"{out} exists: choose another file, or give --overwrite to replace it")

    from somscope.report import write_report
    from somscope.runs import Run

    target = run / "report.html" if out is None else out
    if (run / "domains.json").is_file():
        from somscope.translating import write_translator_report

        write_translator_report(run, target)
    else:
        write_report(Run.open(run), target)
    OUT.print(f"report: {target}", soft_wrap=True, markup=False)
