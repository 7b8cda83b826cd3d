"""somscope map: from a collection to a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from somscope.cli.group import command_line
from somscope.cli.options import check_grid, default_run, model_parameters, parse_columns, parse_radius
from somscope.models.table import GROWING, MAPS
from somscope.processes import process_rank

__all__ = ["map_command"]

_MAP = "The map"
_SOM = "Model som alone"
_DEEP = "Deep maps"
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
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training of a deep map that was not finished.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            help=f"What is trained: {', '.join(MAPS | GROWING)}.", metavar="NAME", rich_help_panel=_MAP
        ),
    ] = "som",
    grid: Annotated[
        str | None,
        typer.Option(
            help="ROWSxCOLUMNS units, a number (a chain), or auto: chosen from the data. By default auto, of deep maps "
            "8x8.",
            rich_help_panel=_MAP,
        ),
    ] = None,
    lattice: Annotated[
        Literal["rectangular", "hexagonal"] | None,
        typer.Option(help="How units lie; by default rectangular.", rich_help_panel=_MAP),
    ] = None,
    toroidal: Annotated[
        bool | None,
        typer.Option(
            "--toroidal/--no-toroidal",
            help="Join opposite edges of the map, as dpsom does by default.",
            rich_help_panel=_MAP,
        ),
    ] = None,
    radius: Annotated[
        str | None,
        typer.Option(
            help="Last neighbourhood radius in lattice steps; of som also START:END for both ends, or auto.",
            rich_help_panel=_MAP,
        ),
    ] = None,
    algorithm: Annotated[
        Literal["batch", "online", "sgd"] | None,
        typer.Option(
            help="How the map is trained: of som batch (the default) or online, of ae-som sgd (the default) or batch.",
            rich_help_panel=_MAP,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same map.", rich_help_panel=_MAP)
    ] = 0,
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None,
        typer.Option(help="Where it is trained; by default auto.", rich_help_panel=_MAP),
    ] = None,
    passes: Annotated[
        int | None,
        typer.Option(
            min=1, help="Passes over the data; by default chosen from the data.", rich_help_panel=_SOM
        ),
    ] = None,
    metric: Annotated[
        Literal["euclidean", "cosine", "manhattan"] | None,
        typer.Option(
            help="Distance between an item and a prototype; by default euclidean.", rich_help_panel=_SOM
        ),
    ] = None,
    scale: Annotated[
        Literal["auto", "none", "standard"],
        typer.Option(
            help="standard: every column counts alike, whatever its unit; auto: that for tables, none otherwise.",
            rich_help_panel=_SOM,
        ),
    ] = "auto",
    clusters: Annotated[
        int | None,
        typer.Option(min=1, help="Also join the units into so many clusters.", rich_help_panel=_SOM),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Activation below which an item makes a new unit, of the growing maps: nearer to 1, more units.",
            rich_help_panel=_MAP,
        ),
    ] = None,
    latent_dim: Annotated[
        int | None, typer.Option(help="Numbers in the code of an item.", rich_help_panel=_DEEP)
    ] = None,
    gamma: Annotated[
        float | None,
        typer.Option(help="Weight of the map's loss, of desom and conv-desom.", rich_help_panel=_DEEP),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Steps of training, of sgd-som, ae-som and the desoms, which add a fifth for their finish.",
            rich_help_panel=_DEEP,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Epochs of training, of som-vae, dpsom and the growing maps.", rich_help_panel=_DEEP
        ),
    ] = None,
    pretrain: Annotated[
        int | None,
        typer.Option(help="Epochs of the autoencoder alone, before the map.", rich_help_panel=_DEEP),
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16"] | None,
        typer.Option(
            help="Of the network's products; bf16 is made for processors and GPUs that have it.",
            rich_help_panel=_DEEP,
        ),
    ] = None,
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
    the training keeps the map learned so far; the training of a deep map can then be gone on with.

    Examples:

    `somscope map photos/ -o runs/photos`

    `somscope map fashion-mnist --grid 20x20 --lattice hexagonal`

    `somscope map table.csv --columns a,b,c --label-column kind`

    `somscope map fashion-mnist --model desom --grid 8x8 -o runs/fashion`
    """
    parameters = model_parameters(
        model,
        grid=None if grid is None else check_grid(grid),
        lattice=lattice,
        toroidal=toroidal,
        radius=None if radius is None else parse_radius(radius),
        algorithm=algorithm,
        device=device,
        passes=passes,
        metric=metric,
        clusters=clusters,
        threshold=threshold,
        latent_dim=latent_dim,
        gamma=gamma,
        steps=steps,
        epochs=epochs,
        pretrain=pretrain,
        precision=precision,
    )
    parameters |= {"random_state": seed, "verbose": None}
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

    from somscope.runs import check_checkpoints, check_target, may_replace

    check_target(target, may_replace(target, overwrite, resume))
    check_checkpoints(target, overwrite, resume)

    from somscope.cli.summary import end, interrupted
    from somscope.data import open_collection
    from somscope.mapping import map_collection

    collection = open_collection(
        data, **{name: value for name, value in reading.items() if value is not None}
    )
    try:
        run = map_collection(
            collection,
            target,
            model_name=model,
            parameters=parameters,
            scale=scale,
            overwrite=overwrite,
            resume=resume,
            command=command_line(context),
        )
    except KeyboardInterrupt:
        interrupted(target, command_line(context))
        raise
    if process_rank() == 0:
        end(run)
