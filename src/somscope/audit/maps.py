"""Maps that can be compared: every set starts from the same prototypes and is trained to the end."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from somscope.maps.decay import schedule
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import neighbourhood

__all__ = ["shared_start", "train", "unit_means"]

PASSES = 20  # over which the radius falls
SETTLING = 10  # more passes at the last radius
LAST_RADIUS = 0.5  # lattice steps

Floats = NDArray[np.float64]


def shared_start(sets: Sequence[Floats], lattice: Lattice, seed: int) -> Floats:
    """(K, d) prototypes drawn from the items of all sets together, for the maps of all of them.

    They know nothing of pairs, so that under shuffled pairs the maps are as they were.
    """
    pool = np.concatenate(sets)
    draw = np.random.default_rng(seed)
    return pool[draw.choice(len(pool), lattice.n_units, replace=len(pool) < lattice.n_units)]


def train(items: Floats, start: Floats, lattice: Lattice) -> tuple[NDArray[np.int64], Floats]:
    """(n,) best unit of each item and (K, d) prototypes of a batch map that began at `start`.

    Gaussian neighbourhood; the radius falls from half of the longer side to 0.5 lattice steps in 20 passes, and up to
    10 more follow, until no item changes its unit.
    """
    kernels = _kernels(lattice)
    prototypes = start
    before: NDArray[np.int64] | None = None
    for step in range(PASSES + SETTLING):
        units = _nearest(items, prototypes)
        if step > PASSES and before is not None and (units == before).all():
            break
        before = units
        prototypes = _drawn(items, units, kernels[min(step, PASSES - 1)], prototypes)
    return _nearest(items, prototypes), prototypes


def unit_means(items: Floats, units: NDArray[np.int64], lattice: Lattice) -> Floats:
    """(K, d) what the prototypes are when these items lie at these units, at the last radius."""
    return _drawn(items, units, _kernels(lattice)[-1], np.tile(items.mean(axis=0), (lattice.n_units, 1)))


def _drawn(items: Floats, units: NDArray[np.int64], kernel: Floats, before: Floats) -> Floats:
    """The mean of all items weighted by the neighbourhood of each unit; as before where that is nothing."""
    hits = np.bincount(units, minlength=len(kernel))
    mass = (kernel @ hits)[:, None]
    reached = mass > np.finfo(float).tiny
    return np.where(reached, kernel @ _sums(items, units, hits) / np.where(reached, mass, 1.0), before)


@lru_cache(maxsize=16)
def _kernels(lattice: Lattice) -> Floats:
    """(PASSES, K, K) the neighbourhoods of all passes; the maps of an audit are small."""
    first = max(LAST_RADIUS, max(lattice.rows, lattice.columns) / 2)
    squared = lattice.squared_distances()
    radii = schedule("exponential", first, LAST_RADIUS, PASSES)
    return np.stack([neighbourhood("gaussian", squared, float(radius)) for radius in radii])


def _sums(items: Floats, units: NDArray[np.int64], hits: NDArray[np.int64]) -> Floats:
    """(K, d) sum of the items of each unit."""
    starts = np.concatenate([[0], np.cumsum(hits)])
    members = csr_array(
        (np.ones(len(items)), np.argsort(units, kind="stable"), starts), (len(hits), len(items))
    )
    return np.asarray(members @ items)


def _nearest(items: Floats, prototypes: Floats) -> NDArray[np.int64]:
    """(n,) the nearest prototype of each item; |x|^2 is the same for all of them and left out."""
    return np.asarray((np.square(prototypes).sum(axis=1) - 2.0 * (items @ prototypes.T)).argmin(axis=1))
