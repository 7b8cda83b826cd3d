"""How classes lie on the map."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from somscope.errors import InputError
from somscope.measures._arrays import Units, as_adjacency, as_labels, as_units, compact
from somscope.measures._ranks import ragged

__all__ = ["class_components", "class_scatter_index"]

_MOST_CLASSES = 10**8


def class_components(
    labels: ArrayLike, best: ArrayLike, adjacency: ArrayLike, min_share: float = 0.0
) -> Units:
    """(classes,) number of separate regions of the map in which each class lies; 0 for a class without items.

    A region is a connected component of the units that hold at least `min_share` of the items of the class (any
    unit with one item of it when 0). The unit that holds most of a class always counts, so that a thinly spread
    class does not look absent. labels: (n,), -1 = no label (left out). adjacency: (K, K).
    Raises InputError when lengths or shapes do not fit, nothing is labelled, or min_share is not in 0 to 1.
    """
    y = as_labels("labels", labels)
    if y.max() >= _MOST_CLASSES:
        raise InputError(
            f"label {y.max()} is no class number; allowed: 0 to {_MOST_CLASSES - 1:,}, -1 for none"
        )
    regions = np.zeros(int(y.max()) + 1, dtype=np.int64)
    regions[np.unique(y[y >= 0])] = _regions(y, best, adjacency, min_share)
    return regions


def class_scatter_index(
    labels: ArrayLike, best: ArrayLike, adjacency: ArrayLike, min_share: float = 0.0
) -> float:
    """Mean over classes (with items) of the number of regions in which they lie; 1 is best.

    Arguments and errors as in `class_components`. With min_share 0 this is the published index, to which one stray
    item adds a region. Source: Elend & Kramer (2019), "Self-organizing maps with convolutional layers".
    """
    return float(_regions(labels, best, adjacency, min_share).mean())


def _regions(labels: ArrayLike, best: ArrayLike, adjacency: ArrayLike, min_share: float) -> Units:
    """Number of regions of each class that has items, in the order of their numbers. Work and memory: n items, not
    classes x units.
    """
    near = as_adjacency(adjacency)
    units = as_units("best", best, len(near))
    y = as_labels("labels", labels, len(units))
    if not 0.0 <= min_share <= 1.0:
        raise InputError(f"min_share={min_share}; allowed: 0 to 1")
    known = y >= 0
    if not known.any():
        raise InputError("no item has a label (all are -1)")
    k = len(near)
    held, count = np.unique(compact(y[known]) * k + units[known], return_counts=True)  # class * k + unit
    first = np.flatnonzero(np.diff(held // k, prepend=-1))  # of each class
    of_class = np.repeat(np.arange(len(first)), np.diff(first, append=len(held)))
    # An exact share may be rounded: 7 of 100 items is 0.07.
    enough = count >= min_share * np.add.reduceat(count, first)[of_class] * (1.0 - 1e-12)
    held = held[enough | (count == np.maximum.reduceat(count, first)[of_class])]
    # A graph of what is held: an edge joins neighbouring units that both hold the class.
    neighbours = sparse.csr_array(near)
    place, node = ragged(neighbours.indptr[held % k], np.diff(neighbours.indptr)[held % k])
    other = held[node] // k * k + neighbours.indices[place]
    found = np.minimum(np.searchsorted(held, other), len(held) - 1)
    joined = held[found] == other
    graph = sparse.coo_array(
        (np.ones(int(joined.sum()), dtype=bool), (node[joined], found[joined])), shape=(len(held), len(held))
    )
    part = connected_components(graph, directed=False)[1]
    return np.bincount((held // k)[np.unique(part, return_index=True)[1]])
