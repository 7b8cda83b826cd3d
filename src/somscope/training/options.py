"""What a user may choose about a training, and what a training gives back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from somscope.errors import InputError, check_choice
from somscope.maps.gpu import DEVICES
from somscope.training.loggers import Logger

__all__ = ["PRECISIONS", "Trained", "TrainingOptions"]

PRECISIONS = ("fp32", "bf16", "auto")


@dataclass(frozen=True)
class TrainingOptions:
    """Choices of one training; none of them changes what is learned but precision and seed.

    device: "auto" takes a CUDA GPU where PyTorch sees one. precision: "fp32", "bf16" (products in bfloat16, weights
    in float32), "auto" (fp32).
    seed: of the order of the items and of every random operation; the global random state stays as it was.
    checkpoints: folder for checkpoints, metrics.jsonl and history.parquet, made where it is missing; None writes
    nothing. checkpoint_steps and checkpoint_minutes: a checkpoint is written when either is reached, and at the end;
    None never.
    resume: go on from the newest checkpoint of that folder; begins at the start where it holds none.
    other_data: resume although the data are not those that the checkpoint was trained on.
    log_steps: steps between two rows of the history; between them no value is fetched from a GPU.
    loggers: get every row too. hook: gives more numbers for each row, from the model's module in eval mode
    (see `models.agreement_hook`). verbose: progress bar; None shows it only on a terminal.
    settings: of the model, as JSON can hold them; a checkpoint of other ones is refused.
    Raises InputError for values that are not allowed.
    """

    device: str = "auto"
    precision: str = "fp32"
    seed: int = 0
    checkpoints: Path | None = None
    checkpoint_steps: int | None = None
    checkpoint_minutes: float | None = 5.0
    resume: bool = False
    other_data: bool = False
    log_steps: int = 50
    loggers: Sequence[Logger] = ()
    hook: Callable[[nn.Module], Mapping[str, float]] | None = None
    verbose: bool | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("device", self.device, DEVICES)
        check_choice("precision", self.precision, PRECISIONS)
        for what in ("checkpoint_steps", "log_steps"):
            value = getattr(self, what)
            if value is not None and (not isinstance(value, int | np.integer) or value < 1):
                raise InputError(f"{what}={value!r}; it must be a whole number from 1")
        minutes = self.checkpoint_minutes
        if minutes is not None and (not isinstance(minutes, int | float | np.number) or not minutes > 0):
            raise InputError(f"checkpoint_minutes={minutes!r}; it must be a number above 0")
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed={self.seed!r}; it must be a whole number from 0 to 2^63 - 1")
        if self.resume and self.checkpoints is None:
            raise InputError("resume=True needs the folder that holds the checkpoints (checkpoints=...)")


@dataclass
class Trained:
    """What a training did; what it learned is in the modules of its tasks.

    history: one list per column, all of one length: phase, step (steps done since the beginning), epoch, loss, each
    term (means over the steps since the row before; NaN where a phase does not have it) and each scalar.
    stop_reason: "completed", "interrupted", or why the last phase ended before its last step. n_steps: steps done,
    those before a resume included, as are seconds.
    warnings: what went wrong without ending the training, such as a collapsed map or a full disk.
    """

    history: dict[str, list[Any]]
    stop_reason: str
    n_steps: int
    seconds: float
    device: str
    precision: str
    warnings: list[str] = field(default_factory=list)
