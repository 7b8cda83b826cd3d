"""`somscope data`: which named data sets there are, and how to get one."""

from __future__ import annotations

import typer

from somscope.cli.console import OUT

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="List the named data sets, and fetch one.")


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
