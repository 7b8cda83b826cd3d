"""somscope export: the codes of a run for engines that search beyond one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from somscope.cli.console import OUT

__all__ = ["export_command"]


def export_command(
    run: Annotated[Path, typer.Argument(help="A run folder, as `somscope codes` writes it.", metavar="RUN")],
    out: Annotated[Path, typer.Option("--out", "-o", help="What to write; it must not exist.")],
    to: Annotated[
        Literal["lancedb", "milvus", "pgvector"], typer.Option(help="The engine that is to search.")
    ] = "lancedb",
) -> None:
    """Write the codes of a run for LanceDB, Milvus or PostgreSQL with pgvector.

    Each code has its number in the collection as its id, and the id of its item. The engines compare by Hamming
    distance; new items are encoded by the run's own coder.

    Example:

    `somscope export runs/codes --to pgvector -o codes.sql`
    """
    from somscope.codes.export import export_codes
    from somscope.runs.code_run import CodeRun

    opened = CodeRun.open(run)
    index = opened.index
    names = opened.items()["id"].to_pylist()
    path = export_codes(index, out, to, [names[i] for i in index.ids.tolist()])
    OUT.print(f"{len(index):,} codes of {index.bits} bits for {to}: {path}", soft_wrap=True, markup=False)
