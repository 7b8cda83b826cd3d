"""A batch that several processes share: this one's part of its rows, random numbers for them, and the others' rows.

All processes draw the same numbers for the whole batch, and each takes those of its part, so that together they learn
what one process would from the same batch. Outside of a step, and in a single process, the part is the whole.
A tensor may hold several views of the items one after the other, (g b, ...) of b items.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Part", "dropout", "gathered", "own_rows", "part_of", "rand", "rand_like", "randint", "randn"]
__all__ += ["randn_like", "whole_size", "working_on"]


@dataclass(frozen=True)
class Part:
    """Rows low .. high - 1 of a batch of `size`, and their share of it.

    A process for which a batch of fewer items than processes has none stands in with the first row, with share 0.
    """

    low: int
    high: int
    size: int
    share: float


def part_of(size: int, rank: int, n_processes: int) -> Part:
    """Consecutive parts that differ by at most one item."""
    low, high = rank * size // n_processes, (rank + 1) * size // n_processes
    if low == high:
        return Part(0, 1, size, 0.0)
    return Part(low, high, size, (high - low) / size)


_part: ContextVar[Part | None] = ContextVar("part", default=None)


@contextmanager
def working_on(part: Part | None) -> Iterator[None]:
    """Inside, the rows at hand are this part of the batch; None: all of it."""
    before = _part.set(part)
    try:
        yield
    finally:
        _part.reset(before)


def whole_size(own: int) -> int:
    """B of the batch of which `own` items are at hand."""
    part = _part.get()
    return own if part is None else part.size


def own_rows(whole: Tensor) -> Tensor:
    """(g B, ...) -> (g b, ...) the rows of this part."""
    part = _part.get()
    if part is None:
        return whole
    return _views(whole, part.size)[:, part.low : part.high].flatten(0, 1)


def gathered(own: Tensor) -> Tensor:
    """(g b, ...) -> (g B, ...) the rows of all processes, for a loss that couples the items of a batch.

    Every process has to call it. The gradient comes back to its own rows, divided by its share, with which
    `Engine.step` weighs the loss that all of them have computed.
    """
    part = _part.get()
    if part is None:
        return own
    out: Tensor = _Gathered.apply(own, part)  # type: ignore[no-untyped-call]
    return out


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, own: Tensor, part: Part) -> Tensor:
        from torch import distributed

        ctx.part = part
        views = _views(own, part.high - part.low)
        whole = own.new_zeros((len(views), part.size, *own.shape[1:]))
        if part.share > 0:
            whole[:, part.low : part.high] = views
        distributed.all_reduce(whole)
        return whole.flatten(0, 1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        part: Part = ctx.part
        own = _views(gradient, part.size)[:, part.low : part.high].flatten(0, 1)
        return (own / part.share if part.share > 0 else torch.zeros_like(own)), None


def rand(*shape: int, generator: torch.Generator | None = None, device: Any = None, **options: Any) -> Tensor:
    """`torch.rand` of (g b, ...) for the items at hand."""
    return _drawn(lambda size: torch.rand(size, generator=generator, device=device, **options), shape)


def randn(*shape: int, generator: torch.Generator | None = None, device: Any = None) -> Tensor:
    """`torch.randn` of (g b, ...) for the items at hand."""
    return _drawn(lambda size: torch.randn(size, generator=generator, device=device), shape)


def randint(high: int, *shape: int, generator: torch.Generator | None = None, device: Any = None) -> Tensor:
    """`torch.randint` from 0 to high - 1, of (g b, ...) for the items at hand."""
    return _drawn(lambda size: torch.randint(high, size, generator=generator, device=device), shape)


def rand_like(items: Tensor) -> Tensor:
    """`torch.rand_like` of (g b, ...)."""
    return own_rows(torch.rand_like(_whole_like(items)))


def randn_like(items: Tensor) -> Tensor:
    """`torch.randn_like` of (g b, ...)."""
    return own_rows(torch.randn_like(_whole_like(items)))


def dropout(items: Tensor, probability: float = 0.5) -> Tensor:
    """`functional.dropout` of (g b, ...) in training."""
    if _part.get() is None:
        return functional.dropout(items, probability)
    kept = functional.dropout(_whole_like(items).fill_(1), probability)
    return items * own_rows(kept)


def _whole_like(items: Tensor) -> Tensor:
    """(g b, ...) -> (g B, ...) for what is drawn in the order of the places in memory; its values say nothing."""
    part = _part.get()
    if part is None:
        return items
    strides = items.stride()
    order = sorted(range(items.ndim), key=lambda axis: -strides[axis])
    shape = (_n_rows(len(items), part), *items.shape[1:])
    return torch.empty_permuted(shape, order, dtype=items.dtype, device=items.device)


def _views(rows: Tensor, n: int) -> Tensor:
    """(g n, ...) -> (g, n, ...)."""
    return rows.reshape(-1, n, *rows.shape[1:])


def _drawn(draw: Callable[[tuple[int, ...]], Tensor], shape: tuple[int, ...]) -> Tensor:
    part = _part.get()
    if part is None:
        return draw(shape)
    return own_rows(draw((_n_rows(shape[0], part), *shape[1:])))


def _n_rows(own: int, part: Part) -> int:
    return own // (part.high - part.low) * part.size
