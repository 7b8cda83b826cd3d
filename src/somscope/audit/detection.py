"""Can generated images be told from real ones, and where on a joint map are they missing or too many?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from somscope.audit.maps import shared_start, train
from somscope.audit.numbers import Number, half_sample_interval, judged
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
_MANY = 200  # images of a set beyond which neighbourhoods are permuted fewer times
_FEWER = 99

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


def joint_numbers(maps: JointMap, space: str, permutations: int, seed: int, *, paired: bool) -> list[Number]:
    """Node-label association (AMI of unit and kind), and for pairs how many share a unit with their partner."""
    draw = np.random.default_rng(seed)
    n, m = maps.n_real, maps.units.shape[1] - maps.n_real
    labels = swapped_labels(n, m, permutations, draw, paired=paired)
    values = np.stack([_association(units, labels) for units in maps.units])
    few = maps.units[:5]
    numbers = [
        judged(
            values,
            measure="node-label ami",
            comparison=COMPARISON,
            space=space,
            grid=maps.grid,
            n=n,
            interval=_interval(
                lambda kept: float(np.mean([_association(u[kept], labels[:1, kept])[0] for u in few])),
                n,
                m,
                paired,
                float(values[:, 0].mean()),
                draw,
            ),
        )
    ]
    if paired:
        rows = pair_permutations(n, permutations, draw)
        together = np.stack([(u[:n] == u[n:][rows]).mean(axis=1) for u in maps.units])
        numbers.append(
            judged(
                together,
                measure="pairs together",
                comparison=COMPARISON,
                space=space,
                grid=maps.grid,
                n=n,
                interval=half_sample_interval(
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


def _interval(
    statistic: Callable[[Units], float],
    n: int,
    m: int,
    paired: bool,
    value: float,
    draw: np.random.Generator,
) -> tuple[float, float]:
    """The interval of a statistic of rows of the joint set: halves of the pairs, or of each set."""
    if paired:
        return half_sample_interval(lambda half: statistic(np.concatenate([half, n + half])), n, value, draw)
    return half_sample_interval(
        lambda half: statistic(np.concatenate([half, n + draw.permutation(m)[: m // 2]])), n, value, draw
    )


def detect(
    real: Floats, generated: Floats, space: str, permutations: int, seed: int, *, paired: bool
) -> list[Number]:
    """Classifier and nearest-neighbour two-sample tests, MMD, and precision, recall, density and coverage.

    Of more than 1,000 images of a set a random 1,000 are compared. For pairs the null hypothesis is that real and
    generated image of a pair could be exchanged; an image's own partner is never its nearest neighbour, and lies in
    the same fold.
    """
    draw = np.random.default_rng(seed)
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
    labels = swapped_labels(n, m, permutations, draw, paired=paired)
    few = labels if max(n, m) <= _MANY else labels[: _FEWER + 1]
    truth = labels[:1]

    def halved_distances(kept: Units) -> Floats:
        return np.asarray(distances[np.ix_(kept, kept)])

    def neighbours(kept: Units) -> float:
        half = len(kept) // 2
        own = (np.arange(len(kept)) + half) % len(kept) if paired else None
        return float(nearest_neighbour_accuracy(halved_distances(kept), truth[:, kept], own)[0])

    found: dict[str, tuple[Floats, Callable[[Units], float]]] = {
        "classifier": (
            classifier_accuracy(classifier_scores(items, folds), labels),
            lambda kept: float(
                classifier_accuracy(classifier_scores(items[kept], folds[kept]), truth[:, kept])[0]
            ),
        ),
        "1-nn": (nearest_neighbour_accuracy(distances, labels, partner), neighbours),
        "mmd": (mmd(distances, labels), lambda kept: float(mmd(halved_distances(kept), truth[:, kept])[0])),
    }
    neighbourhoods = precision_recall(distances, few)
    for name, values in neighbourhoods.items():
        found[name] = (
            values,
            lambda kept, name=name: float(  # type: ignore[misc]
                precision_recall(halved_distances(kept), truth[:, kept])[name][0]
            ),
        )
    return [
        judged(
            values[None],
            measure=name,
            comparison=COMPARISON,
            space=space,
            n=n,
            less=name in neighbourhoods,
            interval=_interval(statistic, n, m, paired, float(values[0]), draw),
        )
        for name, (values, statistic) in found.items()
    ]


def composition_of(maps: JointMap) -> Composition:
    """What each unit of the first seed's joint map holds."""
    return unit_composition(maps.units[0], maps.generated, maps.lattice.n_units)
