"""From a collection to a run folder: the flow behind `somscope map`."""

from __future__ import annotations

import inspect
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope import figures
from somscope.atomic import no_interrupt, whole_file
from somscope.data.collection import Collection
from somscope.errors import InputError, check_choice, closest
from somscope.maps.defaults import choose_units, parse_grid
from somscope.maps.graph import GraphLattice
from somscope.maps.som import SOM
from somscope.maps.storage import split_parameters
from somscope.models.table import model_class
from somscope.processes import n_processes, process_rank, wait_for_all, was_restarted
from somscope.report import write_report
from somscope.runs import (
    FeatureBlocks,
    MapDistance,
    Run,
    Seen,
    Steps,
    assignments_blocks,
    begin_checkpoints,
    best_units,
    checkpoint_folder,
    collection_record,
    config_record,
    density,
    feature_matrix,
    give_room,
    history_table,
    is_deep,
    is_large,
    items_blocks,
    items_table,
    keep_room,
    mappable,
    may_replace,
    measure_run,
    new_run,
    room_for,
    units_table,
    vocabulary_table,
    write_items,
    write_record,
)
from somscope.runs.checkpoints import has_checkpoints
from somscope.runs.features import shown_prototypes, uncertainties, unit_groups
from somscope.runs.jsonfile import write_object
from somscope.runs.measuring import MOST_UNITS
from somscope.runs.run import unfinished
from somscope.runs.scaling import SCALES, is_scaled, standard_weights, uneven_columns, with_weights
from somscope.threads import n_threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["cluster_figures", "map_collection", "map_figures"]

_ITS_OWN = ("checkpoints", "resume")  # parameters that `map_collection` sets itself
_OF_THE_TRAINING = (*_ITS_OWN, "training")  # those that a trained model and its record have no use for
_COUNTED = ("n_updates_", "n_reseeded_")  # of clusterers
_log = logging.getLogger(__name__)


def map_collection(
    collection: Collection,
    path: str | Path,
    model_name: str = "som",
    parameters: Mapping[str, Any] | None = None,
    *,
    scale: str = "auto",
    overwrite: bool = False,
    resume: bool = False,
    command: Sequence[str] = (),
) -> Run:
    """Train a map on a collection and write everything about it to the run folder `path`.

    model_name: of `models.table.MODELS`. parameters: of the model, for example {"grid": (10, 10)}.
    scale: "standard" measures each feature in its standard deviations (by feature weights 1 / variance, so that
        prototypes stay in the units of the data), "none" as it is; "auto" scales tables with named columns. Deep maps
        take features as they are.
    overwrite: replace the run that is there. command: the command line, to be recorded.
    resume: go on with a training that did not come to its end, from its checkpoints. A deep map has them in the folder
        `path`.checkpoints until its run is whole, and so has a batch SOM that takes longer than five minutes. Where
        torchrun has restarted the processes this is done unasked.

    Features of more than 1 GiB are read in blocks for every pass, by the batch algorithm on the CPU.

    Ctrl-C during the training keeps the map learned so far; `run.config["stop_reason"]` is then "interrupted". What
    comes after the training (measures, figures, report) cannot lose it: a step that fails or is interrupted is left
    out, and `run.config["left_out"]` says what and why. Labels reach measures, figures and report, never the training.
    Room for the map and its small record is taken on the disk before the training.
    Raises RunError if the folder cannot be written or has not that room, InputError for wrong parameters.
    """
    check_choice("scale", scale, SCALES)
    made = model_class(model_name)
    collection = mappable(collection)
    settings = {"random_state": 0, **(parameters or {})}  # a run can be repeated
    settings |= _check_parameters(model_name, made, settings)
    _check_processes(model_name, made)
    resumable = _has_checkpoints(made) and settings.get("algorithm") != "online"
    if resume and not resumable:
        raise InputError(f"{model_name} writes no checkpoints, so that no training of it can be resumed")
    resume = resume or (was_restarted() and resumable)
    scaled = _is_scaled(made, model_name, collection, scale)
    if scaled:
        settings = with_weights(settings, standard_weights(collection))
    if process_rank() > 0:  # trains on its part of the items; the first process does all the rest
        checkpoints = checkpoint_folder(path) if resumable else None
        _fit(_model(made, settings, checkpoints, resume), collection)
        wait_for_all()
        return Run.open(path)
    with new_run(path, may_replace(path, overwrite, resume)) as folder:
        described = collection_record(collection)  # all that reads the whole data comes before the training
        uneven = uneven_columns(collection) if is_deep(made) and is_scaled(collection, scale) else None
        checkpoints = begin_checkpoints(path, overwrite, resume) if resumable else None
        keep_room(folder, room_for(collection, _map_bytes(collection, settings)))
        model, seconds = _trained(
            _model(made, settings, checkpoints, resume), collection, checkpoints, folder
        )
        with no_interrupt():
            give_room(folder)
            model.save(folder)
        asked = model.get_params(deep=False)
        steps = Steps(folder)
        record = partial(
            config_record,
            described,
            model_name,
            {name: value for name, value in asked.items() if name not in _OF_THE_TRAINING},
            model.lattice_,
            chosen=model.chosen_ | ({"scale": "each column in its standard deviations"} if scaled else {}),
            stop_reason=model.stop_reason_,
            **{"steps" if is_deep(model) else "passes": model.n_iter_},
            seed=settings["random_state"],
            seconds=seconds,
            device=str(model.device_),
            precision=getattr(model, "precision_", None),
            threads=n_threads(),
            counts={name.strip("_"): getattr(model, name) for name in _COUNTED if hasattr(model, name)},
            command=command,
            warnings=[*getattr(model, "warnings_", ()), *([] if uneven is None else [uneven])],
            left_out=steps.left_out,
        )
        distance = MapDistance(
            settings.get("metric", "euclidean"),
            _as_weights(settings),
            collection.kind,
            scaled,
            codes="latent_dim" in asked,
            relevant="relevance_rate" in asked,
        )
        _finish(folder, Seen(model, distance, collection), steps, record)
    run = Run.open(path)
    if checkpoints is not None and not unfinished(run.config):
        shutil.rmtree(checkpoints, ignore_errors=True)
    wait_for_all()
    return run


def _map_bytes(collection: Collection, settings: Mapping[str, Any]) -> int:
    """Bytes of the prototypes of a map, and of as many relevances and deviations. The weights of a network, of which
    there are checkpoints, are not counted."""
    units, _ = choose_units(collection.n_items)
    rows, columns = parse_grid(settings.get("grid", "auto")) or (1, 1)
    return 3 * 8 * int(max(units, rows * columns)) * collection.n_features


def _trained(model: Any, collection: Collection, checkpoints: Path | None, folder: Path) -> tuple[Any, float]:
    """The fitted model, and the seconds that its training took, with those before it was resumed."""
    started = time.perf_counter()
    try:
        _fit(model, collection)
    finally:
        if checkpoints is not None:
            _keep_log(checkpoints, folder)
            if not has_checkpoints(checkpoints):  # nothing that a training could go on from
                shutil.rmtree(checkpoints, ignore_errors=True)
    if checkpoints is not None:
        known = model.get_params(deep=False)
        of_this = {"checkpoints": None, "resume": False, "training": None}  # training, not of the model
        model.set_params(**{name: value for name, value in of_this.items() if name in known})
    if not is_deep(model) and model.stop_reason_ == "interrupted":
        _log.warning("interrupted after pass %d: writing the map learned so far", model.n_iter_)
    passes = [] if is_deep(model) else model.history_.get("seconds", [])
    return model, max(time.perf_counter() - started, getattr(model, "seconds_", 0.0), *passes[-1:])


def _has_checkpoints(made: type[Any]) -> bool:
    return "checkpoints" in inspect.signature(made).parameters


def _model(made: type[Any], settings: Mapping[str, Any], checkpoints: Path | None, resume: bool) -> Any:
    """The untrained model."""
    return made(**settings, **({} if checkpoints is None else {"checkpoints": checkpoints, "resume": resume}))


def _fit(model: Any, collection: Collection) -> None:
    """Train on the collection, on all its features at once, or in blocks where they are large and the algorithm and the
    device allow it."""
    if is_deep(model):
        model.fit(collection)
    elif is_large(collection) and getattr(model, "algorithm", None) == "batch" and model.device != "cuda":
        model.fit_blocks(FeatureBlocks(collection))
    else:
        model.fit(feature_matrix(collection))


def _keep_log(checkpoints: Path, folder: Path) -> None:
    """Copy the log of the training into the run; without it the run has history.parquet."""
    with suppress(OSError):
        shutil.copy(checkpoints / "metrics.jsonl", folder / "metrics.jsonl")


def _finish(folder: Path, seen: Seen, steps: Steps, record: Callable[[], dict[str, Any]]) -> None:
    """Place, measure, draw and report; whatever of it cannot be done is left out and recorded."""
    model, collection = seen.model, seen.collection
    metrics: dict[str, float] = {}
    dense: NDArray[np.int64] | None = None
    clusters, groups = hasattr(model, "cluster_centers_"), unit_groups(model)
    placed = steps.do("assignments", lambda: best_units(model, collection))
    undecided = None
    if placed is not None:
        units, distances = placed
        undecided = steps.do("uncertainty", lambda: uncertainties(model, collection))
        measured = steps.do("measures", lambda: measure_run(seen, units, distances))
        metrics, skipped = measured or ({}, [])
        for what, why in skipped:
            steps.leave_out(what, why)
        # Most texts have few words in common: nearly all lie within the Pareto radius of every prototype.
        if (
            not clusters
            and seen.lattice.n_units <= MOST_UNITS
            and (collection.kind != "text" or seen.distance.codes)
        ):
            dense = steps.do("P-matrix", lambda: density(seen))
    with no_interrupt():
        write_record(
            folder,
            record(),
            metrics,
            assignments=None
            if placed is None
            else assignments_blocks(collection, units, distances, uncertainty=undecided, groups=groups),
            items=items_blocks(collection),
            history=history_table(model.history_),
            units=None if placed is None else units_table(units, model.u_matrix_, dense, groups),
            vocabulary=vocabulary_table(collection),
        )
    if collection.kind != "vectors":
        steps.do("thumbnails", lambda: write_items(folder, items_table(collection)))
    if placed is None:
        steps.leave_out("figures and report", "they need the assignments", "error")
    else:
        figures_of = (
            cluster_figures(model, collection, units)
            if clusters
            else map_figures(model, collection, units, distances, seen.distance, dense)
        )
        steps.do("figures", lambda: _draw(folder / "figures", figures_of, steps))
        _record_again(folder, record, steps)  # the report says what was left out
        steps.do("report", lambda: write_report(Run.open(folder), folder / "report.html"))
    _record_again(folder, record, steps)


def _record_again(folder: Path, record: Callable[[], dict[str, Any]], steps: Steps) -> None:
    """Write config.json anew; where the figures have filled the disk, they make room for it."""
    with no_interrupt():
        try:
            write_object(folder / "config.json", record())
        except OSError as error:
            shutil.rmtree(folder / "figures", ignore_errors=True)
            steps.failed("figures", error)
            write_object(folder / "config.json", record())


def _draw(folder: Path, drawings: Mapping[str, Callable[[], Figure]], steps: Steps) -> None:
    """Write each figure; one that cannot be drawn does not keep the others away, and leaves no part of a file."""
    folder.mkdir()
    for name, draw in drawings.items():
        try:
            with whole_file(folder / f"{name}.png") as unfinished_file:
                figures.save_figure(draw(), unfinished_file)
        except Exception as error:
            steps.failed(f"figure {name}", error)


def _is_scaled(made: type[Any], model_name: str, collection: Collection, scale: str) -> bool:
    """Whether features are to be weighed; InputError where that is asked for and the model has no weights."""
    if "feature_weights" in inspect.signature(made).parameters:
        return is_scaled(collection, scale)
    if scale == "standard":
        raise InputError(
            f"scale='standard' does not apply to {model_name}, which takes features as they are; allowed: auto, none"
        )
    return False


def _as_weights(settings: Mapping[str, Any]) -> NDArray[np.float64] | None:
    given = settings.get("feature_weights")
    return None if given is None else np.asarray(given, dtype=np.float64)


def _check_parameters(
    model_name: str, made: type[Any], settings: Mapping[str, Any]
) -> dict[str, NDArray[Any]]:
    """The parameters that are arrays, as NumPy's. Raises InputError, before a long training, for those that the model
    does not have, and those that a run folder cannot hold, such as functions: reading it must not execute anything."""
    allowed = [name for name in inspect.signature(made).parameters if name not in _ITS_OWN]
    unknown = [name for name in settings if name not in allowed]
    if unknown:
        raise InputError(
            f"{model_name} has no parameter {', '.join(map(repr, unknown))}; allowed: {', '.join(allowed)}"
            f"{closest(unknown[0], allowed)}"
        )
    return split_parameters({n: v for n, v in settings.items() if n not in _OF_THE_TRAINING})[1]


def _check_processes(model_name: str, made: type[Any]) -> None:
    if n_processes() > 1 and made is not SOM and not _has_checkpoints(made):
        raise InputError(f"{model_name} is trained by one process: start it without torchrun")


def cluster_figures(
    model: Any, collection: Collection, units: NDArray[Any]
) -> dict[str, Callable[[], Figure]]:
    """The name of each figure of a clustering -> a function that draws it; units: (n, 2) clusters of the items."""
    lattice, first = model.lattice_, units[:, 0]
    labels, names = collection.labels, collection.label_names
    sizes = np.bincount(first, minlength=lattice.n_units)
    counts = None if labels is None else figures.count_classes(lattice, first, labels, len(names))
    drawn: dict[str, Callable[[], Figure]] = {
        "sizes": lambda: figures.cluster_sizes_figure(sizes, counts, names),
        "latent": lambda: figures.latent_figure(model.encode(collection), first, model.cluster_centers_),
    }
    if collection.image_shape is not None:
        shape = collection.image_shape
        drawn["centres"] = lambda: figures.centre_pictures_figure(
            lattice, shown_prototypes(model).reshape(-1, *shape), sizes
        )
    if any(len(column) for column in model.history_.values()):
        drawn["training"] = lambda: figures.training_curves_figure(model.history_)
    return drawn


def _relevance_figures(
    model: Any, collection: Collection, units: NDArray[Any]
) -> dict[str, Callable[[], Figure]]:
    """What the relevances of a map of images mean for what it decodes; units: (n,) of each item."""
    start, weight, shape = model.prototypes_, model.relevances_, collection.image_shape
    assert shape is not None
    drawn: dict[str, Callable[[], Figure]] = {}
    most = figures.taught_units(weight, model.hits_)
    if len(most):
        drawn["perturbation"] = lambda: figures.perturbation_figure(start, weight, model.decode, shape, most)
        drawn["traversal"] = lambda: figures.traversal_figure(start, weight, model.decode, shape, most)
    names = np.array([*(collection.label_names or ()), ""], dtype=object)  # a label of -1 is the last one
    labels = np.full(len(units), -1) if collection.labels is None else collection.labels
    groups = figures.units_of_a_kind(model.hits_, model.connections_, units, names[labels])
    if groups:
        drawn["intersections"] = lambda: figures.intersections_figure(
            groups, model.decoded_prototypes_, shape
        )
    return drawn


def map_figures(
    model: Any,
    collection: Collection,
    units: NDArray[Any],
    distances: NDArray[Any],
    distance: MapDistance | None = None,
    density: NDArray[np.integer] | None = None,
) -> dict[str, Callable[[], Figure]]:
    """The name of each figure of a map -> a function that draws it.

    units, distances: (n, 2) best and second units and their distances ((n, 1) on a map of one unit). distance: of the
    map, for the units in the legends. density: (K,) the P-matrix.
    """
    lattice, first = model.lattice_, units[:, 0]
    distance = MapDistance() if distance is None else distance
    drawn: dict[str, Callable[[], Figure]] = {
        "u_matrix": lambda: figures.u_matrix_figure(lattice, model.u_matrix_, unit=distance.items),
        "hits": lambda: figures.hits_figure(lattice, np.bincount(first, minlength=lattice.n_units)),
    }
    if isinstance(lattice, GraphLattice):
        pictures = collection.image_shape and shown_prototypes(model).reshape(-1, *collection.image_shape)
        drawn["graph"] = lambda: figures.graph_figure(lattice, model.hits_, pictures)
        columns = () if hasattr(model, "encode") else collection.feature_names or ()
        drawn["relevances"] = lambda: figures.relevance_figure(model.relevances_, columns)
        if hasattr(model, "decode") and collection.image_shape is not None:
            drawn |= _relevance_figures(model, collection, first)
    if collection.image_shape is not None:
        shape = collection.image_shape
        drawn["prototypes"] = lambda: figures.prototype_pictures_figure(
            lattice, shown_prototypes(model).reshape(-1, *shape)
        )
    elif collection.kind == "vectors":
        drawn["component_planes"] = lambda: figures.component_planes_figure(
            lattice, shown_prototypes(model), collection.feature_names
        )
    labels, names = collection.labels, collection.label_names
    if labels is not None and (labels >= 0).any():
        counts = figures.count_classes(lattice, first, labels, len(names))
        drawn["class_map"] = lambda: figures.class_map_figure(lattice, counts, names)
        drawn["label_pies"] = lambda: figures.label_pies_figure(lattice, counts, names)
    if getattr(model, "unit_clusters_", None) is not None:
        drawn["clusters"] = lambda: figures.unit_clusters_figure(lattice, model.unit_clusters_)
    if density is not None:
        drawn["p_matrix"] = lambda: figures.p_matrix_figure(lattice, density)
    if units.shape[1] > 1:
        drawn["errors"] = lambda: figures.error_layers_figure(
            lattice, first, units[:, 1], distances[:, 0], unit=distance.items
        )
    if hasattr(model, "transition_matrix_"):
        drawn["transitions"] = lambda: figures.transitions_figure(lattice, model.transition_matrix_)
    if any(len(column) for column in model.history_.values()):
        drawn["training"] = lambda: figures.training_curves_figure(model.history_, unit=distance.items)
    return drawn
