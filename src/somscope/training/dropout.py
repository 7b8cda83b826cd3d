"""Dropout of which several processes draw the same as one, and each takes what is for its items."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from somscope.parts import dropout
from somscope.training.fabric import Runtime

__all__ = ["global_dropout"]


@contextmanager
def global_dropout(modules: Sequence[nn.Module], runtime: Runtime) -> Iterator[None]:
    """Meanwhile the dropouts inside `modules` draw for the global batch; in a single process they stay as they are."""
    found = {m for module in modules for m in module.modules() if isinstance(m, nn.Dropout)}
    if runtime.n_processes == 1:
        found = set()
    for module in found:
        module.forward = _Forward(module)  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        for module in found:
            del module.forward


class _Forward:
    def __init__(self, module: nn.Dropout) -> None:
        self.module = module

    def __call__(self, x: Tensor) -> Tensor:
        """x: (g b, ...)."""
        return dropout(x, self.module.p) if self.module.training else x
