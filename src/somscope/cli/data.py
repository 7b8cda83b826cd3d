"""`somscope data`: which named data sets there are, how to get one, and collections that are larger than memory."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.console import OUT

__all__ = ["app"]

app = typer.Typer(
    no_args_is_help=True,
    help="List the named data sets, fetch one, and pack what is larger than memory.",
)


@app.command("list")
def list_command() -> None:
    """List the named data sets: kind, number of items, and where each was found.

    Example:  somscope data list
    """
    from rich.table import Table

    from somscope.data.named import list_named
    from somscope.data.places import BUNDLED

    table = Table(title="Named data sets")
    table.add_column("name", no_wrap=True)
    table.add_column("kind")
    table.add_column("items", justify="right")
    table.add_column("where", overflow="fold")
    for listed in list_named():
        where = "not here" if listed.where is None else str(listed.where)
        if listed.where is not None and listed.where.is_relative_to(BUNDLED):
            where = "comes with somscope"
        style = "dim" if listed.where is None else None
        table.add_row(listed.name, listed.kind, f"{listed.n_items:,}", where, style=style)
    OUT.print(table)
    OUT.print("A name stands wherever data is asked for:  somscope map fashion-mnist:sample", soft_wrap=True)
    OUT.print("What is not here is downloaded when it is used, or by  somscope data get NAME", soft_wrap=True)


@app.command("get")
def get_command(
    name: str = typer.Argument(help="Name and parts: mnist, mnist:test, mnist:train+test."),
) -> None:
    """Find a named data set, or download it into the cache, and check it.

    Example:  somscope data get mnist:train+test
    """
    from somscope.data.named import NAMED, get_named, places_of

    collection = get_named(name)
    named = NAMED[name.partition(":")[0]]
    shape = " x ".join(str(side) for side in collection.image_shape or (collection.n_features,))
    lines = [f"{name}: {collection.n_items:,} {collection.kind} of {shape}"]
    lines += [f"  {part}: {folder}" for part, folder in places_of(name)]
    if collection.label_names:
        shown = ", ".join(collection.label_names[:10]) + (", ..." if len(collection.label_names) > 10 else "")
        lines.append(f"  {len(collection.label_names)} classes: {shown}")
    lines.append(f"  {named.about} Terms: {named.terms}.")
    notes = {source.get("note") for source in collection.source.get("parts", [collection.source])} - {None}
    lines += [f"  Note: {note}." for note in sorted(notes)]
    lines.append(f"  fingerprint {collection.fingerprint}")
    for line in lines:
        OUT.print(line, soft_wrap=True, markup=False)


@app.command("pack")
def pack_command(
    source: Annotated[
        Path, typer.Argument(help="A folder of images or of Parquet files, tar shards, a table, an array.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The folder to write.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the pack that is there.")] = False,
    columns: Annotated[str | None, typer.Option(help="Columns of tables to use, such as a,b,c.")] = None,
    label_column: Annotated[str | None, typer.Option(help="Column that holds the labels.")] = None,
    id_column: Annotated[str | None, typer.Option(help="Column that names the items.")] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Resize images to these pixels: 64, or HEIGHTxWIDTH.")
    ] = None,
) -> None:
    """Read a collection once, in bounded memory, into a folder from which it is read in blocks ever after.

    Every command takes the folder in place of the source. Nothing is done where it is a pack of the same files.

    Example:  somscope data pack shards/ -o photos.pack; somscope map photos.pack
    """
    from somscope.data import pack

    options = {
        "columns": columns,
        "label_column": label_column,
        "id_column": id_column,
        "image_size": image_size,
    }
    packed = pack(source, out, overwrite=overwrite, **{n: v for n, v in options.items() if v is not None})
    size = sum(file.stat().st_size for file in out.iterdir()) / 2**20
    shape = " x ".join(str(side) for side in packed.image_shape or (packed.n_features,))
    OUT.print(
        f"{out}: {packed.n_items:,} {packed.kind} of {shape}, {size:,.1f} MB", soft_wrap=True, markup=False
    )
    if packed.skipped:
        first = packed.skipped[0]
        OUT.print(
            f"  {len(packed.skipped):,} skipped, the first: {first.where}: {first.why}",
            soft_wrap=True,
            markup=False,
        )
