"""A map on disk: model.json (what it is) and model.safetensors (its arrays). Reading them executes no code."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from somscope import __version__
from somscope.errors import InputError, RunError
from somscope.maps.lattice import Lattice

if TYPE_CHECKING:
    from somscope.maps.som import SOM

__all__ = ["load_som", "save_som"]

_FORMAT = 1
_LARGEST_JSON = 64 * 2**20  # bytes; a description is a few kilobytes
_PLAIN = ("n_iter_", "stop_reason_", "history_", "chosen_", "inertia_", "n_features_in_")
_ARRAYS = ("prototypes_", "labels_", "hits_", "unit_clusters_")


def save_som(som: SOM, folder: Path) -> Path:
    """Write a fitted map; each file appears whole or not at all. Raises InputError for a parameter that is a function."""
    from safetensors.numpy import save

    parameters: dict[str, Any] = {}
    arrays = {name: np.ascontiguousarray(getattr(som, name)) for name in _ARRAYS if hasattr(som, name)}
    for name, value in som.get_params().items():
        if callable(value):
            raise InputError(
                f"{name} is a function, which a file cannot hold; set it to a named decay before saving"
            )
        if isinstance(value, np.random.RandomState | np.random.Generator):
            value = None
        if isinstance(value, np.ndarray):
            arrays[f"parameter.{name}"] = np.ascontiguousarray(value)
            continue
        parameters[name] = value.item() if isinstance(value, np.generic) else value
    lattice = som.lattice_
    description = {
        "format": _FORMAT,
        "model": "som",
        "somscope": __version__,
        "parameters": parameters,
        "lattice": {
            "rows": lattice.rows,
            "columns": lattice.columns,
            "shape": lattice.shape,
            "toroidal": lattice.toroidal,
        },
        "radius": list(som.radius_),
        "fitted": {name: getattr(som, name) for name in _PLAIN if hasattr(som, name)},
    }
    if hasattr(som, "feature_names_in_"):
        description["feature_names"] = [str(name) for name in som.feature_names_in_]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "model.safetensors", save(arrays))
    _write(folder / "model.json", json.dumps(description, indent=1, default=_plain).encode())
    return folder


def load_som(folder: Path) -> SOM:
    """Read a map; RunError says which file is missing, broken or of another kind."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    from somscope.maps.som import SOM

    described = folder / "model.json"
    try:
        if described.stat().st_size > _LARGEST_JSON:
            raise RunError(f"{described} is larger than {_LARGEST_JSON} bytes: not a map's description")
        description = json.loads(described.read_text(encoding="utf-8"))
        arrays = load((folder / "model.safetensors").read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"{error.filename} is missing: {folder} holds no saved map") from None
    except (OSError, ValueError, SafetensorError) as error:
        raise RunError(f"{folder} holds no readable map: {error}") from None
    if (
        not isinstance(description, dict)
        or description.get("model") != "som"
        or description.get("format") != _FORMAT
    ):
        raise RunError(f"{described} does not describe a map of format {_FORMAT} written by somscope")
    try:
        given = {**description["parameters"]}
        given.update(
            {
                name.removeprefix("parameter."): a
                for name, a in arrays.items()
                if name.startswith("parameter.")
            }
        )
        som = SOM(
            **{
                name: tuple(v) if isinstance(v, list) and name != "feature_weights" else v
                for name, v in given.items()
            }
        )
        som.lattice_ = Lattice(**description["lattice"])
        first, last = description["radius"]
        som.radius_ = (float(first), float(last))
        for name in _PLAIN:
            if name in description["fitted"]:
                setattr(som, name, description["fitted"][name])
        for name in _ARRAYS:
            if name in arrays:
                setattr(som, name, arrays[name])
        if "feature_names" in description:
            som.feature_names_in_ = np.array(description["feature_names"], dtype=object)
        fits = som.prototypes_.shape == (som.lattice_.n_units, som.n_features_in_) and len(som.hits_) == len(
            som.prototypes_
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{described} is not a whole description of a map: {error!r}") from None
    if not fits or not np.isfinite(som.prototypes_).all():
        raise RunError(
            f"{folder}: the prototypes do not fit the described {som.lattice_.rows}x{som.lattice_.columns} map"
        )
    som._describe_units()
    return som


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
