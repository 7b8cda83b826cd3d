"""A growing map on disk: model.json (what it is) and model.safetensors (its state). Reading them executes no code."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from somscope.errors import RunError
from somscope.maps.storage import read_model, split_parameters, write_model
from somscope.maps.unit_interval import UnitInterval

if TYPE_CHECKING:
    from somscope.maps.growing import GrowingMap

__all__ = ["load_growing", "save_growing"]

_PLAIN = ("inertia_", "n_iter_", "stop_reason_", "history_", "chosen_", "warnings_", "n_features_in_")
_ARRAYS = ("labels_", "hits_")
_STATE = "state."  # arrays of the map, as it names them
_INTERVAL = ("least", "width")

Map = TypeVar("Map", bound="GrowingMap")


def save_growing(model: GrowingMap, folder: Path) -> Path:
    """Write a fitted map, each file whole or not at all; a check sum ties the two together."""
    parameters, _ = split_parameters(model.get_params())
    arrays = {name: np.ascontiguousarray(getattr(model, name)) for name in _ARRAYS}
    arrays |= {_STATE + name: np.asarray(array, order="C") for name, array in model._state().items()}
    for name in _INTERVAL:
        if (array := getattr(model.interval_, name)) is not None:
            arrays[name] = array
    description = {
        "parameters": parameters,
        "fitted": {name: getattr(model, name) for name in _PLAIN},
        "feature_names": [str(name) for name in getattr(model, "feature_names_in_", [])],
    }
    return write_model(folder, model.model_name, description, arrays)


def load_growing(cls: type[Map], folder: Path) -> Map:
    """Read a map; RunError says which file is missing, broken or of another kind."""
    description, arrays = read_model(folder, cls.model_name)
    try:
        return _restored(cls, description, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise RunError(
            f"{folder / 'model.json'} is not a whole description of a {cls.model_name} map: {error!r}"
        ) from None


def _restored(cls: type[Map], description: dict[str, Any], arrays: dict[str, Any]) -> Map:
    """The map that a description and its arrays make up; ValueError and the like where they make none."""
    model: Map = cls()
    model.set_params(**description["parameters"])
    model._check_choices()
    for name in _PLAIN:
        setattr(model, name, description["fitted"][name])
    model.history_ = {
        n: [math.nan if v is None else v for v in values] for n, values in model.history_.items()
    }
    if type(model.n_features_in_) is not int or model.n_features_in_ < 1:
        raise ValueError(f"n_features_in_={model.n_features_in_!r}")
    interval = [arrays[name] for name in _INTERVAL if name in arrays]
    if interval and [a.shape for a in interval] != [(model.n_features_in_,)] * 2:
        raise ValueError("least and width do not belong to the features")
    model.interval_ = UnitInterval(*interval)
    if description["feature_names"]:
        model.feature_names_in_ = np.array(description["feature_names"], dtype=object)
    state = {name.removeprefix(_STATE): array for name, array in arrays.items() if name.startswith(_STATE)}
    for name, array in (state | {"interval": np.concatenate(interval)} if interval else state).items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds a value that is not finite")
    model._restore(state)
    model._describe()
    for name in _ARRAYS:
        if arrays[name].dtype != np.int64 or arrays[name].ndim != 1:
            raise ValueError(f"{name} are not units")
        setattr(model, name, arrays[name])
    if len(model.hits_) != model.n_units_:
        raise ValueError(f"hits_ has {len(model.hits_)} units, the map {model.n_units_}")
    return model
