"""Can generated images be told from real ones, and where on a joint map are they missing or too many?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from somscope.audit.maps import shared_start, train
from somscope.audit.numbers import How, Number, interval_of, joint_halves, judged
from somscope.maps.lattice import Lattice
from somscope.measures.composition import Composition, unit_composition
from somscope.measures.manifolds import precision_recall
from somscope.measures.pairing import cross_distances
from somscope.measures.partitions import permuted_agreement
from somscope.measures.permutation import pair_permutations, swapped_labels
from somscope.measures.two_sample import (
    classifier_accuracy,
    classifier_scores,
    mmd,
    nearest_neighbour_accuracy,
)

__all__ = ["COMPARISON", "JointMap", "composition_of", "detect", "joint_map", "joint_numbers"]

COMPARISON = "real-generated"
FOLDS = 5
_MOST = 1000  # images of a set for which all distances are held

Floats = NDArray[np.float64]
Units = NDArray[np.int64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class JointMap:
    """Real and generated images on one map: units (S, n_real + n_generated) for each seed, real images first."""

    lattice: Lattice
    units: Units
    n_real: int

    @property
    def grid(self) -> str:
        """Rows x columns."""
        return f"{self.lattice.rows}x{self.lattice.columns}"

    @property
    def generated(self) -> Labels:
        """(N,) which items are generated."""
        return np.arange(self.units.shape[1]) >= self.n_real


def joint_map(real: Floats, generated: Floats, lattice: Lattice, seeds: Sequence[int]) -> JointMap:
    """One map of both sets for each seed."""
    pool = np.concatenate([real, generated])
    units = [train(pool, shared_start([pool], lattice, seed), lattice)[0] for seed in seeds]
    return JointMap(lattice, np.stack(units), len(real))


def joint_numbers(maps: JointMap, how: How, *, paired: bool) -> list[Number]:
    """Node-label association (AMI of unit and kind), and for pairs how many share a unit with their partner."""
    draw = how.generator()
    n, m = maps.n_real, maps.units.shape[1] - maps.n_real
    labels = swapped_labels(n, m, how.permutations, draw, paired=paired)
    values = np.stack([_association(units, labels) for units in maps.units])
    few = maps.units[:5]
    numbers = [
        judged(
            values,
            measure="node-label ami",
            comparison=COMPARISON,
            space=how.space,
            grid=maps.grid,
            n=n,
            interval=interval_of(
                [
                    float(np.mean([_association(u[kept], labels[:1, kept])[0] for u in few]))
                    for kept in joint_halves(n, m, draw, paired=paired)
                ],
                float(values[:, 0].mean()),
            )
            if how.intervals
            else None,
        )
    ]
    if paired:
        rows = pair_permutations(n, how.permutations, how.generator())
        together = np.stack([(u[:n] == u[n:][rows]).mean(axis=1) for u in maps.units])
        numbers.append(
            judged(
                together,
                measure="pairs together",
                comparison=COMPARISON,
                space=how.space,
                grid=maps.grid,
                n=n,
                interval=how.interval(
                    lambda half: float((maps.units[:, half] == maps.units[:, n + half]).mean()),
                    n,
                    float(together[:, 0].mean()),
                    draw,
                ),
            )
        )
    return numbers


def _association(units: Units, labels: Labels) -> Floats:
    """(P,) AMI of the unit and each row of labels."""
    first = labels[0].astype(np.int64)
    if (labels.sum(axis=1) == first.sum()).all() and len(set(units.tolist())) > 1:
        # Rows of labels are rearrangements of the first: say which item takes the place of which.
        rows = np.empty(labels.shape, dtype=np.int64)
        ordered = np.argsort(first, kind="stable")
        rows[np.arange(len(labels))[:, None], np.argsort(labels, axis=1, kind="stable")] = ordered
        return permuted_agreement(units, first, rows)["ami"]
    return np.zeros(len(labels))


def detect(real: Floats, generated: Floats, how: How, *, paired: bool) -> list[Number]:
    """Classifier and nearest-neighbour two-sample tests, MMD, and precision, recall, density and coverage.

    Of more than 1,000 images of a set a random 1,000 are compared. For pairs the null hypothesis is that real and
    generated image of a pair could be exchanged; an image's own partner is never its nearest neighbour, and lies in
    the same fold.
    """
    draw = how.generator()
    if paired:
        rows = np.sort(draw.permutation(len(real))[:_MOST])
        real, generated = real[rows], generated[rows]
    else:
        real, generated = (part[np.sort(draw.permutation(len(part))[:_MOST])] for part in (real, generated))
    n, m = len(real), len(generated)
    items = np.concatenate([real, generated])
    distances = cross_distances(items, items)
    folds = np.concatenate([np.arange(n) % FOLDS, np.arange(m) % FOLDS])
    partner = (np.arange(n + m) + n) % (n + m) if paired else None
    labels = swapped_labels(n, m, how.permutations, draw, paired=paired)
    found: dict[str, Floats] = {
        "classifier": classifier_accuracy(classifier_scores(items, folds), labels),
        "1-nn": nearest_neighbour_accuracy(distances, labels, partner),
        "mmd": mmd(distances, labels),
    }
    neighbourhoods = precision_recall(distances, labels)
    found |= neighbourhoods
    intervals: dict[str, tuple[float, float] | None] = dict.fromkeys(found)
    if how.intervals:
        kept = joint_halves(n, m, draw, paired=paired)
        halved = _on_halves(items, distances, folds, labels[:1], kept, paired=paired)
        intervals = {name: interval_of(halved[name], float(found[name][0])) for name in found}
    return [
        judged(
            values[None],
            measure=name,
            comparison=COMPARISON,
            space=how.space,
            n=n,
            less=name in neighbourhoods,
            interval=intervals[name],
        )
        for name, values in found.items()
    ]


def _on_halves(
    items: Floats, distances: Floats, folds: Units, truth: Labels, kept: Sequence[Units], *, paired: bool
) -> dict[str, Floats]:
    """The statistics of `detect` of each half: (60,) each."""
    rows: dict[str, list[float]] = {"classifier": [], "1-nn": [], "mmd": []}
    for half in kept:
        own = (np.arange(len(half)) + len(half) // 2) % len(half) if paired else None
        inside, labels = distances[np.ix_(half, half)], truth[:, half]
        scores = classifier_scores(items[half], folds[half])
        rows["classifier"].append(float(classifier_accuracy(scores, labels)[0]))
        rows["1-nn"].append(float(nearest_neighbour_accuracy(inside, labels, own)[0]))
        rows["mmd"].append(float(mmd(inside, labels)[0]))
    present = np.zeros((len(kept), len(items)), dtype=bool)
    for row, half in zip(present, kept, strict=True):
        row[half] = True
    every = precision_recall(distances, np.repeat(truth, len(kept), axis=0), present=present)
    return {name: np.array(values) for name, values in rows.items()} | every


def composition_of(maps: JointMap) -> Composition:
    """What each unit of the first seed's joint map holds."""
    return unit_composition(maps.units[0], maps.generated, maps.lattice.n_units)
