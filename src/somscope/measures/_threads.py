"""Spread blocks of NumPy work, which releases the interpreter lock, over the processor's cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeAlias

from somscope.threads import n_threads

__all__ = ["SpreadRows", "row_threads"]

_MOST = 8  # threads: each holds a block of work in memory

SpreadRows: TypeAlias = "Callable[[Callable[[int, int], None], int], None]"


@contextmanager
def row_threads() -> Iterator[SpreadRows]:
    """Give a function spread(work, n_rows) that calls work(start, stop) on parts of 0..n_rows, one part a thread.

    `work` must write its results into arrays by row, so that the outcome does not depend on the number of threads.
    """
    threads = min(_MOST, n_threads())
    with ThreadPoolExecutor(threads) as pool:

        def spread(work: Callable[[int, int], None], n_rows: int) -> None:
            size = -(-n_rows // threads)
            starts = range(0, n_rows, size)
            for done in [pool.submit(work, start, min(n_rows, start + size)) for start in starts]:
                done.result()

        yield spread
