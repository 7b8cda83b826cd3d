"""Batch training: every prototype becomes the neighbourhood-weighted mean of all items (Kohonen 2001, 3.6).

    m_k  =  sum_i w_i h(k, b_i; r) x_i  /  sum_i w_i h(k, b_i; r)          b_i: best unit of item i; r: radius

Sums are taken by unit first and then smoothed over the lattice, so a pass costs one search, one read of the items and
one small product. With radius 0 this is Lloyd's k-means.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError
from somscope.interrupt import Interrupt, catch_interrupt
from somscope.maps.blocks import BlockItems
from somscope.maps.items import DenseItems, Items
from somscope.maps.lattice import Lattice
from somscope.maps.organise import Organising, organise
from somscope.maps.passes import Passed, Passes
from somscope.maps.shared import summed
from somscope.maps.smoothing import updated
from somscope.maps.threads import one_blas_thread
from somscope.processes import n_processes
from somscope.progress import track

__all__ = ["COLUMNS", "Schedule", "Sweep", "Trained", "batch_step", "sweep", "train_batch"]

COLUMNS = ("pass", "radius", "quantization_error", "moved", "seconds")  # of the history

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sweep:
    """One look at all items: the sums and weights of each unit, and how far the items lie from their units.

    sums: (K, d); totals: (K, 1) or (K, d); error: weighted mean distance to the best unit; weight: of the items;
    units: (n,), or None where the items are only seen block by block.
    """

    sums: Floats
    totals: Floats
    error: float
    weight: float
    units: NDArray[np.int32] | None

    def over_processes(self) -> Sweep:
        """The look at the items of all processes, from that of each at its own."""
        if n_processes() == 1:
            return self
        # Where one of them has gaps, the weights of all are by feature.
        wide = np.broadcast_to(self.totals, self.sums.shape)
        sums, totals, (error, weight) = summed(
            self.sums, wide, np.array([self.error * self.weight, self.weight])
        )
        return Sweep(sums, totals, float(error / weight), float(weight), self.units)


@dataclass(frozen=True)
class Schedule:
    """The radius of each pass (in lattice steps), what comes before them, and when to stop after them.

    organising: the phase that unfolds the map before the first pass, if any.
    extra: further passes at the last radius, until the error falls by less than a share `tol` of itself.
    """

    radii: Floats
    extra: int = 0
    tol: float = 1e-3
    organising: Organising | None = None


@dataclass
class Trained:
    """What training leaves: prototypes (K, d), a row of `COLUMNS` for each pass, and why it stopped."""

    prototypes: Floats
    rows: list[tuple[float, ...]] = field(
        default_factory=list
    )  # one append a pass: Ctrl-C never leaves half of one
    stop_reason: str = "schedule finished"

    @property
    def history(self) -> dict[str, list[float]]:
        """The passes column by column."""
        return {name: [row[i] for row in self.rows] for i, name in enumerate(COLUMNS)}


def sweep(items: Items | BlockItems, prototypes: NDArray[np.floating]) -> Sweep:
    """Look at all items once."""
    n_units = len(prototypes)
    if isinstance(items, BlockItems):
        sums, totals = np.zeros(prototypes.shape), np.zeros((n_units, 1))
        error, seen = 0.0, 0
        for block in items.dense(n_units):
            part = sweep(block, prototypes)
            sums += part.sums
            totals = totals + part.totals  # (K, d) from the first block with gaps on
            error += part.error * block.n_items
            seen += block.n_items
        if not seen:
            raise InputError(
                "the blocks hold no items (an iterator can be read only once: give a list or a sequence)"
            )
        return Sweep(sums, totals, error / seen, float(seen), None)
    units, distances = items.nearest(prototypes)
    sums, totals = items.totals(units, n_units)
    weights = getattr(items, "sample_weight", None)
    error = float(np.average(distances[:, 0], weights=weights))
    weight = float(items.n_items if weights is None else weights.sum())
    return Sweep(sums, totals, error, weight, units[:, 0])


def _everywhere(seen: Sweep, moved: float, interrupt: Interrupt | None) -> tuple[float, bool]:
    """The share of moved items over all processes, and whether Ctrl-C was pressed in any of them."""
    asked = interrupt is not None and interrupt.requested
    n_items = 1 if seen.units is None else len(seen.units)
    ((moves, items, stops),) = summed(np.array([moved * n_items, n_items, float(asked)]))
    return float(moves / items), bool(stops)


def batch_step(
    prototypes: NDArray[np.floating],
    batch: NDArray[np.floating],
    lattice: Lattice,
    radius: float,
    neighbourhood: str = "gaussian",
    metric: str = "euclidean",
) -> tuple[Floats, NDArray[np.int32], Floats]:
    """One step of the batch map on its own: new prototypes (K, d), and units (n,) and distances (n,) before it.

    prototypes: (K, d); batch: (n, d); radius in lattice steps.
    Raises InputError for prototypes of another shape, and for the mexican-hat, under which there is no mean.
    """
    if neighbourhood == "mexican-hat":
        raise InputError(
            "neighbourhood='mexican-hat' has negative weights, under which the batch rule has no mean; "
            "use algorithm='online'"
        )
    batch = np.ascontiguousarray(batch, dtype=np.float64)
    old = np.asarray(prototypes, dtype=np.float64)
    if old.shape != (lattice.n_units, batch.shape[1]):
        raise InputError(f"prototypes have shape {old.shape}; needed: {(lattice.n_units, batch.shape[1])}")
    items = DenseItems(batch, metric, missing=bool(np.isnan(batch).any()))
    units, distances = items.nearest(old)
    sums, totals = items.totals(units, lattice.n_units)
    return updated(old, sums, totals, lattice, neighbourhood, radius, metric), units[:, 0], distances[:, 0]


def train_batch(
    items: Items | BlockItems,
    start: Floats,
    lattice: Lattice,
    neighbourhood: str,
    metric: str,
    schedule: Schedule,
    dtype: np.dtype,
    progress: bool | None = None,
    passes: Passes | None = None,
) -> Trained:
    """Train a map on all items, pass by pass. Ctrl-C ends it with what was learned so far.

    passes: its checkpoints; where they hold any, it goes on from the newest, and ends with the same bits.

    Under several processes each has items of its own, and a pass is over those of all; Ctrl-C in one of them ends the
    training of all after the pass that it is in.
    """
    trained = Trained(start.astype(dtype).astype(np.float64))
    radii = np.concatenate([schedule.radii, np.full(schedule.extra, schedule.radii[-1])])
    before: NDArray[np.int32] | None = None
    error = np.inf
    began = perf_counter()
    passed = None if passes is None else passes.newest(start.shape)
    if passed is not None:
        trained.prototypes[:], trained.rows = passed.prototypes, passed.rows
        error, began = passed.rows[-1][2], began - passed.rows[-1][4]
    several = n_processes() > 1
    waiting = (
        catch_interrupt("ending after this pass, keeping what was learned") if several else nullcontext()
    )
    try:
        with one_blas_thread(), waiting as interrupt:  # one thread once, not in every step
            if schedule.organising is not None and passed is None:
                organise(trained.prototypes, schedule.organising, lattice, neighbourhood, metric, dtype)
            if passed is not None and not isinstance(items, BlockItems):
                before = items.nearest(passed.before.astype(dtype))[0][:, 0]
            done = len(trained.rows)
            for i, radius in enumerate(track(radii[done:], "training the map", enabled=progress), done):
                seen = sweep(items, trained.prototypes.astype(dtype))
                moved = 1.0 if before is None or seen.units is None else float(np.mean(before != seen.units))
                if several:
                    moved, asked = _everywhere(seen, moved, interrupt)
                    seen = seen.over_processes()
                    if asked:
                        raise KeyboardInterrupt
                same_radius = i > 0 and radii[i - 1] == radius
                if same_radius and moved == 0.0:
                    trained.stop_reason = "no item changed its unit"
                    break
                settling = same_radius and i >= len(schedule.radii)
                if settling and error - seen.error < schedule.tol * error:
                    trained.stop_reason = f"the error fell by less than {schedule.tol:g} of itself"
                    break
                new = updated(
                    trained.prototypes, seen.sums, seen.totals, lattice, neighbourhood, radius, metric
                )
                old = trained.prototypes.copy() if passes is not None else new
                trained.prototypes[:] = new.astype(dtype)
                before, error = seen.units, seen.error
                trained.rows.append((float(i + 1), float(radius), seen.error, moved, perf_counter() - began))
                if passes is not None:
                    passes.done(Passed(trained.prototypes.copy(), old, list(trained.rows)))
                del seen, new, old  # (K, d) each, not to be held beside those of the next pass
    except KeyboardInterrupt:
        trained.stop_reason = "interrupted"
        if passes is not None:
            passes.save()
    return trained
