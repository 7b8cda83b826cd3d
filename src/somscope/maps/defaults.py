"""What a map chooses from the data when nobody says: grid, radius and number of passes, and why."""

from __future__ import annotations

import numpy as np

from somscope.errors import InputError
from somscope.maps.lattice import Lattice

__all__ = [
    "FALLING_PASSES",
    "SETTLING_PASSES",
    "choose_grid",
    "choose_hat_radius",
    "choose_radius",
    "choose_units",
    "parse_grid",
]

_MOST_UNITS = 1600  # 40 x 40: more units than a person can read
_ITEMS_PER_UNIT = (
    5  # at least, on average: with 2, a tenth to a third of the units of small collections stay empty
)
_FEWEST_UNITS = 9  # fewer make no map, however few the items are
_START_SHARE = 0.5  # the first radius, as a share of the longer side: the map first moves as a whole
_LAST_RADIUS = 0.7  # near the knee of quantization against topographic error (docs/benchmarks.md)
FALLING_PASSES = 15  # passes with a falling radius
SETTLING_PASSES = 15  # further passes at the last one, at most


def parse_grid(grid: object) -> tuple[int, int] | None:
    """(rows, columns) of "20x20", (20, 20) or 100 (a chain of 100 units); None for "auto".

    Raises InputError for anything else.
    """
    allowed = 'allowed: "auto", "20x20", (20, 20), or a number of units for a chain'
    if isinstance(grid, str):
        if grid == "auto":
            return None
        parts = grid.lower().replace("*", "x").split("x")
        if not all(part.strip().isdigit() for part in parts) or len(parts) not in (1, 2):
            raise InputError(f"grid={grid!r} is not understood; {allowed}")
        numbers = [int(part) for part in parts]
    elif isinstance(grid, int | np.integer) and not isinstance(grid, bool):
        numbers = [int(grid)]
    elif (
        isinstance(grid, tuple | list)
        and len(grid) == 2
        and all(isinstance(g, int | np.integer) for g in grid)
    ):
        numbers = [int(g) for g in grid]
    else:
        raise InputError(f"grid={grid!r} is not understood; {allowed}")
    rows, columns = numbers if len(numbers) == 2 else (1, numbers[0])
    if rows < 1 or columns < 1:
        raise InputError(f"grid={grid!r}: rows and columns must be at least 1")
    return rows, columns


def choose_units(n_items: float) -> tuple[float, str]:
    """About how many units for n items, and why: 5 sqrt(n) (Vesanto's rule), at most n / 5 and at most 1600.

    Below 625 items Vesanto's rule leaves a unit fewer than five items, and many units none. The smallest collections
    (below 45) have 9 units, but not more than half the items, and never fewer than two.
    """
    wanted = 5.0 * float(np.sqrt(n_items))
    most = max(n_items / _ITEMS_PER_UNIT, min(_FEWEST_UNITS, n_items / 2), 2.0)
    if n_items < 4:
        return most, f"the fewest units that make a map, for {n_items:.0f} items"
    if wanted > most:
        rule = (
            f"one unit for every {_ITEMS_PER_UNIT} of"
            if most == n_items / _ITEMS_PER_UNIT
            else f"at most {_FEWEST_UNITS} units, and half as many as items, for"
        )
        return (
            most,
            f"{rule} {n_items:.0f} items, where 5 sqrt(n) = {wanted:.0f} would leave many units empty",
        )
    if wanted > _MOST_UNITS:
        return _MOST_UNITS, (
            f"at most {_MOST_UNITS} units, which a person can read, where 5 sqrt(n) = {wanted:.0f} for "
            f"{n_items:.0f} items"
        )
    return wanted, f"about 5 sqrt(n) units for {n_items:.0f} items"


def choose_grid(n_items: float, deviations: np.ndarray, shape: str, toroidal: bool) -> tuple[int, int]:
    """Rows and columns for n items, with the number of units of `choose_units`.

    The sides are as long as the data's two principal deviations, within 1 to 2, with the longer side across.
    """
    units, _ = choose_units(n_items)
    first, second = float(deviations[0]), float(deviations[1])
    ratio = float(np.clip(first / second, 1.0, 2.0)) if second > 0 else 2.0
    height = np.sqrt(3.0) / 2.0 if shape == "hexagonal" else 1.0  # rows of a hexagonal lattice are closer
    rows = max(1, round(np.sqrt(units / (ratio * height))))
    columns = max(1, round(units / rows))
    if shape == "hexagonal" and toroidal and rows % 2:
        rows += 1
    if rows * columns > max(1, int(n_items)):
        columns = max(1, int(n_items) // rows)
    return rows, columns


def choose_radius(lattice: Lattice) -> tuple[float, float]:
    """First and last neighbourhood radius in lattice steps."""
    longest = max(lattice.positions.max(axis=0) + 1.0)
    if lattice.toroidal:
        longest /= 2.0
    return max(_START_SHARE * longest, _LAST_RADIUS), _LAST_RADIUS


def choose_hat_radius(total_rate: float) -> float:
    """The widest radius, in lattice steps, at which online training with a mexican-hat cannot run away.

    A step at rate a pushes a unit that lies d = 1 from the best one away from the item by a |h(1; r)| of its distance,
    and one farther off by less, while r <= 1 / sqrt(3). Over all steps, whose rates sum to `total_rate`, distances grow
    at most by the factor exp(total_rate |h(1; r)|), wherever the items lie. This takes the r where that is e.
    """
    from scipy.optimize import brentq

    def growth(u: float) -> float:  # u = 1 / r^2
        return total_rate * (u - 1.0) * float(np.exp(-0.5 * u)) - 1.0

    return float(1.0 / np.sqrt(3.0 if growth(3.0) <= 0 else brentq(growth, 3.0, 200.0)))
