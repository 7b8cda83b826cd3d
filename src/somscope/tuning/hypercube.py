"""Latin hypercube samples of a model's parameters (McKay et al. 1979; the SOMRL paper, section 5.1 and Table 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from somscope.errors import InputError, check_choice

__all__ = ["PUBLISHED", "Range", "hypercube", "parse_range", "published_ranges"]


@dataclass(frozen=True)
class Range:
    """low to high, both included; equal ends fix the parameter. whole: whole numbers only.

    Raises InputError for ends that are no such range.
    """

    low: float
    high: float
    whole: bool = False

    def __post_init__(self) -> None:
        if not (-1e300 < self.low <= self.high < 1e300):
            raise InputError(
                f"a range from {self.low} to {self.high}; allowed: two numbers, the lower one first"
            )
        if self.whole and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise InputError(f"a range from {self.low} to {self.high} of a parameter that is a whole number")

    def value(self, share: float) -> float | int:
        """What lies at a share in [0, 1) of the range; whole numbers are all as likely."""
        if self.whole:
            return int(self.low + share * (self.high - self.low + 1))
        return float(f"{self.low + share * (self.high - self.low):.6g}")


_SOMRL = {
    "initial": {
        "threshold": Range(0.95, 0.999),
        "learning_rate": Range(0.001, 0.3),
        "repel_rate": Range(0.0, 1.0),
        "life_decay": Range(0.01, 0.6),
        "relevance_rate": Range(0.01, 0.5),
        "gamma": Range(0.17, 7.0),
        "smoothness": Range(0.01, 0.7),
        "max_units": Range(20, 300, whole=True),
    },
    "adjusted": {
        "threshold": Range(0.99, 0.999),
        "learning_rate": Range(0.05, 0.15),
        "repel_rate": Range(0.5, 1.0),
        "life_decay": Range(0.1, 0.5),
        "relevance_rate": Range(0.01, 0.15),
        "gamma": Range(2.0, 6.0),
        "smoothness": Range(0.4, 0.7),
        "max_units": Range(50, 250, whole=True),
    },
}

# Table 2 of the SOMRL paper. Epochs and batches stay at the model's defaults, which are those the authors kept after
# their search. The lower end of the adjusted relevance rate is printed as "01".
PUBLISHED: Mapping[str, Mapping[str, Mapping[str, Range]]] = {
    "somrl": _SOMRL,
    "dc-somrl": {
        "initial": {"alpha": Range(0.01, 1.0), "latent_dim": Range(10, 50, whole=True), **_SOMRL["initial"]},
        "adjusted": {
            "alpha": Range(0.01, 0.15),
            "latent_dim": Range(20, 30, whole=True),
            **_SOMRL["adjusted"],
        },
    },
}


def published_ranges(model: str, which: str) -> dict[str, Range]:
    """The ranges of Table 2 for a model, none for one that it does not have. which: "initial" or "adjusted"."""
    check_choice("ranges", which, ("initial", "adjusted"))
    return dict(PUBLISHED.get(model, {}).get(which, {}))


def parse_range(text: str, defaults: Mapping[str, Any]) -> tuple[str, Range]:
    """NAME=LOW:HIGH or NAME=VALUE, where `defaults` holds the model's parameters; it is a whole number if its default
    is. Raises InputError for anything else, and for parameters that are no numbers."""
    numbers = [name for name, default in defaults.items() if type(default) in (int, float)]
    name, equals, ends = (part.strip() for part in text.partition("="))
    low, colon, high = ends.partition(":")
    if not equals:
        raise InputError(f"--range {text!r}: expected NAME=LOW:HIGH, or NAME=VALUE to fix it")
    if name in defaults and name not in numbers:
        raise InputError(f"--range {text!r}: {name} is no number, its default is {defaults[name]!r}")
    check_choice("parameter", name, numbers)
    try:
        first, last = float(low), float(high if colon else low)
    except ValueError:
        raise InputError(
            f"--range {text!r}: expected numbers, NAME=LOW:HIGH, or NAME=VALUE to fix it"
        ) from None
    try:
        return name, Range(first, last, whole=type(defaults[name]) is int)
    except InputError as error:
        raise InputError(f"--range {text!r}: {error}") from None


def hypercube(ranges: Mapping[str, Range], n: int, seed: int) -> list[dict[str, float | int]]:
    """n settings: each parameter's range is cut into n equal parts, and each part has one of the settings.

    Raises InputError for fewer than one setting, and where no parameter varies.
    """
    from scipy.stats.qmc import LatinHypercube

    if n < 1:
        raise InputError(f"samples={n}; allowed: a whole number from 1")
    if not any(r.low < r.high for r in ranges.values()):
        raise InputError("no parameter has a range to search: give some as NAME=LOW:HIGH")
    shares = LatinHypercube(len(ranges), seed=seed).random(n)
    return [
        {name: r.value(float(share)) for (name, r), share in zip(ranges.items(), row, strict=True)}
        for row in shares
    ]
