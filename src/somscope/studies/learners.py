"""The models that a study can train: those of `somscope.models` and the references, by name."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from somscope.errors import InputError, check_choice
from somscope.models.table import MODELS
from somscope.runs.record import jsonable
from somscope.studies.declare import Entry

__all__ = ["build", "learner_classes", "learner_defaults", "learner_parameters", "what_differs"]

_REFERENCES = {
    "k-means": "somscope.studies.references:KMeansReference",
    "minisom": "somscope.studies.references:MiniSomReference",
    "ae+minisom": "somscope.studies.references:EncodedMiniSomReference",
}
# What a run decides; the rows of a study are the same with all of it.
_OF_THE_RUN = (
    "random_state",
    "device",
    "precision",
    "verbose",
    "checkpoints",
    "resume",
    "training",
    "autoencoder",
)


def learner_classes() -> dict[str, str]:
    """Name of each model -> "module:Class"."""
    return MODELS | _REFERENCES


def _class_of(entry: Entry) -> type[Any]:
    known = learner_classes()
    check_choice("model", entry.model, known)
    module, _, name = known[entry.model].partition(":")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, type)
    return found


def _defaults(cls: type[Any]) -> dict[str, Any]:
    signature = inspect.signature(cls)
    return {name: parameter.default for name, parameter in signature.parameters.items()}


def learner_defaults(model: str) -> dict[str, Any]:
    """Parameter -> default of a model. Raises InputError for one that is not known."""
    return _defaults(_class_of(Entry("", model)))


def learner_parameters(entry: Entry) -> dict[str, Any]:
    """All parameters with which a row is trained, defaults included, as JSON can hold them, but those of the run.

    Raises InputError for a parameter that the model does not have.
    """
    defaults = _defaults(_class_of(entry))
    for name in entry.parameters:
        check_choice(f"parameter of {entry.model}", name, defaults)
    merged = {**defaults, **entry.parameters}
    return {name: jsonable(value) for name, value in merged.items() if name not in _OF_THE_RUN}


def what_differs(entry: Entry, recorded: Mapping[str, Any]) -> str:
    """Why something trained with the `recorded` parameters is not this row of now; "" if it is.

    A parameter that the model has got since then is no difference while it stands at its default, nor is one that
    has no effect in this row (`idle_parameters` of the model).
    """
    idle = getattr(_class_of(entry)(**entry.parameters), "idle_parameters", ())
    now = {name: value for name, value in learner_parameters(entry).items() if name not in idle}
    recorded = {name: value for name, value in recorded.items() if name not in idle}
    new = [name for name in now if name not in recorded and name in entry.parameters]
    gone = [name for name in recorded if name not in now]
    changed = [name for name in now if name in recorded and recorded[name] != now[name]]
    return "; ".join(
        [f"{name} was {recorded[name]}, is {now[name]}" for name in changed]
        + [f"{name} was not set" for name in new]
        + [f"{name} is no parameter any more" for name in gone]
    )


def build(entry: Entry, seed: int, device: str, precision: str, checkpoints: Path) -> Any:
    """The model of a row, not yet trained; one that writes checkpoints goes on from what that folder holds."""
    cls = _class_of(entry)
    defaults = _defaults(cls)
    run = {
        "random_state": seed,
        "device": device,
        "precision": precision,
        "verbose": False,
        "checkpoints": checkpoints,
        "resume": checkpoints.is_dir(),
    }
    if "random_state" not in defaults:
        raise InputError(f"{entry.model} takes no random_state: its cells could not be repeated")
    return cls(**entry.parameters, **{name: value for name, value in run.items() if name in defaults})
