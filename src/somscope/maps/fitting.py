"""What `SOM.fit` and its kin do: place the first prototypes, train them, and say what is known about the units then.

The functions read the parameters of a map and return what was learned, by the names of its attributes. The map takes
all of it over at once, so that an error or Ctrl-C before that leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from somscope.errors import InputError
from somscope.interrupt import catch_interrupt
from somscope.maps.batch import Schedule, Trained, sweep, train_batch
from somscope.maps.blocks import BLOCK_BYTES, BlockItems, OwnRows, RowBlocks, random_rows
from somscope.maps.choices import (
    first_and_last,
    generator_for,
    hat_radii_for,
    is_pair,
    lattice_for,
    radii_for,
)
from somscope.maps.decay import schedule
from somscope.maps.defaults import FALLING_PASSES, SETTLING_PASSES
from somscope.maps.distances import column_scale
from somscope.maps.gpu import choose_device, on_device
from somscope.maps.initialise import initial_prototypes, principal_plane
from somscope.maps.items import DenseItems, Items
from somscope.maps.lattice import Lattice
from somscope.maps.online import train_online
from somscope.maps.organise import plan_organising
from somscope.maps.passes import Passes, kept_passes
from somscope.maps.refine import refined
from somscope.maps.sample import refuse_overflow, refuse_unmappable, sample_rows
from somscope.maps.shared import gathered, own_rows, summed
from somscope.maps.units import check_clusters, cluster_units, u_matrix
from somscope.processes import n_processes

if TYPE_CHECKING:
    from somscope.maps.som import SOM

__all__ = ["Learned", "describe", "fit_blocks", "fit_items", "given", "labels", "refine"]

Floats = NDArray[np.float64]
Learned = dict[str, Any]  # attribute of the map -> its value

_ORGANISED = 102_400  # items that the organising phase looks at in 60 steps of 512
_NOT_OF_THE_MAP = ("checkpoints", "resume", "verbose")  # parameters that it does not depend on
_PLACING = "the map is trained, and the items are being placed on it"  # which Ctrl-C must not cost


@dataclass(frozen=True)
class _Start:
    """Where training begins: prototypes (K, d) on a lattice, its radii, and what was chosen, {what: why}."""

    prototypes: Floats
    lattice: Lattice
    radius: tuple[float, float]
    chosen: dict[str, str]


def fit_items(som: SOM, x: Any, weight: Floats | None) -> Learned:
    """Train on validated items (n, d) with weights (n,)."""
    everything = x
    if weight is not None and not weight.all():
        x, weight = x[weight > 0], weight[weight > 0]
    own = _own_items(som, x.shape[0])
    items = som._items(x[own], None if weight is None else weight[own])
    rows = sample_rows(x.shape[0], refuse_unmappable(x))
    n_items = x.shape[0] if weight is None or (weight % 1 != 0).any() else int(weight.sum())
    generator = generator_for(som.random_state)
    sample = x[rows]
    start = _place(som, sample, None if weight is None else weight[rows], n_items, generator)
    device = choose_device(som.device, items, start.lattice.n_units, som.algorithm)
    placed = on_device(items, device)
    if isinstance(placed, DenseItems) and placed.bounded:
        placed.basis = placed.find_basis(start.lattice.n_units)
    pool = (
        placed if n_processes() == 1 else som._items(x, weight)
    )  # small batches of it, the same in all processes
    with _passes(som, start, n_items, sample, weight) as passes:
        trained = _train(som, start, placed, pool, x.dtype, generator, passes)
    prototypes = trained.prototypes.astype(x.dtype)
    with catch_interrupt(_PLACING) as interrupt:
        found, distances = placed.nearest(prototypes)
        units = gathered(found[:, 0], x.shape[0])
        learned = _learned(som, start, trained, prototypes, device, _counted(units, weight, len(prototypes)))
        if everything is not x:  # items of weight 0 have a unit, too
            units = som._items(everything, None).nearest(prototypes)[0][:, 0]
    if interrupt.requested:
        learned["stop_reason_"] = "interrupted"
    own_weight = np.ones(len(found)) if weight is None else weight[own]
    (total,) = summed(np.array([own_weight @ distances[:, 0], own_weight.sum()]))
    inertia = float(total[0] / total[1])
    return {**learned, "inertia_": inertia, "labels_": labels(units, learned.get("unit_clusters_"))}


def fit_blocks(som: SOM, blocks: Iterable[Any], sample: NDArray[np.floating], n_items: int) -> Learned:
    """Train on blocks of items that can be read again, with a sample of them; there are labels for blocks of rows."""
    if som.device == "cuda":
        raise InputError(
            "device='cuda' takes one array that fits into its memory; blocks need 'cpu' or 'auto'"
        )
    _own_items(som, n_items)
    items = BlockItems(_own_blocks(blocks), som.metric, som._feature_weights(), sample.dtype)
    pool = _pool(som, blocks, sample)
    generator = generator_for(som.random_state)
    start = _place(som, sample, None, n_items, generator)
    with _passes(som, start, n_items, sample) as passes:
        trained = _train(som, start, items, pool, sample.dtype, generator, passes)
    prototypes = trained.prototypes.astype(sample.dtype)
    parts: list[NDArray[np.int32]] = []
    far = 0.0
    with catch_interrupt(_PLACING) as interrupt:
        for block in items.dense(len(prototypes)):
            found, distances = block.nearest(prototypes)
            parts.append(found[:, 0].copy())
            far += float(distances.sum())
        units = np.concatenate(parts)
        total, counts = summed(np.array([far, len(units)]), np.bincount(units, minlength=len(prototypes)))
        learned = _learned(
            som, start, trained, prototypes, "cpu", {"hits_": counts, "_held": counts.astype(np.float64)}
        )
    if interrupt.requested:
        learned["stop_reason_"] = "interrupted"
    learned["inertia_"] = float(total[0] / total[1])
    if isinstance(blocks, RowBlocks):
        learned["labels_"] = labels(gathered(units, n_items), learned.get("unit_clusters_"))
    return learned


def _passes(som: SOM, start: _Start, n_items: int, *data: Any) -> AbstractContextManager[Passes | None]:
    """The checkpoints of a training, where they were asked for; data: what it begins with tells its items."""
    asked = {name: value for name, value in som.get_params().items() if name not in _NOT_OF_THE_MAP}
    lattice = start.lattice
    settings = {"model": {**asked, "grid": (lattice.rows, lattice.columns)}, "items": n_items}
    return kept_passes(som.checkpoints, som.resume, settings, *data)


def _own_items(som: SOM, n_items: int) -> slice:
    """The rows of this process. Raises InputError where several cannot share the training."""
    if n_processes() > 1 and som.algorithm == "online":
        raise InputError("algorithm='online' is trained by one process: start it without torchrun")
    if n_items < n_processes():
        raise InputError(f"{n_items} items for {n_processes()} processes; each needs at least one")
    return own_rows(n_items)


def _own_blocks(blocks: Iterable[Any]) -> Iterable[Any]:
    """The blocks of this process: of its rows of all, or its rows of each block."""
    if n_processes() == 1:
        return blocks
    return blocks.part() if isinstance(blocks, RowBlocks) else OwnRows(blocks)


def _pool(som: SOM, blocks: Iterable[Any], sample: NDArray[np.floating]) -> Items:
    """Where the batches of the organising phase come from: as many items as it draws, where they can be picked."""
    if not isinstance(blocks, RowBlocks):
        return som._items(sample, None)
    fitting = max(len(sample), BLOCK_BYTES // (sample.itemsize * sample.shape[1]))
    rows = random_rows(blocks, min(_ORGANISED, fitting))
    return som._items(np.ascontiguousarray(rows, dtype=sample.dtype), None)


def refine(som: SOM, x: Any, weight: Floats | None) -> Learned:
    """What changes when a map sees further items (n, d) with weights (n,); see `refine.refined`."""
    items = som._placed(x, weight)
    seen = sweep(items, som.prototypes_)
    assert seen.units is not None  # they are not blocks
    new = np.bincount(seen.units, weights=weight, minlength=len(som._held)).astype(np.float64)
    prototypes = refined(
        som.prototypes_, som._held, seen, new, som.lattice_, som.neighbourhood, som.radius_[1], som.metric
    ).astype(som.prototypes_.dtype)
    units, distances = items.nearest(prototypes)
    counted = _counted(units[:, 0], weight, len(prototypes))
    learned: Learned = {
        "prototypes_": prototypes,
        "n_iter_": som.n_iter_ + 1,
        "hits_": som.hits_ + counted["hits_"],
        "_held": som._held + counted["_held"],
        "inertia_": float(np.average(distances[:, 0], weights=weight)),
    }
    learned |= describe(som, prototypes, som.lattice_, learned["hits_"])
    return {**learned, "labels_": labels(units[:, 0], learned.get("unit_clusters_"))}


def given(som: SOM, prototypes: NDArray[np.floating], lattice: Lattice) -> Learned:
    """What is known of a map whose prototypes (K, d) somebody else has trained."""
    radius, _ = radii_for("auto", lattice)
    start = _Start(prototypes.astype(np.float64), lattice, radius, {})
    trained = Trained(start.prototypes, stop_reason="given prototypes")
    learned = _learned(
        som, start, trained, prototypes, "cpu", _counted(np.zeros(0, np.int32), None, len(prototypes))
    )
    return {name: value for name, value in learned.items() if name != "device_"}


def describe(
    som: SOM, prototypes: NDArray[np.floating], lattice: Lattice, hits: NDArray[np.integer]
) -> Learned:
    """U-matrix, and the clusters of the units where they were asked for."""
    weights = som._feature_weights()
    learned: Learned = {"u_matrix_": u_matrix(prototypes, lattice, weights, som.metric)}
    if som.n_clusters is not None:
        learned["unit_clusters_"] = cluster_units(
            prototypes, lattice, som.n_clusters, hits, weights, som.metric
        )
    return learned


def labels(units: NDArray[np.integer], clusters: NDArray[np.integer] | None) -> NDArray[np.int64]:
    """(n,) the units themselves, or the clusters (K,) that the map has put them into."""
    return units.astype(np.int64) if clusters is None else np.asarray(clusters[units])


def _place(
    som: SOM, sample: Any, weight: Floats | None, n_items: int, generator: np.random.Generator
) -> _Start:
    """Choose the lattice and the radius from a sample of the items, and place the first prototypes."""
    sample = sample.astype(np.float64)
    refuse_overflow(sample)
    if som.metric == "cosine":
        sample = normalize(sample)
    plane = principal_plane(sample, weight, column_scale(som.metric, som._feature_weights()))
    lattice, why_lattice = lattice_for(som.grid, som.lattice, som.toroidal, plane, n_items)
    if som.neighbourhood == "mexican-hat":
        rates = _rates(som)
        total = n_items * float((rates[1:] + rates[:-1]).sum()) / 2.0
        radius, why_radius = hat_radii_for(som.radius, total)
    else:
        radius, why_radius = radii_for(som.radius, lattice)
    reasons = {"grid": why_lattice, "radius": why_radius}
    if som.n_clusters is not None:
        check_clusters(som.n_clusters, lattice.n_units)
    prototypes = initial_prototypes(som.init, lattice, sample, plane, generator, weight)
    return _Start(
        prototypes, lattice, radius, {name: why for name, why in reasons.items() if why is not None}
    )


def _train(
    som: SOM,
    start: _Start,
    items: Items | BlockItems,
    pool: Items,
    dtype: np.dtype,
    generator: np.random.Generator,
    passes: Passes | None,
) -> Trained:
    """Train on items; the batches of the organising phase come from the pool (the items, or a sample of them)."""
    first, last = start.radius
    if som.algorithm == "online":
        if som.n_passes == "auto":
            start.chosen["n_passes"] = f"{FALLING_PASSES} with a falling radius"
        radii = schedule(som.radius_decay, first, last, _n_passes(som) + 1, "radius")
        return train_online(
            items,
            start.prototypes,
            start.lattice,
            som.neighbourhood,
            radii,
            _rates(som),
            generator,
            som.verbose,
        )
    extra = 0
    if som.n_passes == "auto":
        extra = SETTLING_PASSES
        start.chosen["n_passes"] = (
            f"{FALLING_PASSES} with a falling radius, then at most {extra} until the error settles"
        )
    organising = None
    if not is_pair(som.radius):
        organising = plan_organising(pool, start.lattice.n_units, first, last, generator)
        start.chosen["organising"] = organising.describe()
        first = float(organising.radii[-1])
    radii = schedule(som.radius_decay, first, last, _n_passes(som), "radius")
    plan = Schedule(radii, extra, som.tol, organising)
    return train_batch(
        items,
        start.prototypes,
        start.lattice,
        som.neighbourhood,
        som.metric,
        plan,
        dtype,
        som.verbose,
        passes,
    )


def _n_passes(som: SOM) -> int:
    return FALLING_PASSES if som.n_passes == "auto" else int(som.n_passes)


def _rates(som: SOM) -> Floats:
    """(passes + 1,) learning rates between the passes."""
    ends = first_and_last("learning_rate", som.learning_rate)
    return schedule(som.learning_rate_decay, *ends, _n_passes(som) + 1, "learning rate")


def _learned(
    som: SOM,
    start: _Start,
    trained: Trained,
    prototypes: NDArray[np.floating],
    device: str,
    counted: Learned,
) -> Learned:
    """What a training leaves; counted: of the items that it was trained on, see `_counted`."""
    return {
        "prototypes_": prototypes,
        "lattice_": start.lattice,
        "radius_": start.radius,
        "chosen_": start.chosen,
        "device_": device,
        "n_iter_": len(trained.rows),
        "history_": trained.history,
        "stop_reason_": trained.stop_reason,
        **counted,
        **describe(som, prototypes, start.lattice, counted["hits_"]),
    }


def _counted(units: NDArray[np.integer], weight: Floats | None, n_units: int) -> Learned:
    """The number of items of each unit, and their weight."""
    held = np.bincount(units, weights=weight, minlength=n_units).astype(np.float64)
    return {"hits_": np.bincount(units, minlength=n_units), "_held": held}
