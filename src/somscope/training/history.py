"""The history of a training: losses kept on the device until a row is due, and checked before they are written."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from somscope.errors import InputError, TrainingError
from somscope.objectives.losses import Losses

__all__ = ["History"]

_OWN = ("phase", "step", "epoch", "loss")
_EXPLODED = 1e6  # times the first loss of the phase, or this where that was below 1


class History:
    """Rows of named numbers; between two rows no value is fetched from the device."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self.waiting: list[dict[str, float]] = []  # fetched and checked, not yet in a row
        self.limit: float | None = None  # of the loss, in this phase
        self._held: list[tuple[int, dict[str, Tensor], float]] = []

    def add(self, step: int, losses: Losses, share: float) -> None:
        """Keep the losses of a step of the phase, on the device."""
        for name in losses.terms:
            if name in _OWN:
                raise InputError(f"a loss term cannot be called {name!r}: the history has such a column")
        kept = {
            "loss": losses.total,
            **losses.terms,
        }  # detached, so that no graph is held until the row is due
        self._held.append((step, {name: value.detach() for name, value in kept.items()}, share))

    def collect(self, phase: str, total: Any) -> None:
        """Fetch what is held, summed over the processes by `total`; TrainingError for NaN and for an explosion."""
        if not self._held:
            return
        values = torch.stack([v.float() for _, terms, _ in self._held for v in terms.values()])
        shares = torch.tensor([share for _, terms, share in self._held for _ in terms])
        fetched = iter(total(values * shares.to(values.device)).tolist())
        held, self._held = self._held, []
        for step, terms, _ in held:
            row = {name: next(fetched) for name in terms}
            self._check(row, phase, step)
            self.waiting.append(row)

    def write(self, phase: str, step: int, epoch: int, scalars: Mapping[str, float]) -> dict[str, Any]:
        """Make a row of what is waiting: means over the steps that have a term."""
        row: dict[str, Any] = {"phase": phase, "step": step, "epoch": epoch}
        for name in dict.fromkeys(name for values in self.waiting for name in values):
            values = [v[name] for v in self.waiting if name in v]
            row[name] = math.fsum(values) / len(values)
        row.update({name: float(value) for name, value in scalars.items()})
        self.waiting = []
        self.rows.append(row)
        return row

    def columns(self) -> dict[str, list[Any]]:
        """The rows as columns of one length; NaN where a row has no value."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return {name: [row.get(name, math.nan) for row in self.rows] for name in names}

    def _check(self, row: dict[str, float], phase: str, step: int) -> None:
        for name in (*(n for n in row if n != "loss"), "loss"):  # the term is more telling than their sum
            if not math.isfinite(row[name]):
                raise TrainingError(name, phase, step, f"is {row[name]}")
        if self.limit is None:
            self.limit = _EXPLODED * max(1.0, abs(row["loss"]))
        if row["loss"] > self.limit:
            name = max((n for n in row if n != "loss"), key=lambda n: row[n], default="loss")
            raise TrainingError(
                name, phase, step, f"exploded: it is {row[name]:.3g}, the loss {row['loss']:.3g}"
            )
