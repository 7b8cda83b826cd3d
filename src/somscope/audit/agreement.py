"""Do two paired sets agree? Partitions by maps with one start, geometry, and whether partners find each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from somscope.audit.maps import shared_start, train
from somscope.audit.numbers import How, Number, judged
from somscope.maps.lattice import Lattice
from somscope.measures.pairing import cross_distances, linear_cka, mantel, retrieval
from somscope.measures.partitions import AGREEMENTS, permuted_agreement
from somscope.measures.permutation import pair_permutations

__all__ = [
    "SetMaps",
    "compare_geometry",
    "compare_matching",
    "compare_partitions",
    "map_sets",
    "matched_share",
]

Floats = NDArray[np.float64]
Units = NDArray[np.int64]
_FEW_SEEDS = 5  # whose maps are halved for the intervals of partitions
_MOST = 500  # pairs for which matrices of all distances are permuted


@dataclass(frozen=True, eq=False)
class SetMaps:
    """The units of the items of each set under each seed: units[part] (S, n); all maps of a seed share their start."""

    lattice: Lattice
    units: dict[str, Units]

    @property
    def grid(self) -> str:
        """Rows x columns."""
        return f"{self.lattice.rows}x{self.lattice.columns}"


def map_sets(items: dict[str, Floats], lattice: Lattice, seeds: Sequence[int]) -> SetMaps:
    """Train the map of every set for every seed."""
    units: dict[str, list[Units]] = {part: [] for part in items}
    for seed in seeds:
        start = shared_start(list(items.values()), lattice, seed)
        for part, rows in items.items():
            units[part].append(train(rows, start, lattice)[0])
    return SetMaps(lattice, {part: np.stack(rows) for part, rows in units.items()})


def compare_partitions(maps: SetMaps, first: str, second: str, how: How) -> list[Number]:
    """AMI, ARI and variation of information of two sets' maps, and the share of images in matched clusters."""
    one, two = maps.units[first], maps.units[second]
    n = one.shape[1]
    draw = how.generator()
    rows = pair_permutations(n, how.permutations, draw)
    found = [permuted_agreement(a, b, rows) for a, b in zip(one, two, strict=True)]
    identity = np.arange(n // 2)[None]
    ceilings = [_ceiling(maps.units[part]) for part in (first, second)]
    numbers = []
    for name in AGREEMENTS:
        values = np.stack([row[name] for row in found])
        few = list(zip(one[:_FEW_SEEDS], two[:_FEW_SEEDS], strict=True))

        def halved(half: Units, name: str = name, few: list[tuple[Units, Units]] = few) -> float:
            return float(np.mean([permuted_agreement(a[half], b[half], identity)[name][0] for a, b in few]))

        least, most = [min(pair[name] for pair in ceilings), max(pair[name] for pair in ceilings)]
        numbers.append(
            judged(
                values,
                measure=name,
                comparison=f"{first}-{second}",
                space=how.space,
                grid=maps.grid,
                n=n,
                less=name == "vi",
                interval=how.interval(halved, n, float(values[:, 0].mean()), draw),
                ceiling=most if name == "vi" else float(np.sqrt(max(0.0, least) * max(0.0, most))),
            )
        )
    return numbers


def matched_share(first: Units, second: Units) -> float:
    """Share of images in the clusters of the second map that are matched one to one with those of the first, best."""
    table = np.zeros((int(first.max()) + 1, int(second.max()) + 1))
    np.add.at(table, (first, second), 1)
    rows, columns = linear_sum_assignment(table, maximize=True)
    return float(table[rows, columns].sum() / len(first))


def compare_matching(maps: SetMaps, first: str, second: str, how: How) -> Number:
    """Symmetric matching of clusters (Hungarian method) in place of the paper's best match for each cluster."""
    draw = how.generator()
    n = maps.units[first].shape[1]
    rows = pair_permutations(n, how.permutations, draw)
    pairs = list(zip(maps.units[first][:_FEW_SEEDS], maps.units[second][:_FEW_SEEDS], strict=True))
    values = np.array([[matched_share(a, b[row]) for row in rows] for a, b in pairs])
    ceilings = [
        np.mean([matched_share(a, b) for a, b in zip(units, np.roll(units, 1, axis=0), strict=True)])
        for units in (maps.units[first][:_FEW_SEEDS], maps.units[second][:_FEW_SEEDS])
    ]
    return judged(
        values,
        measure="matched clusters",
        comparison=f"{first}-{second}",
        space=how.space,
        grid=maps.grid,
        n=n,
        interval=how.interval(
            lambda half: float(np.mean([matched_share(a[half], b[half]) for a, b in pairs])),
            n,
            float(values[:, 0].mean()),
            draw,
        ),
        ceiling=float(np.sqrt(ceilings[0] * ceilings[1])),
    )


def _ceiling(units: Units) -> dict[str, float]:
    """Mean agreement of each seed's map with the next seed's, of the same images."""
    identity = np.arange(units.shape[1])[None]
    if len(units) < 2:
        return dict.fromkeys(AGREEMENTS, float("nan"))
    found = [
        permuted_agreement(a, b, identity) for a, b in zip(units, np.roll(units, 1, axis=0), strict=True)
    ]
    return {name: float(np.mean([row[name][0] for row in found])) for name in AGREEMENTS}


def compare_geometry(items: dict[str, Floats], first: str, second: str, how: How) -> list[Number]:
    """Mantel correlation and linear CKA, and how often partners find each other, in both directions."""
    draw = how.generator()
    one, two = items[first], items[second]
    chosen = np.sort(draw.permutation(len(one))[:_MOST])
    one, two = one[chosen], two[chosen]
    n = len(one)
    rows = pair_permutations(n, how.permutations, draw)
    within = [cross_distances(part, part) for part in (one, two)]
    across = cross_distances(one, two)

    def number(
        measure: str, values: Floats, statistic: object, comparison: str = f"{first}-{second}"
    ) -> Number:
        interval = how.interval(statistic, n, float(values[0]), draw)  # type: ignore[arg-type]
        return judged(
            values[None],
            measure=measure,
            comparison=comparison,
            space=how.space,
            n=n,
            interval=interval,
            ceiling=1.0,
        )

    identity = np.arange(n // 2)[None]

    def half(matrix: Floats, rows_of: Units) -> Floats:
        return np.asarray(matrix[np.ix_(rows_of, rows_of)])

    return [
        number(
            "mantel",
            mantel(within[0], within[1], rows),
            lambda h: mantel(half(within[0], h), half(within[1], h), identity)[0],
        ),
        number("cka", linear_cka(one, two, rows), lambda h: linear_cka(one[h], two[h], identity)[0]),
        number("retrieval", retrieval(across, rows), lambda h: retrieval(half(across, h), identity)[0]),
        number(
            "retrieval",
            retrieval(across.T, rows),
            lambda h: retrieval(half(across.T, h), identity)[0],
            f"{second}-{first}",
        ),
    ]
