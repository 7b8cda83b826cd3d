"""The order of the items: a function of the seed, the phase and the epoch, so that it needs no state of its own."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

__all__ = ["epoch_order", "seed_for"]


def seed_for(seed: int, *stream: int) -> int:
    """A seed for one use, independent of those for other values of `stream` (NumPy's SeedSequence)."""
    state = np.random.SeedSequence([seed, *stream]).generate_state(1, np.uint64)
    return int(state[0]) >> 1  # a torch.Generator takes what fits into a signed integer


def epoch_order(n_items: int, shuffle: bool, seed: int, phase: int, epoch: int) -> Tensor:
    """(n,) int64 permutation in which an epoch of a phase visits the items; the data's own order without shuffle."""
    if not shuffle:
        return torch.arange(n_items)
    generator = torch.Generator().manual_seed(seed_for(seed, phase, epoch))
    return torch.randperm(n_items, generator=generator)
