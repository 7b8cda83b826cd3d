"""somscope map: from a collection to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from somscope.cli.group import command_line
from somscope.cli.options import check_grid, default_run, parse_columns, parse_radius

__all__ = ["map_command"]

_MAP = "The map"
_DATA = "The data"


def map_command(
    context: typer.Context,
    data: Annotated[
        str,
        typer.Argument(
            help="A folder of images, a file (.csv .npy .npz .parquet .txt .idx.gz), or a named set: see `data list`.",
            metavar="DATA",
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The run folder to write; by default runs/NAME.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run that is there.")] = False,
    grid: Annotated[
        str,
        typer.Option(
            help="ROWSxCOLUMNS units, a number (a chain), or auto: chosen from the data.",
            rich_help_panel=_MAP,
        ),
    ] = "auto",
    lattice: Annotated[
        Literal["rectangular", "hexagonal"], typer.Option(help="How units lie.", rich_help_panel=_MAP)
    ] = "rectangular",
    toroidal: Annotated[
        bool, typer.Option("--toroidal", help="Join opposite edges of the map.", rich_help_panel=_MAP)
    ] = False,
    model: Annotated[Literal["som"], typer.Option(help="What is trained.", rich_help_panel=_MAP)] = "som",
    algorithm: Annotated[
        Literal["batch", "online"], typer.Option(help="How it is trained.", rich_help_panel=_MAP)
    ] = "batch",
    passes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Passes over the data; by default chosen from the data.", rich_help_panel=_MAP
        ),
    ] = None,
    radius: Annotated[
        str,
        typer.Option(
            help="Last neighbourhood radius in lattice steps, START:END for both ends, or auto.",
            rich_help_panel=_MAP,
        ),
    ] = "auto",
    metric: Annotated[
        Literal["euclidean", "cosine", "manhattan"],
        typer.Option(help="Distance between an item and a prototype.", rich_help_panel=_MAP),
    ] = "euclidean",
    scale: Annotated[
        Literal["auto", "none", "standard"],
        typer.Option(
            help="standard: every column counts alike, whatever its unit; auto: that for tables, none otherwise.",
            rich_help_panel=_MAP,
        ),
    ] = "auto",
    clusters: Annotated[
        int | None,
        typer.Option(min=1, help="Also join the units into so many clusters.", rich_help_panel=_MAP),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same map.", rich_help_panel=_MAP)
    ] = 0,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Where it is trained.", rich_help_panel=_MAP)
    ] = "auto",
    columns: Annotated[
        str | None, typer.Option(help="Columns of a table to map, such as a,b,c.", rich_help_panel=_DATA)
    ] = None,
    label_column: Annotated[
        str | None, typer.Option(help="Column of a table that holds the labels.", rich_help_panel=_DATA)
    ] = None,
    id_column: Annotated[
        str | None, typer.Option(help="Column of a table that names the items.", rich_help_panel=_DATA)
    ] = None,
    text_column: Annotated[
        str | None, typer.Option(help="Column of a table that holds texts to map.", rich_help_panel=_DATA)
    ] = None,
    image_size: Annotated[
        str | None,
        typer.Option(help="Resize images to these pixels: 64, or HEIGHTxWIDTH.", rich_help_panel=_DATA),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(help="A file of labels: text with one a line, .npy or IDX.", rich_help_panel=_DATA),
    ] = None,
    subfolders: Annotated[
        Literal["labels", "ignore"] | None,
        typer.Option(
            help="What subfolders of images are: labels (the default), or nothing.", rich_help_panel=_DATA
        ),
    ] = None,
    key: Annotated[
        str | None, typer.Option(help="The array of a .npz file to map.", rich_help_panel=_DATA)
    ] = None,
    max_words: Annotated[
        int | None,
        typer.Option(
            min=1, help="Most frequent words of texts that count; by default 10,000.", rich_help_panel=_DATA
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Map only so many items, drawn with the seed.", rich_help_panel=_DATA),
    ] = None,
) -> None:
    """Lay a collection out on a map, and write a report that shows it.

    Without options the size of the map, the radius and the number of passes are chosen from the data. Ctrl-C during
    the training keeps the map learned so far.

    Examples:

    `somscope map photos/ -o runs/photos`

    `somscope map fashion-mnist --grid 20x20 --lattice hexagonal`

    `somscope map table.csv --columns a,b,c --label-column kind`
    """
    parameters: dict[str, Any] = {
        "grid": check_grid(grid),
        "lattice": lattice,
        "toroidal": toroidal,
        "algorithm": algorithm,
        "n_passes": "auto" if passes is None else passes,
        "radius": parse_radius(radius),
        "metric": metric,
        "n_clusters": clusters,
        "random_state": seed,
        "device": device,
        "verbose": None,
    }
    reading: dict[str, Any] = {
        "columns": parse_columns(columns),
        "label_column": label_column,
        "id_column": id_column,
        "text_column": text_column,
        "image_size": image_size,
        "labels": labels,
        "subfolders": subfolders,
        "key": key,
        "max_words": max_words,
        "limit": limit,
        "seed": seed if limit is not None else None,
    }
    target = default_run(data) if out is None else out

    from somscope.runs import check_target

    check_target(target, overwrite)

    from somscope.cli.summary import end
    from somscope.data import open_collection
    from somscope.mapping import map_collection

    collection = open_collection(
        data, **{name: value for name, value in reading.items() if value is not None}
    )
    run = map_collection(
        collection,
        target,
        model_name=model,
        parameters=parameters,
        scale=scale,
        overwrite=overwrite,
        command=command_line(context),
    )
    end(run)
