"""A deep model on disk: model.json (what it is) and model.safetensors (its weights). Reading them executes no code."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from somscope.checkpoint import jsonable
from somscope.errors import InputError, RunError
from somscope.maps.storage import read_model, write_model

if TYPE_CHECKING:
    from somscope.models.deep_model import DeepModel

__all__ = ["load_deep_model", "module_from", "read_weights", "save_deep_model"]

_PLAIN = (
    "n_iter_",
    "stop_reason_",
    "seconds_",
    "history_",
    "warnings_",
    "chosen_",
    "inertia_",
    "device_",
    "precision_",
    "n_features_in_",
)
_ARRAYS = ("labels_", "hits_")
_MODULE = "module."  # arrays of the network, as PyTorch names them

Model = TypeVar("Model", bound="DeepModel")
Net = TypeVar("Net", bound=torch.nn.Module)
Arrays = Mapping[str, NDArray[Any]]


def save_deep_model(model: DeepModel, folder: Path) -> Path:
    """Write a fitted model; each file appears whole or not at all, and a check sum ties the two together.

    Raises InputError for a parameter that is a function.
    """
    parameters: dict[str, Any] = {}
    for name, value in model.get_params(deep=False).items():
        if callable(value):
            raise InputError(f"{name} is a function, which a file cannot hold; name a decay before saving")
        if isinstance(value, np.random.RandomState) or name == "training":  # of no use to a trained model
            value = None
        parameters[name] = str(value) if isinstance(value, Path) else jsonable(value)
    arrays = {name: np.ascontiguousarray(getattr(model, name)) for name in _ARRAYS}
    for name, tensor in model.module_.state_dict().items():
        arrays[_MODULE + name] = tensor.detach().cpu().contiguous().numpy()
    description = {
        "parameters": parameters,
        **model._described(),
        "image_shape": model.image_shape_,
        "fitted": {name: getattr(model, name) for name in (*_PLAIN, *model._own_fitted)},
        "feature_names": [str(name) for name in getattr(model, "feature_names_in_", [])],
    }
    return write_model(folder, model.model_name, description, arrays)


def load_deep_model(cls: type[Model], folder: Path) -> Model:
    """Read a model; RunError says which file is missing, broken or of another kind."""
    description, arrays = read_model(folder, cls.model_name)
    try:
        return _restored(cls, description, arrays)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        raise RunError(
            f"{folder / 'model.json'} is not a whole description of a {cls.model_name} {cls._noun}: {error!r}"
        ) from None


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The weights of a saved deep model of any kind, by the names that its module has for them.

    Raises RunError for files that are missing or broken.
    """
    try:
        name = json.loads((folder / "model.json").read_text(encoding="utf-8"))["model"]
    except (OSError, ValueError, KeyError, TypeError):
        name = ""  # and `read_model` says what is wrong
    _, arrays = read_model(folder, str(name))
    return {n.removeprefix(_MODULE): torch.from_numpy(a) for n, a in arrays.items() if n.startswith(_MODULE)}


def _restored(cls: type[Model], description: dict[str, Any], arrays: Arrays) -> Model:
    """The model that a description and its arrays make up; ValueError and the like where they make none."""
    model: Model = cls()
    model.set_params(
        **{
            name: tuple(value) if isinstance(value, list) else value
            for name, value in description["parameters"].items()
        }
    )
    model._check_choices()
    for name in (*_PLAIN, *cls._own_fitted):
        setattr(model, name, description["fitted"][name])
    model.history_ = {
        name: [math.nan if value is None else value for value in values]
        for name, values in model.history_.items()
    }
    shape = description["image_shape"]
    sizes = [model.n_features_in_, *(shape or ())]
    if any(type(size) is not int or size < 1 for size in sizes):
        raise ValueError(f"sizes of the model are not whole numbers from 1: {sizes}")
    model._restore(description)
    model.image_shape_ = None
    if shape is not None:
        height, width, channels = shape
        model.image_shape_ = (height, width, channels)
        if height * width * channels != model.n_features_in_:
            raise ValueError(f"images of {shape} do not have {model.n_features_in_} features")
    names = description["feature_names"]
    if names:
        model.feature_names_in_ = np.array(names, dtype=object)
    model.module_ = _module(
        model, {n.removeprefix(_MODULE): a for n, a in arrays.items() if n.startswith(_MODULE)}
    )
    own = {name: array for name, array in arrays.items() if not name.startswith(_MODULE)}
    if set(own) != set(_ARRAYS) or any(array.dtype != np.int64 or array.ndim != 1 for array in own.values()):
        raise ValueError(
            f"the arrays {', '.join(sorted(own))} are not those of a {model._noun}: {', '.join(_ARRAYS)}"
        )
    if len(own["hits_"]) != model._n_units:
        raise ValueError(f"hits_ counts {len(own['hits_'])} {model._parts}, not {model._n_units}")
    for name, array in own.items():
        setattr(model, name, array)
    model._put_on_device()
    model._describe()
    return model


def _module(model: DeepModel, arrays: Arrays) -> Any:
    units = len(arrays["prototypes"])
    if units != model._n_units:
        raise ValueError(f"{units} prototypes for {model._n_units} {model._parts}")
    return module_from(lambda: model._module(None), arrays)


def module_from(make: Callable[[], Net], arrays: Arrays) -> Net:
    """The module that `make` builds, with these weights, ready for use.

    It is built without memory first, so that no description can ask for more than the file holds.
    Raises ValueError for weights that do not fit it, or are not finite.
    """
    with torch.device("meta"):
        sketch = make().state_dict()
    wanted = {name: (tuple(t.shape), str(t.dtype).removeprefix("torch.")) for name, t in sketch.items()}
    found = {name: (array.shape, array.dtype.name) for name, array in arrays.items()}
    if wanted != found:
        different = sorted(
            name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
        )
        raise ValueError(f"weights that do not fit the model: {', '.join(different[:5])}")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds a value that is not finite")
    with torch.random.fork_rng(devices=[]):
        module = make()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})
    return module.requires_grad_(False).eval()
