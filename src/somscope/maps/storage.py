"""A map on disk: model.json (what it is) and model.safetensors (its arrays). Reading them executes no code."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope import __version__
from somscope.atomic import flush_to_disk, whole_file
from somscope.errors import InputError, RunError
from somscope.maps.lattice import Lattice
from somscope.maps.units import u_matrix

if TYPE_CHECKING:
    from somscope.maps.som import SOM

__all__ = ["load_som", "read_model", "save_som", "split_parameters", "write_model"]

_FORMAT = 1
_LARGEST_JSON = 16 * 2**20  # bytes; a description is a few kilobytes, with the names of 100,000 features 2 MB
_PLAIN = ("device_", "n_iter_", "stop_reason_", "history_", "chosen_", "inertia_", "n_features_in_")
_ARRAYS = ("prototypes_", "hits_", "_held", "labels_", "unit_clusters_")
_PARAMETER = "parameter."  # arrays that are parameters, not results
_OF_THE_TRAINING = ("checkpoints", "resume")
_KINDS = {"prototypes_": "f", "_held": "f"}  # all others hold integers

Arrays = dict[str, NDArray[Any]]


def save_som(som: SOM, folder: Path) -> Path:
    """Write a fitted map. Raises InputError for a parameter that `split_parameters` refuses."""
    asked = {name: value for name, value in som.get_params().items() if name not in _OF_THE_TRAINING}
    parameters, given = split_parameters(asked)
    arrays = {name: np.ascontiguousarray(getattr(som, name)) for name in _ARRAYS if hasattr(som, name)}
    arrays |= {_PARAMETER + name: array for name, array in given.items()}
    lattice = som.lattice_
    description = {
        "parameters": parameters,
        "lattice": lattice.record(),
        "radius": list(som.radius_),
        "fitted": {name: getattr(som, name) for name in _PLAIN if hasattr(som, name)},
        "feature_names": [str(name) for name in getattr(som, "feature_names_in_", [])],
    }
    return write_model(folder, "som", description, arrays)


def split_parameters(parameters: Mapping[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """Parameters as the two files hold them: plain values, and arrays (of whatever NumPy takes for one, such as a
    pandas series). The state of a random generator becomes None: it is of no use to a map that is trained.

    Raises InputError for a function, an array of other things than numbers, and what JSON cannot hold.
    """
    plain: dict[str, Any] = {}
    arrays: Arrays = {}
    for name, value in parameters.items():
        if callable(value):
            raise InputError(
                f"{name} is a function, which a file cannot hold; set it to a named decay before saving"
            )
        if isinstance(value, np.random.RandomState):
            plain[name] = None
        elif hasattr(value, "__array__") and not isinstance(value, np.generic):
            array = np.asarray(value, order="C")
            if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
                raise InputError(
                    f"{name} is an array of {array.dtype}, which a file cannot hold; allowed: numbers of up to 64 bits"
                )
            arrays[name] = array
        else:
            plain[name] = _plain(value)
            try:
                json.dumps(plain[name])
            except (TypeError, ValueError) as error:
                raise InputError(
                    f"{name} cannot be saved ({error}); allowed: plain values, lists of them, arrays of numbers"
                ) from None
    return plain, arrays


def write_model(folder: Path, model: str, description: dict[str, Any], arrays: Arrays) -> Path:
    """Write model.json and model.safetensors: each appears whole or not at all, and a check sum ties the two together.

    A model that is there is replaced, when both files are on the disk: a full disk leaves it as it was.
    model: the name by which `read_model` knows it. NaN and infinity in the description become null.
    """
    from safetensors.numpy import save

    content = save(arrays)
    whole = {"format": _FORMAT, "model": model, "somscope": __version__, **description}
    whole["sha256"] = hashlib.sha256(content).hexdigest()
    text = json.dumps(_plain(whole), indent=1, allow_nan=False)
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / "model.json") as described, whole_file(folder / "model.safetensors") as stored:
        described.write_text(text, encoding="utf-8")
        flush_to_disk(described)
        stored.write_bytes(content)
    return folder


def load_som(folder: Path) -> SOM:
    """Read a map; RunError says which file is missing, broken or of another kind."""
    description, arrays = read_model(folder, "som")
    try:
        return _restored(description, arrays)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{folder / 'model.json'} is not a whole description of a map: {error!r}") from None


def read_model(folder: Path, model: str) -> tuple[dict[str, Any], Arrays]:
    """Read what `write_model` wrote under that name; RunError where files are missing, broken or of another kind."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    described = folder / "model.json"
    try:
        if described.stat().st_size > _LARGEST_JSON:
            raise RunError(f"{described} is larger than {_LARGEST_JSON} bytes: not a map's description")
        description = json.loads(described.read_text(encoding="utf-8"))
        content = (folder / "model.safetensors").read_bytes()
        arrays = load(content)
    except FileNotFoundError as error:
        raise RunError(f"{error.filename} is missing: {folder} holds no saved map") from None
    except (OSError, ValueError, KeyError, RecursionError, SafetensorError) as error:
        raise RunError(f"{folder} holds no readable map: {error}") from None
    known = isinstance(description, dict) and description.get("model") == model
    if not known or description.get("format") != _FORMAT:
        found = description.get("model") if isinstance(description, dict) else None
        raise RunError(
            f"{described} does not describe a map of format {_FORMAT} written by somscope as {model!r}"
            + (f", but a model {found!r}" if isinstance(found, str) and found != model else "")
        )
    if description.get("sha256") != hashlib.sha256(content).hexdigest():
        raise RunError(
            f"{folder}: model.json and model.safetensors were not written together, or one was edited"
        )
    return description, arrays


def _restored(description: dict[str, Any], arrays: Arrays) -> SOM:
    """The map that a description and its arrays make up; ValueError and the like where they make none."""
    from somscope.maps.som import SOM

    parameters = {
        name: tuple(value) if isinstance(value, list) and name != "feature_weights" else value
        for name, value in description["parameters"].items()
    }
    given = {n.removeprefix(_PARAMETER): a for n, a in arrays.items() if n.startswith(_PARAMETER)}
    som: SOM = SOM().set_params(**parameters, **given)
    som._check_choices()
    placed = description["lattice"]
    if type(placed["rows"]) is not int or type(placed["columns"]) is not int:
        raise ValueError("the lattice's rows and columns are not whole numbers")
    som.lattice_ = Lattice(**placed)
    first, last = description["radius"]
    som.radius_ = (float(first), float(last))
    for name in _PLAIN:
        if name in description["fitted"]:
            setattr(som, name, description["fitted"][name])
    som.history_ = {n: [math.nan if v is None else v for v in values] for n, values in som.history_.items()}
    names = description["feature_names"]
    if names:
        som.feature_names_in_ = np.array(names, dtype=object)
    _check_arrays(arrays, som.lattice_.n_units, som.n_features_in_)
    for name in _ARRAYS:
        if name in arrays:
            setattr(som, name, arrays[name])
    if som.n_clusters is not None and set(np.unique(som.unit_clusters_)) != set(range(som.n_clusters)):
        raise ValueError(f"unit_clusters_ are not {som.n_clusters} clusters of units")
    som.u_matrix_ = u_matrix(som.prototypes_, som.lattice_, som._feature_weights(), som.metric)
    return som


def _check_arrays(arrays: Arrays, n_units: int, n_features: int) -> None:
    shapes = {
        "prototypes_": (n_units, n_features),
        "hits_": (n_units,),
        "_held": (n_units,),
        "unit_clusters_": (n_units,),
    }
    for name in ("prototypes_", "hits_", "_held"):
        if name not in arrays:
            raise ValueError(f"the array {name} is missing")
    for name, array in arrays.items():
        if name.startswith(_PARAMETER):
            continue
        if name not in _ARRAYS or array.dtype.kind != _KINDS.get(name, "i"):
            raise ValueError(f"an array {name} of {array.dtype} has no place in a map")
        if array.shape != shapes.get(name, (array.size,)):
            raise ValueError(f"{name} has shape {array.shape}; the map needs {shapes[name]}")
    if not np.isfinite(arrays["prototypes_"]).all():
        raise ValueError("a prototype is not finite")


def _plain(value: Any) -> Any:
    """What JSON can hold of a description: arrays as lists, NaN and infinity as null."""
    if hasattr(value, "__array__"):
        value = np.asarray(value).tolist()
    if isinstance(value, dict):
        return {str(name): _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
