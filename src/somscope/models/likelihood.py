"""How items are distributed around what is drawn from their codes, for models that have a likelihood."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError

__all__ = ["LIKELIHOODS", "choose_likelihood"]

LIKELIHOODS = ("auto", "bernoulli", "gaussian")


def choose_likelihood(likelihood: str, items: NDArray[Any], chosen: dict[str, str]) -> str:
    """ "bernoulli" or "gaussian" for items (n, d); of "auto" the reason is noted in `chosen`.

    Raises InputError for "bernoulli" with items beyond 0 .. 1.
    """
    bounded = items.dtype == np.uint8 or (items.min() >= 0.0 and items.max() <= 1.0)
    if likelihood == "bernoulli" and not bounded:
        raise InputError("likelihood='bernoulli' takes items in 0 .. 1; scale them, or use 'gaussian'")
    if likelihood != "auto":
        return likelihood
    found = "bernoulli" if bounded else "gaussian"
    chosen["likelihood"] = f"{found}: items are {'' if bounded else 'not '}all in 0 .. 1"
    return found
