"""Layers that compute in another way while several processes train."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from somscope.training.fabric import Runtime

__all__ = ["replaced_forwards"]


@contextmanager
def replaced_forwards(
    modules: Sequence[nn.Module],
    kind: type[nn.Module],
    runtime: Runtime,
    made: Callable[[Any], Callable[[Tensor], Tensor]],
) -> Iterator[None]:
    """Meanwhile each layer of a kind inside `modules` computes by made(layer); in a single process as it is."""
    found = {layer for module in modules for layer in module.modules() if isinstance(layer, kind)}
    if runtime.n_processes == 1:
        found = set()
    for layer in found:
        layer.forward = made(layer)
    try:
        yield
    finally:
        for layer in found:
            del layer.forward
