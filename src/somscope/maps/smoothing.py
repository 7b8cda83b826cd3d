"""The batch rule itself: sums by unit, smoothed over the lattice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from somscope.maps.items import normalised
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import smooth
from somscope.maps.threads import one_blas_thread

__all__ = ["updated"]

Floats = NDArray[np.float64]


def updated(
    prototypes: Floats, sums: Floats, totals: Floats, lattice: Lattice, name: str, radius: float, metric: str
) -> Floats:
    """The batch rule: smoothed sums over smoothed weights; a unit that no weight reaches keeps its prototype."""
    with one_blas_thread():
        smoothed = smooth(lattice, name, radius, np.concatenate([sums, totals], axis=1))
    numerator, denominator = smoothed[:, : sums.shape[1]], smoothed[:, sums.shape[1] :]
    reached = denominator > 1e-300
    new = np.where(reached, numerator / np.where(reached, denominator, 1.0), prototypes)
    return np.asarray(normalised(new), dtype=np.float64) if metric == "cosine" else new
