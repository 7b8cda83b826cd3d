"""Do real and generated images get the same prototypes? Two maps with one start, beside maps of exchanged images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from somscope.audit.maps import shared_start, train, unit_means
from somscope.audit.numbers import How, Number, interval_of, joint_halves, judged
from somscope.maps.lattice import Lattice
from somscope.measures.permutation import swapped_labels

__all__ = ["Prototypes", "compare_prototypes"]

_MOST = 300  # images of a set: every permutation trains two maps
_PERMUTATIONS = 99

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Prototypes:
    """How far the prototypes of equal units lie apart, and the units of the images on either map.

    rows: part -> (m,) which images were mapped; units: part -> (m,) where they lie.
    """

    number: Number
    lattice: Lattice
    rows: dict[str, NDArray[np.int64]]
    units: dict[str, NDArray[np.int64]]


def compare_prototypes(
    real: Floats, generated: Floats, lattice: Lattice, how: How, *, paired: bool
) -> Prototypes:
    """Root mean square distance of the prototypes of equal units, over that of the images from their mean.

    Both maps start from the same prototypes. Each of at most 99 permutations exchanges real and generated images
    (within pairs, or all) and trains both maps again from that start. Of more than 300 images of a set a random 300.
    """
    draw = how.generator()
    first = np.sort(draw.permutation(len(real))[:_MOST])
    second = first if paired else np.sort(draw.permutation(len(generated))[:_MOST])
    n, m = len(first), len(second)
    pool = np.concatenate([real[first], generated[second]])
    labels = swapped_labels(n, m, min(how.permutations, _PERMUTATIONS), draw, paired=paired)
    start = shared_start([pool], lattice, how.seed)
    spread = float(np.sqrt(np.square(pool - pool.mean(axis=0)).sum(axis=1).mean())) or 1.0

    def apart(one: Floats, other: Floats) -> float:
        return float(np.sqrt(np.square(one - other).sum(axis=1).mean())) / spread

    values = np.array(
        [apart(*(train(pool[row == kind], start, lattice)[1] for kind in (0, 1))) for row in labels]
    )
    units = [train(pool[labels[0] == kind], start, lattice)[0] for kind in (0, 1)]
    halved = [
        apart(
            unit_means(pool[half[: n // 2]], units[0][half[: n // 2]], lattice),
            unit_means(pool[half[n // 2 :]], units[1][half[n // 2 :] - n], lattice),
        )
        for half in joint_halves(n, m, draw, paired=paired)
    ]
    number = judged(
        values[None],
        measure="prototype distance",
        comparison="real-generated",
        space=how.space,
        grid=f"{lattice.rows}x{lattice.columns}",
        n=n,
        interval=interval_of(halved, float(values[0])),
    )
    return Prototypes(
        number,
        lattice,
        {"target": first, "generated": second},
        dict(zip(("target", "generated"), units, strict=True)),
    )
