"""The seed that users give, as scikit-learn has it."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from somscope.errors import InputError

__all__ = ["random_source"]


def random_source(random_state: Any) -> np.random.RandomState:
    """What `random_state` draws from. InputError for what is no seed."""
    try:
        source: np.random.RandomState = check_random_state(random_state)
    except ValueError:
        raise InputError(
            f"random_state={random_state!r}; allowed: None, a whole number from 0 to 2**32 - 1, or a "
            "numpy.random.RandomState"
        ) from None
    return source
