"""Compile a function with Numba, and keep the machine code on disk where there is a place for it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

from numba import njit

__all__ = ["compiled"]

_log = logging.getLogger(__name__)


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """`numba.njit` with these options and with its cache; without the cache where no folder for it can be written.

    Numba keeps machine code in NUMBA_CACHE_DIR, beside the source, or in the user's cache folder. Where none of them
    can be written (a container, an installation of the system's) it refuses to compile at all with cache=True. Here the
    code is then compiled again in each process, as a warning says once.
    """

    def compile_one(function: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available"
            _warn_once()
            return njit(**options)(function)

    return compile_one


@cache
def _warn_once() -> None:
    _log.warning(
        "there is no folder to keep compiled code in, so that every start takes longer; "
        "set NUMBA_CACHE_DIR to one that can be written"
    )
