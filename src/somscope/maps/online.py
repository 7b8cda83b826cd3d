"""Online training: one item after the other moves its unit's neighbourhood towards itself (Kohonen 1982, 2001, 3.1)."""

from __future__ import annotations

from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError
from somscope.maps import kernels
from somscope.maps.batch import Trained
from somscope.maps.initialise import content_order
from somscope.maps.items import DenseItems
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import NEIGHBOURHOODS
from somscope.progress import track

__all__ = ["train_online"]

_RUN_AWAY = 100.0  # times the largest value: only a repelling neighbourhood ever leaves the items' range
_SLICES = 8  # steps between two looks at Ctrl-C and the progress bar: an eighth of a pass


def train_online(
    items: object,
    start: NDArray[np.float64],
    lattice: Lattice,
    neighbourhood: str,
    radii: NDArray[np.float64],
    rates: NDArray[np.float64],
    generator: np.random.Generator,
    progress: bool | None = None,
) -> Trained:
    """m_k += rate_t h(k, b; radius_t) (x_t - m_k) for the items in a new random order in each pass.

    radii, rates: (passes + 1,) values between which both go linearly within each pass: the first item of all meets the
    first value, the last item the last. The history's radius is that at the start of a pass.
    A sample weight says how often an item comes: w n / sum(w) times in a pass (with whole weights, exactly w times),
    and neither the order of the items nor whether one is repeated or has the weight 2 makes a difference. The
    quantization error in the history is the mean distance at which a pass met its items.
    Raises InputError for sparse items, missing values, the cosine distance, rates above 1, and prototypes that ran
    away.
    """
    if not isinstance(items, DenseItems) or items.missing or items.metric == "cosine":
        raise InputError(
            "algorithm='online' takes dense items without missing values and metric 'euclidean' or 'manhattan'; "
            "use algorithm='batch'"
        )
    if rates.max() > 1.0:
        raise InputError(
            f"the learning rate reaches {rates.max():.3g}; allowed: at most 1, which puts a unit on its item"
        )
    x = items.x
    prototypes = start.astype(x.dtype)
    visits = _visits(x, items.sample_weight, generator)
    scale = np.ones(items.n_features) if items.feature_weights is None else items.feature_weights
    squared = lattice.squared_distances()
    shape = NEIGHBOURHOODS.index(neighbourhood)
    trained = Trained(prototypes.astype(np.float64))
    began = perf_counter()
    bounds = _RUN_AWAY * max(np.abs(x).max(), np.abs(prototypes).max(), 1e-300)
    n_passes = len(radii) - 1
    steps = [(p, s) for p in range(n_passes) for s in range(_SLICES)]
    last = max(n_passes * len(visits) - 1, 1)  # the last step of all
    order, met = visits, 0.0
    cuts = np.linspace(0, len(visits), _SLICES + 1).astype(np.int64)
    try:
        for p, s in track(steps, "training the map, item by item", enabled=progress):
            if s == 0:
                order, met = generator.permutation(visits), 0.0
            part = order[cuts[s] : cuts[s + 1]]
            at = (p * len(visits) + np.arange(cuts[s], cuts[s + 1])) / last * n_passes
            radius, rate = (np.interp(at, np.arange(n_passes + 1), values) for values in (radii, rates))
            met += kernels.online_steps(
                x, part, prototypes, squared, shape, radius, rate, scale, items.metric == "manhattan"
            )
            if s == _SLICES - 1:
                if not np.abs(prototypes).max() < bounds:
                    raise InputError(
                        f"the prototypes ran away from the items in pass {p + 1}: neighbourhood='{neighbourhood}' "
                        "pushed more than it pulled; radius='auto' takes one under which no prototype can"
                    )
                trained.rows.append(
                    (float(p + 1), float(radii[p]), met / len(visits), np.nan, perf_counter() - began)
                )
    except KeyboardInterrupt:
        trained.stop_reason = "interrupted"
    trained.prototypes = prototypes.astype(np.float64)
    return trained


def _visits(
    x: NDArray[np.floating], weights: NDArray[np.float64] | None, generator: np.random.Generator
) -> NDArray[np.int64]:
    """The items of one pass, as often as their weights say, in an order that depends on their content alone."""
    order = content_order(x, generator)
    if weights is None:
        return order
    reached = np.cumsum(weights[order])
    n = round(reached[-1]) if (weights % 1 == 0).all() else len(x)
    at = (np.arange(n) + 0.5) / n * reached[-1]
    return np.asarray(order[np.minimum(np.searchsorted(reached, at, side="right"), len(order) - 1)])
