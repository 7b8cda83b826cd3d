"""What each unit of a joint map holds: real and generated items, and where one kind is missing beyond chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import beta, hypergeom

from somscope.measures._arrays import Floats, Mask, Units, as_units
from somscope.measures.permutation import benjamini_hochberg

__all__ = ["VERDICTS", "Composition", "unit_composition"]

VERDICTS = ("balanced", "mostly real", "mostly generated", "too few to say", "empty")


@dataclass(frozen=True, eq=False)
class Composition:
    """Per unit (K,): items of each kind, exact p and q, log2 ratio with its interval, and what can be said.

    log2_ratio: log2 of (generated / all generated) over (real / all real), -inf and inf where a kind is absent;
    low, high: its 95 % interval. verdict: of VERDICTS.
    """

    real: Units
    generated: Units
    p: Floats
    q: Floats
    log2_ratio: Floats
    low: Floats
    high: Floats
    verdict: NDArray[np.str_]


def unit_composition(units: ArrayLike, generated: Mask, n_units: int, alpha: float = 0.05) -> Composition:
    """Test every unit of a joint map for too few or too many generated items.

    units: (N,) of each item; generated: (N,) booleans. p: Fisher's exact test, two-sided, of the unit against the rest.
    q: Benjamini and Hochberg over the units that can say anything; the others, where even a unit of one kind alone
    would not reach p <= alpha, are "too few to say" (Tarone 1990). The interval is Clopper and Pearson's for the
    share of generated items in the unit, carried over to the ratio.
    """
    generated = np.asarray(generated, dtype=bool)
    at = as_units("units", units, n_units, len(generated))
    made = np.bincount(at[generated], minlength=n_units)
    real = np.bincount(at[~generated], minlength=n_units)
    n_made, n_real = int(generated.sum()), int((~generated).sum())
    held = made + real
    support = np.arange(int(held.max()) + 1)
    chances = hypergeom.pmf(support[None], n_made + n_real, n_made, held[:, None])
    chances[support[None] > held[:, None]] = 0.0
    p = _two_sided(chances, made)
    reachable = np.minimum(
        _two_sided(chances, np.minimum(held, n_made)), _two_sided(chances, np.maximum(0, held - n_real))
    )
    few = (held > 0) & (reachable > alpha)
    q = benjamini_hochberg(np.where((held > 0) & ~few, p, np.nan))
    scale = np.log2(n_real / n_made)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log2(made / real) + scale
        low_share = np.where(made > 0, beta.ppf(0.025, made, real + 1), 0.0)
        high_share = np.where(real > 0, beta.ppf(0.975, made + 1, real), 1.0)
        low, high = (np.log2(share / (1 - share)) + scale for share in (low_share, high_share))
    called = q <= alpha
    verdict = np.full(n_units, VERDICTS[0], dtype="<U16")
    verdict[called & (ratio < 0)] = VERDICTS[1]
    verdict[called & (ratio > 0)] = VERDICTS[2]
    verdict[few] = VERDICTS[3]
    verdict[held == 0] = VERDICTS[4]
    return Composition(real, made, p, q, ratio, low, high, verdict)


def _two_sided(chances: Floats, observed: Units) -> Floats:
    """(K,) sum of the probabilities that are at most that of the observed count."""
    own = chances[np.arange(len(chances)), observed][:, None]
    return np.asarray(np.minimum(1.0, np.where(chances <= own * (1 + 1e-7), chances, 0.0).sum(axis=1)))
