"""Decays: how a radius or a learning rate goes from its first value to its last."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice

__all__ = ["DECAYS", "Decay", "schedule"]

DECAYS = ("exponential", "linear", "inverse", "asymptotic")
Decay = str | Callable[[float, float, float], float]


def schedule(decay: Decay, start: float, end: float, n: int, name: str = "value") -> NDArray[np.float64]:
    """(n,) values from `start` to `end` at t = 0 .. 1 in equal steps (one value: `end`).

    exponential start (end / start)^t; linear start + (end - start) t; inverse start / (1 + (start / end - 1) t);
    asymptotic max(end, start / (1 + 2 t)), MiniSom's, which stops at a third of the start;
    or a callable (t, start, end) -> value.

    Raises InputError for an unknown decay, negative values, an exponential or inverse decay to 0, and a callable that
    returns anything but a finite number of 0 or more.
    """
    if not (np.isfinite(start) and np.isfinite(end)) or start < 0 or end < 0:
        raise InputError(f"{name} goes from {start} to {end}: both must be finite and 0 or more")
    t = np.linspace(0.0, 1.0, n) if n > 1 else np.ones(n)
    if callable(decay):
        try:
            values = np.array([float(decay(float(at), start, end)) for at in t])
        except (TypeError, ValueError) as error:
            raise InputError(
                f"the {name}'s decay is called as decay(t, first, last), with t from 0 to 1, for a number; "
                f"this one cannot: {error}"
            ) from error
        if not np.isfinite(values).all() or (values < 0).any():
            raise InputError(
                f"the {name}'s decay returned {values.min()} .. {values.max()}; it must stay finite and >= 0"
            )
        return values
    check_choice(f"decay of the {name}", decay, DECAYS)
    if decay in ("exponential", "inverse") and end == 0 and start > 0:
        raise InputError(f"{name}: an {decay} decay never reaches 0; end above 0 or use decay 'linear'")
    if start == 0 and decay != "linear":
        return np.full(n, end)
    if decay == "exponential":
        return np.asarray(start * (end / start) ** t)
    if decay == "linear":
        return np.asarray(start + (end - start) * t)
    if decay == "inverse":
        return np.asarray(start / (1.0 + (start / end - 1.0) * t))
    return np.maximum(end, start / (1.0 + 2.0 * t))
