"""More items for a map that is already there: every prototype stays the mean of all that it has drawn so far."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from somscope.maps.batch import Sweep
from somscope.maps.items import normalised
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import smooth
from somscope.maps.threads import one_blas_thread

__all__ = ["refined"]

Floats = NDArray[np.float64]


def refined(
    prototypes: NDArray[np.floating],
    held: Floats,
    seen: Sweep,
    new: Floats,
    lattice: Lattice,
    neighbourhood: str,
    radius: float,
    metric: str,
) -> Floats:
    """m_k <- (n_k m_k + sum_i h(k, b_i) w_i x_i) / (n_k + sum_i h(k, b_i) w_i), with n_k = sum_j h(k, j) held_j.

    prototypes: (K, d); held: (K,) weight of the items that each unit held before; seen: one look at the new items;
    new: (K,) their weight by unit. A prototype that nothing has drawn stays. Under the cosine distance x_i is the
    item's direction, and the result has unit length. This is MacQueen's running mean (1967), taken over the lattice.
    """
    old = np.asarray(prototypes, dtype=np.float64)
    d = old.shape[1]
    totals = new[:, None] if metric == "cosine" else seen.totals
    with one_blas_thread():
        smoothed = smooth(
            lattice, neighbourhood, radius, np.concatenate([seen.sums, held[:, None], totals], axis=1)
        )
    before, drawn = smoothed[:, d : d + 1], smoothed[:, d + 1 :]
    mass = before + drawn
    reached = mass > 1e-300
    mean = np.where(reached, (before * old + smoothed[:, :d]) / np.where(reached, mass, 1.0), old)
    return np.asarray(normalised(mean), dtype=np.float64) if metric == "cosine" else mean
