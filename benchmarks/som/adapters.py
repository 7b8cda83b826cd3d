"""What the benchmark asks of a tool: train a map on X, then assign items (batch_peers.py, online_peers.py, ours.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Options", "Tool", "Trained", "costs"]

Options = dict[str, Any]


@dataclass
class Trained:
    """What a training gave. `positions` only where the units are not a full row-major grid; `seconds` only where the
    tool itself says how long the training took (its call does more than train); `passes` where it chose them itself.
    """

    model: Any
    prototypes: np.ndarray  # (K, d)
    positions: np.ndarray | None = None  # (K, 2) integer row and column
    seconds: float | None = None
    passes: float | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Tool:
    """A library, how to train and assign with it, and the settings to try.

    train(X, rows, columns, passes, options, seed) -> Trained; assign(model, X) -> the units, in whatever form the
    library gives them; prepare(X) -> X in the form the library wants (not timed).
    settings: name -> options; the name "default" is the library's own defaults. Two options are the plan's: "passes"
    (instead of ten, or one online) and "cost" (a factor on the tool's cost).
    cost: seconds of one pass as a multiple of the matrix product, by grid; only to plan a run.
    minimum_passes: what the library needs to give a map at all.
    growing: the map has its own number of units, so its times are not those of the workload's grid.
    online: one pass is n single-item updates, and the budget is one pass instead of ten.
    """

    name: str
    package: str
    train: Callable[[Any, int, int, int, Options, int], Trained]
    assign: Callable[[Any, Any], Any] | None
    settings: dict[str, Options]
    cost: dict[str, float]
    prepare: Callable[[np.ndarray], Any] = lambda X: X
    online: bool = False
    growing: bool = False
    minimum_passes: int = 1
    assign_cost: dict[str, float] = field(default_factory=dict)
    note: str = ""


def costs(small: float, large: float, wide: float, tiny: float) -> dict[str, float]:
    """A tool's cost on the grids of the four workloads."""
    return {"8x8": small, "40x40": large, "50x50": wide, "20x20": tiny}
