"""How classes lie on the map."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from somscope.errors import InputError
from somscope.measures._arrays import Units, as_adjacency, as_labels, as_units

__all__ = ["class_components", "class_scatter_index"]


def class_components(
    labels: ArrayLike, best: ArrayLike, adjacency: ArrayLike, min_share: float = 0.0
) -> Units:
    """(classes,) number of separate regions of the map in which each class lies; 0 for a class without items.

    A region is a connected component of the units that hold at least `min_share` of the items of the class (any
    unit with one item of it when 0). The unit that holds most of a class always counts, so that a thinly spread
    class does not look absent. labels: (n,), -1 = no label (left out). adjacency: (K, K).
    Raises InputError when lengths or shapes do not fit, nothing is labelled, or min_share is not in 0 to 1.
    """
    near = as_adjacency(adjacency)
    units = as_units("best", best, len(near))
    y = as_labels("labels", labels, len(units))
    if not 0.0 <= min_share <= 1.0:
        raise InputError(f"min_share={min_share}; allowed: 0 to 1")
    known = y >= 0
    if not known.any():
        raise InputError("no item has a label (all are -1)")
    classes, k = int(y.max()) + 1, len(near)
    count = np.bincount(y[known] * k + units[known], minlength=classes * k).reshape(classes, k)
    # An exact share may be rounded: 7 of 100 items is 0.07.
    enough = count >= min_share * count.sum(axis=1, keepdims=True) * (1.0 - 1e-12)
    held = (count > 0) & (enough | (count == count.max(axis=1, keepdims=True)))
    # One graph with a copy of the lattice per class: an edge joins neighbours that both hold the class.
    a, b = np.nonzero(np.triu(near))
    owner, edge = np.nonzero(held[:, a] & held[:, b])
    graph = sparse.coo_array(
        (np.ones(len(owner), dtype=bool), (owner * k + a[edge], owner * k + b[edge])),
        shape=(classes * k, classes * k),
    )
    part = connected_components(graph, directed=False)[1].reshape(classes, k)
    owner, unit = np.nonzero(held)
    first = np.unique(part[owner, unit], return_index=True)[1]
    return np.bincount(owner[first], minlength=classes)


def class_scatter_index(
    labels: ArrayLike, best: ArrayLike, adjacency: ArrayLike, min_share: float = 0.0
) -> float:
    """Mean over classes (with items) of the number of regions in which they lie; 1 is best.

    Arguments and errors as in `class_components`. With min_share 0 this is the published index, to which one stray
    item adds a region. Source: Elend & Kramer (2019), "Self-organizing maps with convolutional layers".
    """
    regions = class_components(labels, best, adjacency, min_share)
    return float(regions[regions > 0].mean())
