"""From a collection to a run folder: the flow behind `somscope map`."""

from __future__ import annotations

import inspect
import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from somscope import figures
from somscope.atomic import no_interrupt, whole_file
from somscope.data.collection import Collection
from somscope.errors import InputError, check_choice, closest
from somscope.report import write_report
from somscope.runs import (
    FeatureBlocks,
    MapDistance,
    Run,
    Steps,
    assignments_table,
    best_units,
    config_record,
    density,
    feature_matrix,
    history_table,
    is_large,
    items_table,
    mappable,
    measure_run,
    new_run,
    units_table,
    vocabulary_table,
    write_record,
)
from somscope.runs.jsonfile import write_object
from somscope.runs.measuring import MOST_UNITS
from somscope.runs.run import MODELS, model_class
from somscope.threads import n_threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from somscope.maps.som import SOM

__all__ = ["SCALES", "map_collection", "map_figures"]

SCALES = ("auto", "none", "standard")
_log = logging.getLogger(__name__)


def map_collection(
    collection: Collection,
    path: str | Path,
    model_name: str = "som",
    parameters: Mapping[str, Any] | None = None,
    *,
    scale: str = "auto",
    overwrite: bool = False,
    command: Sequence[str] = (),
) -> Run:
    """Train a map on a collection and write everything about it to the run folder `path`.

    parameters: of the model, for example {"grid": (10, 10)}.
    scale: "standard" measures each feature in its standard deviations (by feature weights 1 / variance, so that
        prototypes stay in the units of the data), "none" as it is; "auto" scales tables with named columns.
    overwrite: replace the run that is there. command: the command line, to be recorded.

    Features of more than 1 GiB are read in blocks for every pass, by the batch algorithm on the CPU.

    Ctrl-C during the training keeps the map learned so far; `run.config["stop_reason"]` is then "interrupted". What
    comes after the training (measures, figures, report) cannot lose it: a step that fails or is interrupted is left
    out, and `run.config["left_out"]` says what and why.
    Raises RunError if the folder cannot be written, InputError for wrong parameters.
    """
    check_choice("model", model_name, MODELS)
    check_choice("scale", scale, SCALES)
    collection = mappable(collection)
    with new_run(path, overwrite) as folder:
        scaled = _is_scaled(collection, scale)
        weights = _standard_weights(collection) if scaled else None
        settings = {"random_state": 0, **_with_weights(parameters or {}, weights)}  # a run can be repeated
        made = model_class(model_name)
        _check_names(model_name, made, settings)
        model = made(**settings)
        started = time.perf_counter()
        _fit(model, collection)
        seconds = time.perf_counter() - started
        if model.stop_reason_ == "interrupted":
            _log.warning("interrupted after pass %d: writing the map learned so far", model.n_iter_)
        with no_interrupt():
            model.save(folder)
        chosen = dict(model.chosen_)
        if scaled:
            chosen["scale"] = "each column in its standard deviations"
        steps = Steps(folder)

        def record() -> dict[str, Any]:
            return config_record(
                collection,
                model_name,
                model.get_params(deep=False),
                model.lattice_,
                chosen=chosen,
                stop_reason=model.stop_reason_,
                passes=model.n_iter_,
                seed=settings.get("random_state"),
                seconds=seconds,
                device=str(model.device_),
                threads=n_threads(),
                command=command,
                left_out=steps.left_out,
            )

        distance = MapDistance(
            settings.get("metric", "euclidean"), _as_weights(settings), collection.kind, scaled
        )
        _finish(folder, model, collection, distance, steps, record)
    return Run.open(path)


def _fit(model: SOM, collection: Collection) -> None:
    """Train on all features at once, or in blocks where they are large and the algorithm and the device allow it."""
    if is_large(collection) and model.algorithm == "batch" and model.device != "cuda":
        model.fit_blocks(FeatureBlocks(collection))
    else:
        model.fit(feature_matrix(collection))


def _finish(
    folder: Path,
    model: SOM,
    collection: Collection,
    distance: MapDistance,
    steps: Steps,
    record: Callable[[], dict[str, Any]],
) -> None:
    """Place, measure, draw and report; whatever of it cannot be done is left out and recorded."""
    metrics: dict[str, float] = {}
    dense: NDArray[np.int64] | None = None
    placed = steps.do("assignments", lambda: best_units(model, collection))
    if placed is not None:
        units, distances = placed
        measured = steps.do(
            "measures",
            lambda: measure_run(distance, collection, model.lattice_, model.prototypes_, units, distances),
        )
        metrics, skipped = measured or ({}, [])
        for what, why in skipped:
            steps.leave_out(what, why)
        # Most texts have few words in common: nearly all lie within the Pareto radius of every prototype.
        if model.lattice_.n_units <= MOST_UNITS and collection.kind != "text":
            dense = steps.do(
                "P-matrix", lambda: density(distance, collection, model.lattice_, model.prototypes_)
            )
    items = steps.do("thumbnails", lambda: items_table(collection))
    with no_interrupt():
        write_record(
            folder,
            record(),
            metrics,
            assignments=None if placed is None else assignments_table(collection, units, distances),
            items=items_table(collection, shown=False) if items is None else items,
            history=history_table(model.history_),
            units=None if placed is None else units_table(units, model.u_matrix_, dense),
            vocabulary=vocabulary_table(collection),
        )
    if placed is None:
        steps.leave_out("figures and report", "they need the assignments", "error")
    else:
        figures_of = map_figures(model, collection, units, distances, distance, dense)
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
            with whole_file(folder / f"{name}.png") as partial:
                figures.save_figure(draw(), partial)
        except Exception as error:
            steps.failed(f"figure {name}", error)


def _is_scaled(collection: Collection, scale: str) -> bool:
    if scale == "auto":
        return collection.kind == "vectors" and bool(collection.feature_names)
    return scale == "standard"


def _standard_weights(collection: Collection) -> NDArray[np.float64]:
    """(d,) 1 / variance of each feature over its known values; 1 for a feature that is constant or never known."""
    if issparse(collection.features):
        raise InputError("scale='standard' needs dense features: sparse ones stay as they are")
    count, total, squared = (np.zeros(collection.n_features) for _ in range(3))
    for block in FeatureBlocks(collection):
        known = np.isfinite(block)
        count += known.sum(axis=0)
        total += np.where(known, block, 0).sum(axis=0, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    for block in FeatureBlocks(collection):  # a second reading: the squares of far-off values would cancel
        squared += np.where(np.isfinite(block), (block - mean) ** 2, 0).sum(axis=0, dtype=np.float64)
    variance = squared / np.maximum(count, 1)
    # Rounding leaves a constant column with a variance of about (eps * mean)^2, which must not be blown up.
    flat = variance <= (10 * np.finfo(block.dtype).eps * np.abs(mean)) ** 2
    return np.where(flat, 1.0, 1.0 / np.where(flat, 1.0, variance))


def _with_weights(parameters: Mapping[str, Any], weights: NDArray[np.float64] | None) -> dict[str, Any]:
    if weights is None:
        return dict(parameters)
    if parameters.get("feature_weights") is not None:
        raise InputError("feature_weights and scale='standard' exclude each other: give scale='none'")
    if parameters.get("metric") == "manhattan":  # its weights multiply differences, not their squares
        weights = np.sqrt(weights)
    return {**parameters, "feature_weights": weights}


def _as_weights(settings: Mapping[str, Any]) -> NDArray[np.float64] | None:
    given = settings.get("feature_weights")
    return None if given is None else np.asarray(given, dtype=np.float64)


def _check_names(model_name: str, made: type[SOM], settings: Mapping[str, Any]) -> None:
    """Raise InputError for parameters that the model does not have, and for functions, before a long training: a run
    folder cannot hold a function, since reading it must not execute anything."""
    allowed = list(inspect.signature(made).parameters)
    unknown = [name for name in settings if name not in allowed]
    if unknown:
        raise InputError(
            f"{model_name} has no parameter {', '.join(map(repr, unknown))}; allowed: {', '.join(allowed)}"
            f"{closest(unknown[0], allowed)}"
        )
    functions = [name for name, value in settings.items() if callable(value)]
    if functions:
        raise InputError(
            f"{', '.join(functions)} is a function, which a run folder cannot hold: use a named one, or `SOM.fit`"
        )


def map_figures(
    model: SOM,
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
    if collection.image_shape is not None:
        shape = collection.image_shape
        drawn["prototypes"] = lambda: figures.prototype_pictures_figure(
            lattice, model.prototypes_.reshape(-1, *shape)
        )
    elif collection.kind == "vectors":
        drawn["component_planes"] = lambda: figures.component_planes_figure(
            lattice, model.prototypes_, collection.feature_names
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
    if len(model.history_.get("pass", ())) > 0:
        drawn["training"] = lambda: figures.training_curves_figure(model.history_, unit=distance.items)
    return drawn
