"""Checks of the parameters that deep models share; each error says what is allowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from somscope.errors import InputError, check_choice
from somscope.maps.choices import first_and_last
from somscope.maps.defaults import parse_grid
from somscope.maps.lattice import SHAPES
from somscope.nets.conv import ConvAutoencoder
from somscope.seeds import random_source
from somscope.training import Phase, TrainingOptions

__all__ = [
    "TRAINING",
    "check_batches",
    "check_common",
    "check_flag",
    "check_folder",
    "check_number",
    "check_pair",
    "check_run",
    "check_whole",
]


TRAINING = ("checkpoint_steps", "checkpoint_minutes", "log_steps", "loggers", "hook", "other_data")


def check_common(parameters: dict[str, Any]) -> None:
    """grid, lattice, toroidal, and what `check_run` checks."""
    parse_grid(parameters["grid"])
    check_choice("lattice", parameters["lattice"], SHAPES)
    check_flag("toroidal", parameters["toroidal"])
    check_run(parameters)


def check_run(parameters: dict[str, Any]) -> None:
    """batch_size, checkpoints, device, precision, random_state, resume, training."""
    random_source(parameters["random_state"])
    check_folder("checkpoints", parameters["checkpoints"])
    check_flag("resume", parameters["resume"])
    check_whole("batch_size", parameters["batch_size"], 1)
    training = parameters["training"]
    if training is not None and not isinstance(training, Mapping):
        raise InputError(f"training={training!r}; allowed: None, or a dictionary of {', '.join(TRAINING)}")
    for name in training or {}:
        check_choice("name in training", name, TRAINING)
    TrainingOptions(device=parameters["device"], precision=parameters["precision"], **(training or {}))


def check_batches(net: nn.Module, phases: Sequence[Phase], n_items: int) -> None:
    """Two items or more in each batch of the phases, where the net normalises vectors, or planes of one pixel."""
    kinds = {type(part) for part in net.modules()}
    pixel = isinstance(net, ConvAutoencoder) and net.code_shape[1:] == (1, 1)
    if nn.BatchNorm1d not in kinds and not (pixel and nn.BatchNorm2d in kinds):
        return
    for phase in phases:
        steps, size = phase.total_steps(n_items), phase.batch_size
        last = n_items % size == 1 and steps >= phase.steps_per_epoch(n_items)
        if last or (size == 1 and steps):
            raise InputError(
                f"batch_size={size} leaves a batch of one of the {n_items} items, over which batch_norm=True has "
                "nothing to normalise; choose another batch_size"
            )


def check_flag(name: str, value: Any) -> None:
    """True or False."""
    if not isinstance(value, bool | np.bool_):
        raise InputError(f"{name}={value!r}; allowed: True or False")


def check_folder(name: str, value: Any) -> None:
    """None, or where a folder is."""
    if not isinstance(value, str | Path | None):
        raise InputError(f"{name}={value!r}; allowed: None or a folder")


def check_whole(name: str, value: Any, least: int) -> None:
    """A whole number from `least`."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise InputError(f"{name}={value!r}; allowed: a whole number from {least}")


def check_number(name: str, value: Any, zero: bool = False) -> None:
    """A finite number above 0, or with `zero` from 0."""
    known = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    if not known or not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        raise InputError(f"{name}={value!r}; allowed: a number {'from' if zero else 'above'} 0")


def check_pair(name: str, value: Any) -> tuple[float, float]:
    """(first, last) of a schedule that does not rise, both above 0."""
    first, last = first_and_last(name, value)
    if first < last or last <= 0:
        raise InputError(f"{name}={value!r}; it falls from (first, last) and ends above 0")
    return first, last
