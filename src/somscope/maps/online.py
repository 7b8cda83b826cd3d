"""Online training: one item after the other moves its unit's neighbourhood towards itself (Kohonen 1982, 2001, 3.1)."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError
from somscope.maps import kernels
from somscope.maps.batch import Trained
from somscope.maps.items import DenseItems, Items
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import NEIGHBOURHOODS
from somscope.progress import track

__all__ = ["train_online"]

_SLICES = 8  # steps between two looks at Ctrl-C and the progress bar: an eighth of a pass


def train_online(
    items: Items,
    start: NDArray[np.float64],
    lattice: Lattice,
    neighbourhood: str,
    radii: NDArray[np.float64],
    rates: NDArray[np.float64],
    generator: np.random.Generator,
    progress: bool | None = None,
) -> Trained:
    """m_k += rate_t h(k, b; radius_t) (x_t - m_k) for the items in a new random order in each pass.

    radii, rates: (passes,) values at the start of each pass; within a pass both fall linearly to the next one's.
    A sample weight multiplies its item's rate. Raises InputError for sparse items, missing values and cosine distance.
    """
    if not isinstance(items, DenseItems) or items.missing or items.metric == "cosine":
        raise InputError(
            "algorithm='online' takes dense items without missing values and metric 'euclidean' or 'manhattan'; "
            "use algorithm='batch'"
        )
    x = items.x
    prototypes = start.astype(x.dtype)
    weights = None if items.sample_weight is None else items.sample_weight / items.sample_weight.mean()
    scale = np.ones(items.n_features) if items.feature_weights is None else items.feature_weights
    squared = lattice.squared_distances()
    shape = NEIGHBOURHOODS.index(neighbourhood)
    trained = Trained(prototypes.astype(np.float64))
    began = perf_counter()
    steps = [(p, s) for p in range(len(radii)) for s in range(_SLICES)]
    order = generator.permutation(items.n_items)
    cuts = np.linspace(0, items.n_items, _SLICES + 1).astype(np.int64)
    met = 0.0
    try:
        for p, s in track(steps, "training the map, item by item", enabled=progress):
            if s == 0:
                order, met = generator.permutation(items.n_items), 0.0
            part = order[cuts[s] : cuts[s + 1]]
            at = np.arange(cuts[s], cuts[s + 1]) / items.n_items
            radius, rate = (_between(values, p, at) for values in (radii, rates))
            met += kernels.online_steps(
                x, weights, part, prototypes, squared, shape, radius, rate, scale, items.metric == "manhattan"
            )
            if s == _SLICES - 1:
                error = float(np.mean(items.nearest(prototypes)[1][:, 0])) if p == len(radii) - 1 else np.nan
                entry = (float(p + 1), float(radii[p]), error, np.nan, perf_counter() - began)
                for name, value in zip(trained.history, entry, strict=True):
                    trained.history[name].append(value)
    except KeyboardInterrupt:
        trained.stop_reason = "interrupted"
    trained.prototypes = prototypes.astype(np.float64)
    return trained


def _between(values: NDArray[np.float64], p: int, at: NDArray[np.float64]) -> NDArray[np.float64]:
    following = values[min(p + 1, len(values) - 1)]
    return np.asarray(values[p] + (following - values[p]) * at)
