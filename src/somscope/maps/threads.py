"""Run compiled ranges side by side, with the linear-algebra library held to one thread inside each."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

__all__ = ["cuts", "n_threads", "one_blas_thread", "over_ranges"]


def n_threads() -> int:
    """Threads that a map may use: those of PyTorch (`torch.set_num_threads`, or OMP_NUM_THREADS)."""
    import torch

    return int(torch.get_num_threads())


@cache
def _controller() -> ThreadpoolController:
    import scipy.linalg  # noqa: F401  (the compiled kernels multiply with SciPy's BLAS: it must be loaded to be held)

    return ThreadpoolController()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread: our own threads share the processor, and results do not depend on their number."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="somscope")


if hasattr(os, "register_at_fork"):  # a forked process has none of its parent's threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


def cuts(n: int, parts: int) -> list[int]:
    """Edges of at most `parts` near-equal ranges of n items."""
    return [int(c) for c in np.unique(np.linspace(0, n, max(1, min(parts, n)) + 1).astype(np.int64))]


def over_ranges(work: Callable[[int, int], None], cuts: list[int]) -> None:
    """Call work(lo, hi) for each range between consecutive cuts, side by side; the first error is raised."""
    ranges = list(itertools.pairwise(cuts))
    threads = n_threads()
    if threads == 1 or len(ranges) == 1:
        for lo, hi in ranges:
            work(lo, hi)
        return
    futures = [_pool(threads).submit(work, lo, hi) for lo, hi in ranges]
    error: BaseException | None = None
    for future in futures:  # all must have ended before the arrays may be used again
        error = future.exception() or error
    if error is not None:
        raise error
