"""Averages of gradients that have vanished, taken out of the optimizers before they make every step slow."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.optim import Optimizer

__all__ = ["STEPS", "VANISHED", "forget_vanished"]

STEPS = (
    64  # an average that decays by 0.9 a step falls from VANISHED to 1e-37 in so many, still a normal number
)
VANISHED = 1e-34  # the root of it, which is what is added to eps, is a billionth of the smallest eps in use


@torch.no_grad()
def forget_vanished(optimizers: Iterable[Optimizer]) -> None:
    """Set what an optimizer on the CPU remembers of each weight, where it is below VANISHED, to 0.

    The weight of a pixel that is always black, or of a ReLU that is never active, has a gradient of exactly 0. Its
    averages then shrink by a factor at every step, down to subnormal numbers, where they stay: processors work on these
    many times more slowly, and a step of Adam takes six times as long. CUDA has no such cost.
    """
    for optimizer in optimizers:
        for remembered in optimizer.state.values():
            for average in remembered.values():
                if isinstance(average, Tensor) and average.dim() > 0 and average.device.type == "cpu":
                    average.masked_fill_(average.abs() < VANISHED, 0)
