"""Run compiled ranges side by side, with the linear-algebra library held to one thread inside each."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from somscope.threads import n_threads

__all__ = ["cuts", "one_blas_thread", "over_ranges", "parts"]

_ONE_THREAD = 8e6  # multiplications, about 0.2 ms: half of them must be worth waking a second thread (0.1 ms)
_EVEN = 1e9  # below this, threads end at about the same time with one range each


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  (the compiled kernels multiply with SciPy's BLAS: it must be loaded to be held)

    return ThreadpoolController()


class _Held:
    """How many of us hold BLAS to one thread, and what gives it back its threads; one for each process."""

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
    held = _held
    with held.lock:
        if held.holders == 0:
            held.limiter = _controller().limit(limits=1, user_api="blas")
        held.holders += 1
    try:
        yield
    finally:
        with held.lock:
            held.holders -= 1
            if held.holders == 0:
                held.limiter.restore_original_limits()


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="somscope")


def _begin_anew() -> None:
    """A forked process has none of its parent's threads, so that nobody would give BLAS back what they held."""
    global _held
    _pool.cache_clear()
    if _held.holders:
        _held.limiter.restore_original_limits()
    _held = _Held()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)


def cuts(n: int, parts: int) -> list[int]:
    """Edges of at most `parts` near-equal ranges of n items."""
    return [int(c) for c in np.unique(np.linspace(0, n, max(1, min(parts, n)) + 1).astype(np.int64))]


def parts(work: float) -> int:
    """Ranges that pay for so many multiplications: one, one a thread, or several for threads to share evenly."""
    return 1 if work < _ONE_THREAD else n_threads() * (1 if work < _EVEN else 8)


def over_ranges(work: Callable[[int, int], None], cuts: list[int]) -> None:
    """Call work(lo, hi) for each range between consecutive cuts, side by side; the last error is raised.

    All have ended before it returns or raises, also under Ctrl-C: the arrays may be used again.
    """
    (lo, hi), *others = itertools.pairwise(cuts)
    if n_threads() == 1 or not others:
        for one in ((lo, hi), *others):
            work(*one)
        return
    waiting: list[Future[None]] = []
    error: BaseException | None = None
    try:
        for other in others:
            waiting.append(_pool(n_threads()).submit(work, *other))
        work(lo, hi)
    except BaseException as own:
        error = own
    waited = False
    while not waited:
        try:
            while waiting:
                error = waiting[-1].exception() or error
                waiting.pop()
            waited = True
        except KeyboardInterrupt as interrupt:
            error = interrupt
    if error is not None:
        raise error
