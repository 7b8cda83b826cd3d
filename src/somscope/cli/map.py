"""somscope map: from a collection to a run folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from somscope.cli.console import say_note
from somscope.cli.options import check_grid, model_parameters, parse_radius
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
from somscope.models.table import GROWING, MAPS
from somscope.processes import n_processes, process_rank

if TYPE_CHECKING:
    from somscope.data import Collection

__all__ = ["map_command"]

_MAP = "The map"
_SOM = "Model som alone"
_DEEP = "The network"


def map_command(
    context: typer.Context,
    data: Data,
    out: Out = None,
    overwrite: Overwrite = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a training that was not finished.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(
            help=f"What is trained: {', '.join(MAPS | GROWING)}. By default contrastive-som for images, texts "
            "and long vectors, som for tables, and wherever an option of som alone is given.",
            metavar="NAME",
            rich_help_panel=_MAP,
        ),
    ] = None,
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
        Device, typer.Option(help="Where it is trained; by default auto.", rich_help_panel=_MAP)
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
        typer.Option(
            min=1,
            help="Also join the units into so many clusters, of som and contrastive-som.",
            rich_help_panel=_MAP,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            help="Activation below which an item makes a new unit, of the growing maps: nearer to 1, more units.",
            rich_help_panel=_MAP,
        ),
    ] = None,
    max_units: Annotated[
        int | None,
        typer.Option(min=1, help="Most units of a growing map; by default 200.", rich_help_panel=_MAP),
    ] = None,
    latent_dim: LatentDim = None,
    gamma: Annotated[
        float | None,
        typer.Option(help="Weight of the map's loss, of desom and conv-desom.", rich_help_panel=_DEEP),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            help="Steps of training, of sgd-som, ae-som, the desoms, which add a fifth for their finish, and "
            "contrastive-som, whose map and decoder add seven tenths.",
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
    precision: Precision = None,
    watch: Annotated[
        str | None,
        typer.Option(
            help="Labelled items, of which ten of each class are drawn: their purity and NMI are logged at every step.",
            metavar="DATA",
            rich_help_panel=_DEEP,
        ),
    ] = None,
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
    """Lay a collection out on a map, and write a report that shows it.

    Without options the model is chosen from the data: a contrastive map learns what is alike, which takes minutes;
    --model som compares pixels, words or columns, in seconds. Ctrl-C during the training keeps the map learned so far;
    --resume then goes on with it.

    Examples:

    `somscope map photos/ -o runs/photos`

    `somscope map fashion-mnist --model som --grid 20x20 --lattice hexagonal`

    `somscope map table.csv --columns a,b,c --label-column kind`

    `somscope map fashion-mnist --model desom --grid 8x8 -o runs/fashion`
    """
    options: dict[str, Any] = {
        "grid": None if grid is None else check_grid(grid),
        "lattice": lattice,
        "toroidal": toroidal,
        "radius": None if radius is None else parse_radius(radius),
        "algorithm": algorithm,
        "device": device,
        "passes": passes,
        "metric": metric,
        "clusters": clusters,
        "threshold": threshold,
        "max_units": max_units,
        "latent_dim": latent_dim,
        "gamma": gamma,
        "steps": steps,
        "epochs": epochs,
        "pretrain": pretrain,
        "precision": precision,
        "watch": None if watch is None else _watched(watch),
    }
    if model is None and _of_som_alone(options, scale):
        model = "som"
    if model is not None:
        check_choice("--model", model, MAPS | GROWING)
        named = model, model_parameters(model, **options)
    train_run(
        context,
        data,
        out,
        lambda collection: _default(collection, options, seed, resume) if model is None else named,
        seed=seed,
        overwrite=overwrite,
        resume=resume,
        columns=columns,
        limit=limit,
        scale=scale,
        label_column=label_column,
        id_column=id_column,
        text_column=text_column,
        image_size=image_size,
        labels=labels,
        subfolders=subfolders,
        key=key,
        max_words=max_words,
    )


def _of_som_alone(options: Mapping[str, Any], scale: str) -> bool:
    """Whether something was asked for that no other map has."""
    wanted = [options[name] for name in ("passes", "metric", "algorithm")]
    both_ends = None if isinstance(options["radius"], float) else options["radius"]
    return scale != "auto" or any(value is not None for value in (*wanted, both_ends))


def _default(
    collection: Collection, options: Mapping[str, Any], seed: int, resume: bool
) -> tuple[str, dict[str, Any]]:
    """The map that suits the collection, and its parameters; one line says what it is, unless it is the plain map."""
    from somscope.choosing import default_map, likely_duration

    chosen = default_map(collection)
    parameters = {**chosen.parameters, **model_parameters(chosen.model, **options)}
    if process_rank() == 0 and not resume:
        if chosen.why is not None:
            say_note(chosen.why)
        elif chosen.model != "som" and n_processes() == 1:  # others would wait for the one that tries
            say_note(likely_duration(collection, {**parameters, "random_state": seed}))
    return chosen.model, parameters


def _watched(data: str) -> dict[str, Any]:
    """Options of the training with which the agreement of units and labels is in every row of its log."""
    from somscope.data import open_collection
    from somscope.models.agreement_hook import AgreementHook, some_of_each_class

    return {"hook": AgreementHook(some_of_each_class(open_collection(data), 10)), "log_steps": 1}
