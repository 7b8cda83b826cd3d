"""From a collection to a run folder: the flow behind `somscope map`."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope import figures
from somscope.data.collection import Collection
from somscope.errors import InputError, check_choice
from somscope.measures import measure_map
from somscope.report import write_report
from somscope.runs import (
    Run,
    assignments_table,
    config_record,
    feature_matrix,
    history_table,
    items_table,
    new_run,
    vocabulary_table,
    write_record,
)
from somscope.runs.run import MODELS, model_class

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

    Ctrl-C during the training keeps the map learned so far; `run.config["stop_reason"]` is then "interrupted".
    Raises RunError if the folder cannot be written, InputError for wrong parameters.
    """
    check_choice("model", model_name, MODELS)
    check_choice("scale", scale, SCALES)
    with new_run(path, overwrite) as folder:
        features = feature_matrix(collection)
        weights = _standard_weights(features) if _is_scaled(collection, scale) else None
        settings = {"random_state": 0, **_with_weights(parameters or {}, weights)}  # a run can be repeated
        model = model_class(model_name)(**settings)
        started = time.perf_counter()
        model.fit(features)
        seconds = time.perf_counter() - started
        if model.stop_reason_ == "interrupted":
            _log.warning("interrupted after pass %d: writing the map learned so far", model.n_iter_)
        units, distances = model.best_units(features, k=min(2, model.lattice_.n_units))
        model.save(folder)
        chosen = dict(model.chosen_)
        if weights is not None:
            chosen["scale"] = "each column in its standard deviations"
        config = config_record(
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
            threads=_threads(),
            command=command,
        )
        write_record(
            folder,
            config,
            _measure(model, collection, features, weights, units, distances),
            assignments=assignments_table(collection, units, distances),
            items=items_table(collection),
            history=history_table(model.history_),
            vocabulary=vocabulary_table(collection),
        )
        (folder / "figures").mkdir()
        for name, figure in map_figures(model, collection, units, distances):
            figures.save_figure(figure, folder / "figures" / f"{name}.png")
        write_report(Run.open(folder), folder / "report.html")
    return Run.open(path)


def _is_scaled(collection: Collection, scale: str) -> bool:
    if scale == "auto":
        return collection.kind == "vectors" and bool(collection.feature_names)
    return scale == "standard"


def _standard_weights(features: Any) -> NDArray[np.float64]:
    """(d,) 1 / variance of each feature over its known values; 1 for a feature that is constant or never known."""
    if not isinstance(features, np.ndarray):
        raise InputError("scale='standard' needs dense features: sparse ones stay as they are")
    known = np.isfinite(features)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, features, 0).sum(axis=0, dtype=np.float64) / count
    variance = np.where(known, (features - mean) ** 2, 0).sum(axis=0, dtype=np.float64) / count
    # Rounding leaves a constant column with a variance of about (eps * mean)^2, which must not be blown up.
    flat = variance <= (10 * np.finfo(features.dtype).eps * np.abs(mean)) ** 2
    return np.where(flat, 1.0, 1.0 / np.where(flat, 1.0, variance))


def _with_weights(parameters: Mapping[str, Any], weights: NDArray[np.float64] | None) -> dict[str, Any]:
    if weights is None:
        return dict(parameters)
    if parameters.get("feature_weights") is not None:
        raise InputError("feature_weights and scale='standard' exclude each other: give scale='none'")
    if parameters.get("metric") == "manhattan":  # its weights multiply differences, not their squares
        weights = np.sqrt(weights)
    return {**parameters, "feature_weights": weights}


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _measure(
    model: SOM,
    collection: Collection,
    features: Any,
    weights: NDArray[np.float64] | None,
    units: NDArray[Any],
    distances: NDArray[Any],
) -> dict[str, float]:
    """The measures of the map, in the space in which it was trained: each feature in its standard deviations if scaled.

    The quantization error is always the mean of the map's own distance, which may be cosine or Manhattan; the others
    are Euclidean by definition.
    """
    scale = 1.0 if weights is None else np.sqrt(weights)
    metrics = measure_map(
        features if weights is None else features * scale,
        model.prototypes_ * scale,
        model.lattice_,
        units[:, 0],
        units[:, 1] if units.shape[1] > 1 else None,
        labels=collection.labels,
    )
    return {**metrics, "quantization_error": float(np.mean(distances[:, 0], dtype=np.float64))}


def map_figures(
    model: SOM, collection: Collection, units: NDArray[Any], distances: NDArray[Any]
) -> Iterator[tuple[str, Figure]]:
    """Each figure of a map with the name of its file, one at a time.

    units, distances: (n, 2) best and second units and their distances ((n, 1) on a map of one unit).
    """
    lattice = model.lattice_
    yield "u_matrix", figures.u_matrix_figure(lattice, model.u_matrix_)
    yield "hits", figures.hits_figure(lattice, np.bincount(units[:, 0], minlength=lattice.n_units))
    if collection.image_shape is not None:
        pictures = model.prototypes_.reshape(-1, *collection.image_shape)
        yield "prototypes", figures.prototype_pictures_figure(lattice, pictures)
    elif collection.kind == "vectors":
        yield (
            "component_planes",
            figures.component_planes_figure(lattice, model.prototypes_, collection.feature_names),
        )
    if collection.labels is not None and (collection.labels >= 0).any():
        names = collection.label_names
        counts = figures.count_classes(lattice, units[:, 0], collection.labels, len(names))
        yield "class_map", figures.class_map_figure(lattice, counts, names)
        yield "label_pies", figures.label_pies_figure(lattice, counts, names)
    if getattr(model, "unit_clusters_", None) is not None:
        yield "clusters", figures.unit_clusters_figure(lattice, model.unit_clusters_)
    if units.shape[1] > 1:
        yield "errors", figures.error_layers_figure(lattice, units[:, 0], units[:, 1], distances[:, 0])
    if len(model.history_.get("pass", ())) > 0:
        yield "training", figures.training_curves_figure(model.history_)
