"""What users ask of a map, checked, and what is chosen from the data where they leave it open."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from somscope.errors import InputError, check_choice
from somscope.maps.decay import DECAYS
from somscope.maps.defaults import choose_grid, choose_hat_radius, choose_radius, choose_units, parse_grid
from somscope.maps.gpu import DEVICES
from somscope.maps.initialise import Plane
from somscope.maps.items import METRICS
from somscope.maps.lattice import SHAPES, Lattice
from somscope.maps.neighbourhood import NEIGHBOURHOODS
from somscope.maps.shared import agreed_seed
from somscope.seeds import random_source

__all__ = [
    "ALGORITHMS",
    "check_parameters",
    "first_and_last",
    "generator_for",
    "hat_radii_for",
    "is_pair",
    "lattice_for",
    "radii_for",
]

ALGORITHMS = ("batch", "online")


def check_parameters(parameters: dict[str, Any]) -> None:
    """Raise InputError for parameters of `SOM` that no data could be mapped with; the message lists what is allowed."""
    parse_grid(parameters["grid"])
    check_choice("lattice", parameters["lattice"], SHAPES)
    check_choice("neighbourhood", parameters["neighbourhood"], NEIGHBOURHOODS)
    check_choice("algorithm", parameters["algorithm"], ALGORITHMS)
    check_choice("metric", parameters["metric"], METRICS)
    check_choice("device", parameters["device"], DEVICES)
    for name in ("radius_decay", "learning_rate_decay"):
        if not callable(parameters[name]):
            check_choice(name, parameters[name], DECAYS)
    if not isinstance(parameters["toroidal"], bool | np.bool_):
        raise InputError(f"toroidal={parameters['toroidal']!r}; allowed: True or False")
    if parameters["neighbourhood"] == "mexican-hat" and parameters["algorithm"] == "batch":
        raise InputError(
            "neighbourhood='mexican-hat' has negative weights, under which the batch rule has no mean; "
            "use algorithm='online'"
        )
    if parameters["checkpoints"] is not None and parameters["algorithm"] == "online":
        raise InputError("algorithm='online' writes no checkpoints; they are of algorithm='batch'")
    if not isinstance(parameters["checkpoints"], str | Path | None):
        raise InputError(f"checkpoints={parameters['checkpoints']!r}; allowed: None or a folder")
    if not isinstance(parameters["resume"], bool | np.bool_):
        raise InputError(f"resume={parameters['resume']!r}; allowed: True or False")
    n_passes, tol = parameters["n_passes"], parameters["tol"]
    if n_passes != "auto" and (not isinstance(n_passes, int | np.integer) or n_passes < 1):
        raise InputError(f"n_passes={n_passes!r}; allowed: 'auto' or a whole number from 1")
    if not isinstance(tol, int | float | np.number) or not 0 <= tol < np.inf:
        raise InputError(f"tol={tol!r}; allowed: a share of 0 or more")
    if not isinstance(parameters["radius"], str):
        first_and_last("radius", parameters["radius"])
    elif parameters["radius"] != "auto":
        raise InputError(
            f"radius={parameters['radius']!r}; allowed: 'auto', a number, or (first, last) in lattice steps"
        )
    if max(first_and_last("learning_rate", parameters["learning_rate"])) > 1:
        raise InputError(
            f"learning_rate={parameters['learning_rate']!r}; allowed: at most 1, which puts a unit on its item"
        )


def generator_for(random_state: Any) -> np.random.Generator:
    """The generator that a map draws from, the same in all processes."""
    return np.random.default_rng(agreed_seed(random_source(random_state).randint(2**31 - 1)))


def first_and_last(name: str, value: Any) -> tuple[float, float]:
    """The two ends of a schedule from (first, last) or from one number."""
    try:
        ends = np.atleast_1d(np.asarray(value, dtype=np.float64))
    except (TypeError, ValueError):
        ends = np.zeros(0)
    if ends.shape not in ((1,), (2,)) or not np.isfinite(ends).all() or (ends < 0).any():
        raise InputError(f"{name}={value!r}; allowed: a number of 0 or more, or (first, last)")
    return float(ends[0]), float(ends[-1])


def lattice_for(
    grid: Any, shape: str, toroidal: bool, plane: Plane, n_items: int
) -> tuple[Lattice, str | None]:
    """The lattice for n items, and why that one where the grid was "auto".

    Raises InputError for a given grid with more units than items.
    """
    given = parse_grid(grid)
    if given is None:
        rows, columns = choose_grid(n_items, plane.deviations, shape, toroidal)
        first, second = plane.deviations
        why = (
            f"{rows}x{columns}: {choose_units(n_items)[1]}; "
            f"sides by the two principal deviations {first:.3g} and {second:.3g}"
        )
        return Lattice(rows, columns, shape, toroidal), why
    lattice = Lattice(*given, shape, toroidal)
    if lattice.n_units > n_items:
        raise InputError(
            f"grid {lattice.rows}x{lattice.columns} has {lattice.n_units} units for {n_items} items; "
            "at most one unit an item, better one for every five"
        )
    return lattice, None


def hat_radii_for(radius: Any, total_rate: float) -> tuple[tuple[float, float], str | None]:
    """`radii_for` a mexican-hat, whose radius should not fall from half the map; one number is both.

    total_rate: sum of the learning rates of all steps.
    """
    if not isinstance(radius, str):
        return _falling(radius), None
    safe = choose_hat_radius(total_rate)
    return (safe, safe), (
        f"{safe:.3g} lattice steps throughout: the widest at which a mexican-hat cannot push prototypes away from the "
        f"items, with learning rates that sum to {total_rate:.3g}"
    )


def radii_for(radius: Any, lattice: Lattice) -> tuple[tuple[float, float], str | None]:
    """The first and last radius in lattice steps, and why these where they were chosen here.

    "auto" chooses both, one number is the last radius and the first is chosen, a pair is both.
    """
    first, last = choose_radius(lattice)
    if not isinstance(radius, str):
        given = _falling(radius)
        if is_pair(radius):
            return given, None
        last = given[1]
        first = max(first, last)
    why = (
        f"{first:.3g} to {last:.3g} lattice steps: from half the longer side, so that the map unfolds as a whole, "
        "to a radius at which neighbours still pull each other"
    )
    return (first, last), why


def _falling(radius: Any) -> tuple[float, float]:
    first, last = first_and_last("radius", radius)
    if first < last:
        raise InputError(f"radius={radius!r}: it falls from (first, last), so the first must not be smaller")
    return first, last


def is_pair(radius: Any) -> bool:
    """True for (first, last): the classic schedule over the passes, with no organising phase before it."""
    return not isinstance(radius, str) and np.size(radius) == 2
