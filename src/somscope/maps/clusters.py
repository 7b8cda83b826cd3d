"""Cells in which clusters are drawn: row by row, the largest first, and nobody's neighbours."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from somscope.maps.graph import GraphLattice

__all__ = ["cluster_cells"]


def cluster_cells(sizes: ArrayLike) -> GraphLattice:
    """K clusters of these sizes (K,) in the cells of a grid that is about twice as wide as high; ties by number."""
    sizes = np.asarray(sizes)
    columns = max(1, min(len(sizes), round(math.sqrt(2.2 * len(sizes)))))
    place = np.empty(len(sizes), np.int64)
    place[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    cells = tuple((int(p) // columns, int(p) % columns) for p in place)
    return GraphLattice(-(-len(sizes) // columns), columns, "hexagonal", cells=cells)
