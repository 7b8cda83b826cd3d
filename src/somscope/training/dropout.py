"""Dropout of which several processes draw the same as one, and each takes what is for its items."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager

from torch import Tensor, nn

from somscope.parts import dropout
from somscope.training.fabric import Runtime
from somscope.training.forwards import replaced_forwards

__all__ = ["global_dropout"]


def global_dropout(modules: Sequence[nn.Module], runtime: Runtime) -> AbstractContextManager[None]:
    """Meanwhile the dropouts inside `modules` draw for the global batch; in a single process they stay as they are."""
    return replaced_forwards(modules, nn.Dropout, runtime, _Forward)


class _Forward:
    def __init__(self, module: nn.Dropout) -> None:
        self.module = module

    def __call__(self, x: Tensor) -> Tensor:
        """x: (g b, ...)."""
        return dropout(x, self.module.p) if self.module.training else x
