"""Schedules of a learning rate, in steps or in epochs."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from somscope.errors import check_choice

__all__ = ["Schedule", "cosine", "set_rate", "staircase"]


@dataclass(frozen=True)
class Schedule:
    """learning rate = factor(t) * the rate that the optimizer was made with.

    factor: of the steps or the epochs done in the phase, from 0. by: "step" or "epoch".
    Raises InputError for another `by`.
    """

    factor: Callable[[int], float]
    by: str = "step"

    def __post_init__(self) -> None:
        check_choice("by", self.by, ("step", "epoch"))


def staircase(factor: float, every: int) -> Callable[[int], float]:
    """t -> factor^floor(t / every)."""
    return lambda t: factor ** (t // every)


def cosine(n: int, last: float = 0.0) -> Callable[[int], float]:
    """t -> last + (1 - last) (1 + cos(pi t / n)) / 2, from 1 at t = 0 to `last` at t = n, and no further."""
    return lambda t: last + (1.0 - last) * 0.5 * (1.0 + math.cos(math.pi * min(t, n) / n))


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Give a group of an optimizer's parameters a learning rate."""
    if hasattr(group["lr"], "fill_"):  # a tensor, as a captured graph needs it
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate
