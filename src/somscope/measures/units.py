"""How evenly the map uses its units, and means of any quantity over the items of each unit."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from somscope.errors import InputError
from somscope.measures._arrays import Floats, Units, as_distances, as_units

__all__ = ["dead_units", "hits", "mean_per_unit", "unit_entropy", "unit_perplexity"]


def hits(best: ArrayLike, n_units: int) -> Units:
    """(K,) number of items whose best unit is k."""
    if n_units < 1:
        raise InputError(f"n_units={n_units}; allowed: 1 or more")
    return np.bincount(as_units("best", best, n_units), minlength=n_units)


def unit_entropy(best: ArrayLike, n_units: int) -> float:
    """Entropy of the use of units: H = -sum_k p_k ln p_k, p_k the share of items on unit k. Nats, 0 to ln K."""
    count = hits(best, n_units)
    share = count[count > 0] / count.sum()
    return float(max(0.0, -(share * np.log(share)).sum()))


def unit_perplexity(best: ArrayLike, n_units: int) -> float:
    """exp(unit_entropy): the number of equally used units that would spread the items as evenly. 1 to K; K is even."""
    return float(np.exp(unit_entropy(best, n_units)))


def dead_units(best: ArrayLike, n_units: int) -> int:
    """Number of units that are the best unit of no item. 0 to K - 1."""
    return int((hits(best, n_units) == 0).sum())


def mean_per_unit(values: ArrayLike, best: ArrayLike, n_units: int) -> Floats:
    """(K,) mean over each unit's items of any non-negative value per item, NaN where a unit has no item.

    With item distances it is the quantization error of each unit, with `topographic_errors` its topographic error.
    """
    per_item = as_distances(values)
    units = as_units("best", best, n_units, len(per_item))
    count = np.bincount(units, minlength=n_units)
    total = np.bincount(units, per_item, minlength=n_units)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
