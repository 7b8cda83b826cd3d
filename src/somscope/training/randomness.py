"""Random numbers of a training: seeded locally, kept in checkpoints, and the global state as it was afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from somscope.training.order import seed_for

__all__ = ["forked_random", "random_states", "set_random_states"]

_GLOBAL, _OWN = 2**32 - 2, 2**32 - 1  # streams beside those of the phases, which count from 0


@contextmanager
def forked_random(seed: int, device: torch.device) -> Iterator[torch.Generator]:
    """A generator on `device`; meanwhile PyTorch's global generators are seeded, for operations that know no other.

    Dropout and the like draw from the global generators; their state outside is untouched. All processes draw the
    same numbers, see `somscope.parts`.
    """
    with torch.random.fork_rng(devices=[device.index] if device.type == "cuda" else []):
        first = seed_for(seed, _GLOBAL)
        torch.default_generator.manual_seed(first)
        if device.type == "cuda":
            torch.cuda.default_generators[device.index].manual_seed(first)
        yield torch.Generator(device).manual_seed(seed_for(seed, _OWN))


def random_states(generator: torch.Generator) -> dict[str, Tensor]:
    """Name -> (bytes,) uint8 state on the CPU of every generator that a training uses in this process."""
    states = {"generator": generator.get_state(), "cpu": torch.get_rng_state()}
    if generator.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(generator.device)
    return states


def set_random_states(generator: torch.Generator, states: dict[str, Tensor]) -> None:
    """Undo what was drawn since `random_states`."""
    generator.set_state(states["generator"])
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"], generator.device)
