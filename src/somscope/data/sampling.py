"""Which items to keep when only some are wanted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError

__all__ = ["choose"]


def choose(n_items: int, limit: int | None, seed: int | None) -> NDArray[np.int64]:
    """Row numbers of at most `limit` of n items, ascending.

    Without a seed the first `limit`; with one, a sample without replacement that depends on the seed alone.
    Raises InputError for a limit below 1 or a seed below 0.
    """
    if limit is not None and (not _is_whole(limit) or limit < 1):
        raise InputError(f"limit={limit!r}: it must be a whole number of at least 1 item (None keeps all)")
    if seed is not None and (not _is_whole(seed) or seed < 0):
        raise InputError(
            f"seed={seed!r}: it must be a whole number of at least 0 (None takes the first items)"
        )
    if limit is None or limit >= n_items:
        return np.arange(n_items)
    if seed is None:
        return np.arange(limit)
    return np.sort(np.random.default_rng(seed).choice(n_items, size=limit, replace=False))


def _is_whole(value: object) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)
