"""Run compiled ranges side by side, with the linear-algebra library held to one thread inside each."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["cuts", "n_threads", "one_blas_thread", "over_ranges", "parts"]

_ONE_THREAD = 2e5  # multiplications that are done before a second thread has begun
_EVEN = 2e8  # below this, threads end at about the same time with one range each


def n_threads() -> int:
    """Threads that a map may use: those of PyTorch (`torch.set_num_threads`, or OMP_NUM_THREADS)."""
    import torch

    return int(torch.get_num_threads())


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  (the compiled kernels multiply with SciPy's BLAS: it must be loaded to be held)

    return ThreadpoolController()


class _Held:
    """How many of us hold BLAS to one thread, and what gives it back its threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.holders = 0
        self.limiter: Any = None


_held = _Held()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: our own threads share the processor, and results do not depend on their number.

    May be nested, which costs nothing: only the outermost changes the library's setting.
    """
    with _held.lock:
        if _held.holders == 0:
            _held.limiter = _controller().limit(limits=1, user_api="blas")
        _held.holders += 1
    try:
        yield
    finally:
        with _held.lock:
            _held.holders -= 1
            if _held.holders == 0:
                _held.limiter.restore_original_limits()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="somscope")


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def cuts(n: int, parts: int) -> list[int]:
    """Edges of at most `parts` near-equal ranges of n items."""
    return [int(c) for c in np.unique(np.linspace(0, n, max(1, min(parts, n)) + 1).astype(np.int64))]


def parts(work: float) -> int:
    """Ranges that pay for so many multiplications: one, one a thread, or several for threads to share evenly."""
    return 1 if work < _ONE_THREAD else n_threads() * (1 if work < _EVEN else 8)


def over_ranges(work: Callable[[int, int], None], cuts: list[int]) -> None:
    """Call work(lo, hi) for each range between consecutive cuts, side by side; the first error is raised."""
    (lo, hi), *others = itertools.pairwise(cuts)
    if n_threads() == 1 or not others:
        for one in ((lo, hi), *others):
            work(*one)
        return
    futures = [_pool(n_threads()).submit(work, *other) for other in others]
    error: BaseException | None = None
    try:
        work(lo, hi)
    finally:
        for future in futures:  # all must have ended before the arrays may be used again
            error = future.exception() or error
    if error is not None:
        raise error
