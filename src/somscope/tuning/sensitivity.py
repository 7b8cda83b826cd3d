"""How much a measure follows each parameter of a sample (Iman & Helton 1988; Saltelli et al. 2000)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError

__all__ = ["Sensitivity", "sensitivity"]

Floats = NDArray[np.float64]


class Sensitivity(NamedTuple):
    """rank: (d,) Spearman's correlation of the measure with each parameter, and p: (d,) its two-sided p-value.

    slope: (d,) coefficients of the linear regression on all parameters at once, each and the measure in standard
    deviations; r2: the share of the variance that it explains. NaN for a parameter that does not vary; slope and r2
    are NaN where there are not at least two settings more than parameters that vary.
    """

    rank: Floats
    p: Floats
    slope: Floats
    r2: float


def sensitivity(settings: ArrayLike, measure: ArrayLike) -> Sensitivity:
    """settings: (n, d) of n trainings; measure: (n,) what they reached.

    Raises InputError for fewer than three, and for numbers that are not finite.
    """
    from scipy.stats import spearmanr

    x, y = np.asarray(settings, np.float64), np.asarray(measure, np.float64)
    if x.ndim != 2 or y.shape != x.shape[:1] or len(y) < 3:
        raise InputError(f"settings {x.shape} and measure {y.shape}; needed: (n, d) and (n,) with n from 3")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise InputError("settings and measure must be finite")
    rank, p, slope = (np.full(x.shape[1], np.nan) for _ in range(3))
    r2 = np.nan
    varied = np.flatnonzero(x.std(axis=0) > 0)
    if y.std() > 0:
        for i in varied:
            rank[i], p[i] = spearmanr(x[:, i], y)
        if len(y) >= len(varied) + 2:
            scaled = (x[:, varied] - x[:, varied].mean(axis=0)) / x[:, varied].std(axis=0)
            target = (y - y.mean()) / y.std()
            slope[varied], *_ = np.linalg.lstsq(scaled, target, rcond=None)
            r2 = float(1.0 - np.square(target - scaled @ slope[varied]).mean())
    return Sensitivity(rank, p, slope, r2)
