"""One number of an audit with everything that is needed to judge it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.measures.permutation import benjamini_hochberg, permutation_p

__all__ = [
    "ALPHA",
    "BEST",
    "SHARES",
    "How",
    "Number",
    "half_sample_interval",
    "halves",
    "interval_of",
    "joint_halves",
    "judged",
    "wilson_interval",
    "with_q",
]

ALPHA = 0.05
HALVES = 60
# The value that a measure takes where two sets could not agree (or differ) more; for others there is none.
BEST = {
    **dict.fromkeys(("ami", "ari", "matched clusters", "mantel", "cka", "retrieval", "pairs together"), 1.0),
    **dict.fromkeys(("classifier", "1-nn"), 1.0),
    **dict.fromkeys(("vi", "precision", "recall", "density", "coverage"), 0.0),
}
# Shares of items: of halves alone their intervals would be empty where all items, or none, are counted.
SHARES = ("retrieval", "pairs together", "classifier", "1-nn", "precision", "recall", "coverage")
_MEASURED = ("value", "chance", "chance_std", "p", "q", "z", "effect", "low", "high", "ceiling", "seed_std")


@dataclass(frozen=True)
class How:
    """How numbers are made: the space, permutations of each null distribution, the seed, and whether with intervals."""

    space: str
    permutations: int
    seed: int
    intervals: bool = True

    def generator(self) -> np.random.Generator:
        """The same random stream for every number, so that none depends on which others are asked for."""
        return np.random.default_rng(self.seed)

    def interval(
        self, statistic: Callable[[NDArray[np.int64]], float], n: int, value: float, draw: np.random.Generator
    ) -> tuple[float, float] | None:
        """That of `half_sample_interval`, or None where intervals are not asked for."""
        return half_sample_interval(statistic, n, value, draw) if self.intervals else None


@dataclass(frozen=True)
class Number:
    """A measure of one comparison.

    comparison: such as "source-generated". space, grid ("" where no map is involved), n (items of a set), seeds and
    permutations say how it was made. value: mean over seeds. chance, chance_std: of the value under permutations.
    p: one-sided, that chance gives at least (for `vi`: at most) the value; q: the same after control of the false
    discovery rate over its family (Benjamini-Hochberg). z: (value - chance) / chance_std, signed so that more is
    more of what is tested; it grows with n. effect: (value - chance) / (best - chance), 0 at chance and 1 at the best
    (`BEST`), whatever n is. low, high: 95 % interval from half samples. ceiling: what two seeds on identical images
    reach. seed_std: deviation between seeds. items: "all", or "distinct": one of each set of identical images. None:
    does not apply.
    """

    measure: str
    comparison: str
    space: str
    grid: str
    n: int
    seeds: int
    permutations: int
    value: float
    chance: float | None = None
    chance_std: float | None = None
    p: float | None = None
    q: float | None = None
    z: float | None = None
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    ceiling: float | None = None
    seed_std: float | None = None
    items: str = "all"

    @property
    def family(self) -> str:
        """What is asked: "difference" (of real and generated images as a whole), or the two sets compared in pairs.

        Numbers of one question share the control of false discoveries. Over all questions at once, many true answers
        to one would raise the rate of false ones to another.
        """
        if self.measure == "pairs together":
            return "generated-target"
        return (
            "difference"
            if self.comparison == "real-generated"
            else "-".join(sorted(self.comparison.split("-")))
        )

    @property
    def significant(self) -> bool:
        """Whether q is at most 0.05."""
        return self.q is not None and self.q <= ALPHA

    def record(self) -> dict[str, Any]:
        """As JSON: numbers with six digits."""
        row = asdict(self)
        return row | {name: None if row[name] is None else float(f"{row[name]:.6g}") for name in _MEASURED}


def judged(
    values: NDArray[np.float64],
    *,
    measure: str,
    comparison: str,
    space: str,
    grid: str = "",
    n: int,
    less: bool = False,
    interval: tuple[float, float] | None = None,
    ceiling: float | None = None,
) -> Number:
    """The number of a statistic under permutations.

    values: (S, P + 1) for S seeds, the truth first, then the same permutations for every seed: the mean over seeds is
    what is tested. less: small values are what is looked for.
    """
    mean = values.mean(axis=0)
    sign = -1.0 if less else 1.0
    null = mean[1:]
    spread = float(null.std(ddof=1)) if len(null) > 1 else 0.0
    gap = float(mean[0]) - float(null.mean())
    room = BEST[measure] - float(null.mean()) if measure in BEST else 0.0
    if interval is not None and measure in SHARES:
        low, high = wilson_interval(float(mean[0]), n)
        interval = (max(0.0, min(interval[0], low)), min(1.0, max(interval[1], high)))
    return Number(
        measure=measure,
        comparison=comparison,
        space=space,
        grid=grid,
        n=n,
        seeds=len(values) if grid else 1,
        permutations=len(null),
        value=float(mean[0]),
        chance=float(null.mean()),
        chance_std=spread,
        p=permutation_p(sign * float(mean[0]), sign * null),
        z=sign * gap / spread if spread > 1e-12 else 0.0,
        effect=gap / room if abs(room) > 1e-12 else None,
        low=None if interval is None else interval[0],
        high=None if interval is None else interval[1],
        ceiling=ceiling,
        seed_std=float(values[:, 0].std(ddof=1)) if grid and len(values) > 1 else None,
    )


def half_sample_interval(
    statistic: Callable[[NDArray[np.int64]], float], n: int, value: float, generator: np.random.Generator
) -> tuple[float, float]:
    """A 95 % interval: the spread of the statistic over 60 random halves of the items, around its value.

    Halves are drawn without replacement, since the repeats of an ordinary bootstrap sample would be each other's
    nearest neighbours and agree with themselves. Leaving out half of n items, the deviation over halves estimates that
    of n (delete-d jackknife, d = n / 2; Shao & Wu 1989). Maps are not trained again.
    """
    return interval_of([statistic(half) for half in halves(n, generator)], value)


def halves(n: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """(60, n // 2) random halves of n items."""
    return np.stack([generator.permutation(n)[: n // 2] for _ in range(HALVES)])


def joint_halves(n: int, m: int, generator: np.random.Generator, *, paired: bool) -> list[NDArray[np.int64]]:
    """Rows of the joint set (n real images, then m generated): random halves of the pairs, or of each set."""
    first = halves(n, generator)
    second = first if paired else halves(m, generator)
    return [np.concatenate([one, n + other]) for one, other in zip(first, second, strict=True)]


def interval_of(halved: ArrayLike, value: float) -> tuple[float, float]:
    """The interval of a value from those of random halves: their 2.5 and 97.5 % quantiles, moved to the value."""
    found = np.asarray(halved, dtype=np.float64)
    low, high = np.quantile(found - found.mean(), [0.025, 0.975])
    return value + float(low), value + float(high)


def wilson_interval(share: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share of n items (Wilson 1927), which is not empty at 0 and 1 as that of halves is."""
    z = 1.959964
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return middle - reach, middle + reach


def with_q(numbers: Sequence[Number]) -> list[Number]:
    """The numbers with q, over all of a family that have a p."""
    p = np.array([np.nan if number.p is None else number.p for number in numbers])
    families = np.array([number.family for number in numbers])
    q = np.full(len(numbers), np.nan)
    for family in set(families.tolist()):
        q[families == family] = benjamini_hochberg(p[families == family])
    return [
        replace(number, q=None if np.isnan(value) else float(value))
        for number, value in zip(numbers, q, strict=True)
    ]
