"""The protocol "corrected": the questions of the paper, answered beside chance, noise and multiplicity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from somscope.audit.agreement import (
    SetMaps,
    compare_geometry,
    compare_matching,
    compare_partitions,
    map_sets,
)
from somscope.audit.detection import JointMap, composition_of, detect, joint_map, joint_numbers
from somscope.audit.examples import Examples, Reason, strongest, why_pairs_meet
from somscope.audit.feature_files import inception_numbers, read_features
from somscope.audit.images import FEWEST, AuditImages
from somscope.audit.numbers import How, Number, with_q
from somscope.audit.prototypes import Prototypes, compare_prototypes
from somscope.audit.rotation import distinct
from somscope.audit.spaces import Space, embed, file_of, space_name, turned
from somscope.maps.lattice import Lattice
from somscope.measures.composition import Composition
from somscope.progress import track

__all__ = ["Corrected", "SpaceResult", "chosen_grids", "corrected"]

GRIDS = (3, 5, 7)
_SHARE = 8  # items of a unit, on average, of the map whose units are tested
_PAIRED = 2000  # pairs whose maps are compared
_JOINT = 4000  # images on a joint map beyond which fewer seeds do
_FEW_SEEDS = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SpaceResult:
    """Of one space: the maps of the sets of pairs by grid, the joint map whose units are tested, and what they hold.

    rows: (m,) which pairs are on the maps of sets. prototypes, examples, reasons: not of a quick audit.
    """

    space: str
    maps: dict[str, SetMaps]
    joint: JointMap
    composition: Composition
    rows: NDArray[np.int64]
    prototypes: Prototypes | None = None
    examples: tuple[Examples, ...] = ()
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, eq=False)
class Corrected:
    """All numbers, with q over those of one question, and the maps of each space."""

    numbers: list[Number]
    spaces: list[SpaceResult]


def chosen_grids(n: int) -> list[int]:
    """Sides of the square maps for n items: 3, 5 and 7, as far as there are as many items as units."""
    return [side for side in GRIDS if side * side <= n] or [2]


def corrected(
    images: AuditImages,
    spaces: Sequence[Space],
    n_seeds: int,
    permutations: int,
    seed: int = 0,
    *,
    quick: bool = False,
) -> Corrected:
    """Compare the sets in every space.

    quick: without intervals, the comparison of prototypes, examples and reasons, which take most of the time.
    """
    numbers: list[Number] = []
    results = []
    for space in spaces:
        how = How(space_name(space), permutations, seed, intervals=not quick)
        parts = images.parts()
        if file := file_of(space):
            inception = how.space.startswith("inception:")
            given = read_features(file, images, inception=inception)
            embedded = dict(zip(given, turned(*given.values()), strict=True))
            if inception:
                numbers += inception_numbers(given["target"], given["generated"], how, paired=images.paired)
        else:
            embedded = dict(zip(parts, embed(space, *parts.values()), strict=True))
        found, result = _in_space(embedded, images.paired, n_seeds, how)
        numbers += found
        if not quick:
            result = _with_examples(result, images, embedded, how)
            assert result.prototypes is not None
            numbers.append(result.prototypes.number)
        results.append(result)
    return Corrected(with_q(numbers), results)


def _with_examples(
    result: SpaceResult, images: AuditImages, items: dict[str, Floats], how: How
) -> SpaceResult:
    real, generated = items["target"], items["generated"]
    sides = chosen_grids(min(len(real), len(generated)))
    side = 5 if 5 in sides else sides[-1]
    maps = (result.maps.get("5x5") or next(iter(result.maps.values()))) if result.maps else None
    return replace(
        result,
        prototypes=compare_prototypes(real, generated, Lattice(side, side), how, paired=images.paired),
        examples=tuple(strongest(items, result.joint, maps, result.rows, how)),
        reasons=tuple(why_pairs_meet(images, items, result.joint, how)) if images.paired else (),
    )


def _in_space(
    items: dict[str, Floats], paired: bool, n_seeds: int, how: How
) -> tuple[list[Number], SpaceResult]:
    numbers: list[Number] = []
    maps: dict[str, SetMaps] = {}
    seeds = range(how.seed, how.seed + n_seeds)
    real, generated = items["target"], items["generated"]
    rows = np.arange(len(real))
    if paired:
        rows = np.sort(how.generator().permutation(len(real))[:_PAIRED])
        chosen = {part: values[rows] for part, values in items.items()}
        comparisons = list(combinations(items, 2))
        for side in track(chosen_grids(len(rows)), f"Maps in space {how.space}"):
            made = map_sets(chosen, Lattice(side, side), seeds)
            maps[made.grid] = made
            for first, second in comparisons:
                numbers += compare_partitions(made, first, second, how)
                if side == 5:
                    numbers.append(compare_matching(made, first, second, how))
        for first, second in comparisons:
            numbers += compare_geometry(chosen, first, second, how)
            numbers += _without_repeats(chosen, first, second, seeds, how)
    pool = len(real) + len(generated)
    few = seeds if pool <= _JOINT else seeds[:_FEW_SEEDS]
    sides = chosen_grids(min(len(real), len(generated)))
    main = max((side for side in sides if side * side * _SHARE <= pool), default=sides[0])
    shown: JointMap | None = None
    for side in sides:
        joint = joint_map(real, generated, Lattice(side, side), few)
        numbers += joint_numbers(joint, how, paired=paired)
        shown = joint if side == main else shown
    assert shown is not None
    numbers += detect(real, generated, how, paired=paired)
    return numbers, SpaceResult(how.space, maps, shown, composition_of(shown), rows)


def _without_repeats(
    items: dict[str, Floats], first: str, second: str, seeds: Sequence[int], how: How
) -> list[Number]:
    """What is said of pairs when of identical images of the first set only one is used; nothing where there are none.

    Repeated inputs whose outputs are alike agree however little the generator keeps of different ones.
    """
    _, which = distinct([items[first]])
    rows = np.unique(which, return_index=True)[1]
    if not FEWEST <= len(rows) < len(which):
        return []
    few = {part: items[part][rows] for part in (first, second)}
    sides = chosen_grids(len(rows))
    side = 5 if 5 in sides else sides[-1]
    maps = map_sets(few, Lattice(side, side), seeds)
    numbers = compare_partitions(maps, first, second, how) + compare_geometry(few, first, second, how)
    return [replace(number, items="distinct") for number in numbers]
