"""somscope assign: where new items lie on a map that was trained before."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from somscope.cli.console import OUT
from somscope.errors import InputError, RunError, check_choice

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["TABLE_SUFFIXES", "assign_command", "write_table"]

TABLE_SUFFIXES = (".parquet", ".csv", ".jsonl")


def assign_command(
    run: Annotated[Path, typer.Argument(help="A run folder, as `somscope map` writes it.", metavar="RUN")],
    data: Annotated[
        str,
        typer.Argument(
            help="The new items: anything that `somscope map` reads and of the same kind.", metavar="DATA"
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", help="The table to write: .parquet, .csv or .jsonl.")
    ] = Path("assignments.parquet"),
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
    id_column: Annotated[str | None, typer.Option(help="Column of a table that names the items.")] = None,
    noise: Annotated[
        bool,
        typer.Option(
            "--noise", help="Of a growing map: unit -1 for items that activate no unit up to its threshold."
        ),
    ] = False,
    ray: Annotated[
        bool,
        typer.Option(
            "--ray",
            help="Assign a pack on Ray Data (extra `ray`): on this machine, or on the cluster that RAY_ADDRESS names. "
            "--out is then a folder of Parquet files.",
        ),
    ] = False,
) -> None:
    """Find where new items lie on the map of a run.

    The table has one row per item: id, unit (BMU), distance to its prototype, second_unit, and percentile: the share
    of the training items, in percent, that lie at most as far from their unit. A percentile of 100 says that the item
    is farther from the map than all of them.

    Example:

    `somscope assign runs/photos more/ -o where.parquet`
    """
    if ray:
        if noise:
            raise InputError("--noise does not go with --ray: leave one of them out")
        if id_column is not None:
            raise InputError("a pack holds the ids of its items: give --id-column to `somscope data pack`")
        from somscope.on_ray import assign_pack

        _say(*assign_pack(run, data, out, overwrite=overwrite), out)
        return
    check_choice("the ending of --out", out.suffix.lower(), TABLE_SUFFIXES)
    from somscope.runs import Run, assign_collection, new_file, open_like

    opened = Run.open(run)
    if out.exists() and not overwrite:
        raise RunError(f"{out} exists: choose another file, or give --overwrite to replace it")
    collection = open_like(opened, data, **({} if id_column is None else {"id_column": id_column}))
    table = assign_collection(opened, collection, noise)
    with new_file(out) as partial:
        write_table(table, partial)
    from somscope.cli.summary import show_skipped

    show_skipped([{"where": item.where, "why": item.why} for item in collection.skipped])
    _say(table.num_rows, sum(share >= 100 for share in table["percentile"].to_pylist()), out)
    if noise:
        OUT.print(f"{table['unit'].to_pylist().count(-1):,} of them are noise to the map: unit -1")


def _say(n_items: int, beyond: int, out: Path) -> None:
    OUT.print(f"{n_items:,} items assigned, {beyond:,} at least as far from the map as its farthest item")
    OUT.print(f"table: {out}", soft_wrap=True, markup=False)


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet, CSV or JSON lines, by the file name's ending."""
    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet as pq

        pq.write_table(table, path, compression="zstd")
    elif path.suffix.lower() == ".csv":
        from pyarrow import csv

        csv.write_csv(table, path)
    else:
        import json

        with path.open("w", encoding="utf-8") as file:
            for row in table.to_pylist():
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
