"""Spread blocks of NumPy work, which releases the interpreter lock, over the processor's cores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

__all__ = ["SpreadRows", "row_threads", "thread_count"]

SpreadRows: TypeAlias = "Callable[[Callable[[int, int], None], int], None]"


def thread_count() -> int:
    """Cores this process may use, at most 8; OMP_NUM_THREADS lowers it, as it does for the matrix products."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").strip()
    return max(1, min(cores, 8, int(asked) if asked.isdigit() and int(asked) else cores))


@contextmanager
def row_threads() -> Iterator[SpreadRows]:
    """Give a function spread(work, n_rows) that calls work(start, stop) on parts of 0..n_rows, one part a thread.

    `work` must write its results into arrays by row, so that the outcome does not depend on the number of threads.
    """
    threads = thread_count()
    with ThreadPoolExecutor(threads) as pool:

        def spread(work: Callable[[int, int], None], n_rows: int) -> None:
            size = -(-n_rows // threads)
            starts = range(0, n_rows, size)
            for done in [pool.submit(work, start, min(n_rows, start + size)) for start in starts]:
                done.result()

        yield spread
