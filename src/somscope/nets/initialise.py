"""First weights of a network, drawn from a generator and never from the global random state."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from somscope.errors import InputError

__all__ = ["check_sizes", "gan_normal", "glorot_uniform", "truncated_normal"]


def glorot_uniform(module: nn.Module, generator: torch.Generator | None) -> None:
    """Every weight matrix and filter uniform in +-sqrt(6 / (fan in + fan out)), every bias 0 (Glorot & Bengio 2010).

    None leaves the module as it is: for one whose weights are loaded afterwards.
    """
    if generator is None:
        return
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


def truncated_normal(weight: Tensor, deviation: float, generator: torch.Generator) -> None:
    """A normal distribution, cut at two deviations, in place."""
    nn.init.trunc_normal_(weight, std=deviation, a=-2.0 * deviation, b=2.0 * deviation, generator=generator)


def check_sizes(name: str, sizes: tuple[int, ...] | list[int]) -> tuple[int, ...]:
    """The sizes as a tuple; InputError unless each is a whole number from 1 and their products stay within reason."""
    if not isinstance(sizes, tuple | list) or any(
        not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1 for size in sizes
    ):
        raise InputError(f"{name}={sizes!r}; allowed: whole numbers from 1, for example (500, 500, 2000)")
    if math.prod(sorted(sizes)[-2:]) > 2**31:
        raise InputError(f"{name}={sizes!r} makes a layer of more than 2^31 weights")
    return tuple(int(size) for size in sizes)


def gan_normal(module: nn.Module, generator: torch.Generator | None, deviation: float = 0.02) -> None:
    """Filters normal (0, deviation), batch normalisation's weights normal (1, deviation), biases 0 (Isola et al. 2017).

    None leaves the module as it is: for one whose weights are loaded afterwards.
    """
    if generator is None:
        return
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.BatchNorm2d):
            mean = 1.0 if isinstance(part, nn.BatchNorm2d) else 0.0
            nn.init.normal_(part.weight, mean, deviation, generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
