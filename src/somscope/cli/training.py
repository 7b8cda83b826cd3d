"""What the commands that train have in common: where the data come from, where the run goes, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from somscope.cli.group import command_line
from somscope.cli.options import default_run, parse_columns
from somscope.processes import process_rank, was_restarted

if TYPE_CHECKING:
    from somscope.data import Collection

__all__ = [
    "Columns",
    "Data",
    "Device",
    "IdColumn",
    "ImageSize",
    "Key",
    "LabelColumn",
    "Labels",
    "LatentDim",
    "Limit",
    "MaxWords",
    "Out",
    "Overwrite",
    "Precision",
    "Subfolders",
    "TextColumn",
    "train_run",
]

_DATA = "The data"
_DEEP = "The network"

Data = Annotated[
    str,
    typer.Argument(
        help="A folder of images, a file (.csv .npy .npz .parquet .txt .idx.gz), or a named set: see `data list`.",
        metavar="DATA",
    ),
]
Out = Annotated[
    Path | None, typer.Option("--out", "-o", help="The run folder to write; by default runs/NAME.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run that is there.")]
Device = Literal["auto", "cpu", "cuda"] | None
LatentDim = Annotated[int | None, typer.Option(help="Numbers in the code of an item.", rich_help_panel=_DEEP)]
Precision = Annotated[
    Literal["auto", "fp32", "bf16"] | None,
    typer.Option(
        help="Of the network's products; bf16 is made for processors and GPUs that have it.",
        rich_help_panel=_DEEP,
    ),
]
Columns = Annotated[
    str | None, typer.Option(help="Columns of a table to use, such as a,b,c.", rich_help_panel=_DATA)
]
LabelColumn = Annotated[
    str | None, typer.Option(help="Column of a table that holds the labels.", rich_help_panel=_DATA)
]
IdColumn = Annotated[
    str | None, typer.Option(help="Column of a table that names the items.", rich_help_panel=_DATA)
]
TextColumn = Annotated[
    str | None, typer.Option(help="Column of a table that holds the texts.", rich_help_panel=_DATA)
]
ImageSize = Annotated[
    str | None,
    typer.Option(help="Resize images to these pixels: 64, or HEIGHTxWIDTH.", rich_help_panel=_DATA),
]
Labels = Annotated[
    Path | None,
    typer.Option(help="A file of labels: text with one a line, .npy or IDX.", rich_help_panel=_DATA),
]
Subfolders = Annotated[
    Literal["labels", "ignore"] | None,
    typer.Option(
        help="What subfolders of images are: labels (the default), or nothing.", rich_help_panel=_DATA
    ),
]
Key = Annotated[str | None, typer.Option(help="The array of a .npz file to use.", rich_help_panel=_DATA)]
MaxWords = Annotated[
    int | None,
    typer.Option(
        min=1, help="Most frequent words of texts that count; by default 10,000.", rich_help_panel=_DATA
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(min=1, help="Use only so many items, drawn with the seed.", rich_help_panel=_DATA),
]


def train_run(
    context: typer.Context,
    data: str,
    out: Path | None,
    choose: Callable[[Collection], tuple[str, dict[str, Any]]],
    *,
    seed: int,
    overwrite: bool,
    resume: bool,
    columns: str | None,
    limit: int | None,
    scale: str = "auto",
    **reading: Any,
) -> None:
    """Read the data, train a model and write the run; then show its summary, or how to go on after Ctrl-C.

    choose: the collection -> the model and its parameters, without the seed. reading: more options of
    `open_collection`, None for those not given.
    """
    target = default_run(data) if out is None else out

    from somscope.runs import check_checkpoints, check_target, may_replace

    going_on = resume or was_restarted()
    check_target(target, may_replace(target, overwrite, going_on))
    check_checkpoints(target, overwrite, going_on)

    from somscope.cli.summary import end, interrupted
    from somscope.data import open_collection
    from somscope.mapping import map_collection

    options = {**reading, "columns": parse_columns(columns), "limit": limit}
    options["seed"] = seed if limit is not None else None
    collection = open_collection(
        data, **{name: value for name, value in options.items() if value is not None}
    )
    model, parameters = choose(collection)
    try:
        run = map_collection(
            collection,
            target,
            model_name=model,
            parameters=parameters | {"random_state": seed, "verbose": None},
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
