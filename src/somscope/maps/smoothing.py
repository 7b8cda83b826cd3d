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
        new = smooth(lattice, name, radius, sums)
        weight = smooth(lattice, name, radius, totals)
    reached = weight > 1e-300
    new /= np.where(reached, weight, 1.0)
    np.copyto(new, prototypes, where=~reached)
    return np.asarray(normalised(new), dtype=np.float64) if metric == "cosine" else new
