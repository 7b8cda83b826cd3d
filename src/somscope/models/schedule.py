"""The neighbourhood's schedule, as the models of the DESOM paper have it."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice
from somscope.maps.decay import DECAYS, Decay, schedule
from somscope.models.checks import check_flag, check_pair
from somscope.objectives.som import NEIGHBOURHOODS

__all__ = ["check_schedule", "temperatures"]


class _Scheduled(Protocol):
    """What such a model has."""

    lattice: str
    toroidal: bool
    legacy: bool
    n_steps: int
    temperature: tuple[float, float]
    decay: Decay
    neighbourhood: str
    lattice_distance: str


def check_schedule(model: _Scheduled) -> None:
    """Raise InputError for a schedule, neighbourhood or lattice distance that cannot be used, or not with legacy."""
    check_flag("legacy", model.legacy)
    check_pair("temperature", model.temperature)
    if not callable(model.decay):
        check_choice("decay", model.decay, DECAYS)
    check_choice("neighbourhood", model.neighbourhood, NEIGHBOURHOODS)
    check_choice("lattice_distance", model.lattice_distance, ("manhattan", "euclidean"))
    if model.legacy and (model.lattice != "rectangular" or model.toroidal):
        raise InputError("legacy=True repeats code that knows rectangular lattices without joined edges only")


def temperatures(model: _Scheduled) -> NDArray[np.float64]:
    """(n_steps,) T of each step, in lattice steps."""
    first, last = check_pair("temperature", model.temperature)
    return schedule(model.decay, first, last, model.n_steps, "temperature")
