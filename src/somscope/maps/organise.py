"""The organising phase: small random batches unfold the map before the first look at the whole collection.

A batch map that starts on a plane of the data keeps the folds of that plane. Batches that differ from step to step
shake them out, as single items do in online training, at a small part of the cost of the passes that follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from somscope.maps.items import Items
from somscope.maps.lattice import Lattice
from somscope.maps.smoothing import updated

__all__ = ["Organising", "organise", "plan_organising"]

_SMALLEST_BATCH = 512
_ITEMS_PER_UNIT = 1  # in a batch: fewer leave most units empty, more do not shake
_VISITS = 0.3  # looks at each item that the phase may cost, on average
_STEPS = (8, 60)
_MIDDLE = 2.0  # lattice steps: from here on neighbourhoods are local, and all items count


@dataclass(frozen=True)
class Organising:
    """items: where the batches are drawn from; radii: (steps,) in lattice steps; size: items in a batch."""

    items: Items
    radii: NDArray[np.float64]
    size: int
    generator: np.random.Generator

    def describe(self) -> str:
        """What was done, for `chosen_`."""
        size = "all items" if self.size == self.items.n_items else f"{self.size} random items"
        return (
            f"{len(self.radii)} steps on {size} each, radius {self.radii[0]:.3g} to {self.radii[-1]:.3g}, "
            "so that the map unfolds before the first pass"
        )


def plan_organising(
    items: Items, n_units: int, first: float, last: float, generator: np.random.Generator
) -> Organising:
    """How many steps, on how many items, for a radius that falls from `first` to 2 (or to `last`, if that is more)."""
    size = min(items.n_items, max(_SMALLEST_BATCH, _ITEMS_PER_UNIT * n_units))
    steps = int(np.clip(_VISITS * items.n_items / size, *_STEPS))
    middle = min(first, max(_MIDDLE, last))
    return Organising(items, np.geomspace(first, middle, steps), size, generator)


def organise(
    prototypes: NDArray[np.float64],
    plan: Organising,
    lattice: Lattice,
    neighbourhood: str,
    metric: str,
    dtype: np.dtype,
) -> None:
    """Move prototypes (K, d) in place, one batch step for each radius of the plan."""
    for radius in plan.radii:
        batch = plan.items
        if plan.size < batch.n_items:
            batch = batch.take(np.sort(plan.generator.integers(0, batch.n_items, plan.size)))
        units, _ = batch.nearest(prototypes.astype(dtype))
        sums, totals = batch.totals(units, len(prototypes))
        new = updated(prototypes, sums, totals, lattice, neighbourhood, radius, metric)
        prototypes[:] = new.astype(dtype)
