"""somscope cluster: from a collection to a run folder with clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.options import model_parameters
from somscope.cli.training import (
    Columns,
    Data,
    Device,
    IdColumn,
    ImageSize,
    Key,
    LabelColumn,
    Labels,
    LatentDim,
    Limit,
    MaxWords,
    Out,
    Overwrite,
    Precision,
    Subfolders,
    TextColumn,
    train_run,
)
from somscope.errors import check_choice
from somscope.models.table import CLUSTERERS

__all__ = ["cluster_command"]

_CLUSTERS = "The clusters"
_DEEP = "The network"


def cluster_command(
    context: typer.Context,
    data: Data,
    clusters: Annotated[
        int, typer.Option("--clusters", "-k", min=2, help="How many clusters.", rich_help_panel=_CLUSTERS)
    ],
    out: Out = None,
    overwrite: Overwrite = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was not finished.")
    ] = False,
    model: Annotated[
        str,
        typer.Option(
            help=f"What is trained: {', '.join(CLUSTERERS)}.", metavar="NAME", rich_help_panel=_CLUSTERS
        ),
    ] = "idec",
    steps: Annotated[
        int | None,
        typer.Option(
            min=1, help="Steps of the clustering at most, of dec and idec.", rich_help_panel=_CLUSTERS
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs of the clustering, of aec, dcn, dkm, vade and wamic.",
            rich_help_panel=_CLUSTERS,
        ),
    ] = None,
    update_interval: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps from one target of all items to the next, of dec and idec.",
            rich_help_panel=_CLUSTERS,
        ),
    ] = None,
    tol: Annotated[
        float | None,
        typer.Option(
            help="Share of items that change clusters below which dec and idec end.",
            rich_help_panel=_CLUSTERS,
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="The same seed gives the same clusters.", rich_help_panel=_CLUSTERS)
    ] = 0,
    latent_dim: LatentDim = None,
    pretrain: Annotated[
        int | None,
        typer.Option(
            min=0, help="Epochs of the autoencoder alone, before the clusters.", rich_help_panel=_DEEP
        ),
    ] = None,
    autoencoder: Annotated[
        Path | None,
        typer.Option(
            help="A run or a saved model with the same network, which is taken as it is.",
            metavar="RUN",
            rich_help_panel=_DEEP,
        ),
    ] = None,
    device: Annotated[
        Device, typer.Option(help="Where it is trained; by default auto.", rich_help_panel=_DEEP)
    ] = None,
    precision: Precision = None,
    columns: Columns = None,
    label_column: LabelColumn = None,
    id_column: IdColumn = None,
    text_column: TextColumn = None,
    image_size: ImageSize = None,
    labels: Labels = None,
    subfolders: Subfolders = None,
    key: Key = None,
    max_words: MaxWords = None,
    limit: Limit = None,
) -> None:
    """Part a collection into clusters with a network, and write a report that shows them.

    Labels, where there are any, are compared with the clusters afterwards; no training sees them. Ctrl-C during the
    training keeps the clusters learned so far; the training can then be gone on with.

    Examples:

    `somscope cluster fashion-mnist -k 10 -o runs/clusters`

    `somscope cluster photos/ --model dec -k 20 --image-size 32`
    """
    check_choice("--model", model, CLUSTERERS)
    parameters = model_parameters(
        model,
        clusters=clusters,
        latent_dim=latent_dim,
        steps=steps,
        epochs=epochs,
        update_interval=update_interval,
        tol=tol,
        pretrain=pretrain,
        autoencoder=None if autoencoder is None else str(autoencoder),
        device=device,
        precision=precision,
    )
    train_run(
        context,
        data,
        out,
        lambda _: (model, parameters),
        seed=seed,
        overwrite=overwrite,
        resume=resume,
        columns=columns,
        limit=limit,
        label_column=label_column,
        id_column=id_column,
        text_column=text_column,
        image_size=image_size,
        labels=labels,
        subfolders=subfolders,
        key=key,
        max_words=max_words,
    )
