"""LARFDSSOM, the sequential ancestor of SOMRL (Bassani & Araujo, IEEE TNNLS 26(3), 2015).

For each item x in a random order, with the activation ac_j of `relevance` and s its most active unit:

    ac_s < a_t, and there is a free place:  a unit with c = x, w = 1, d = 0, wins = lp t (t: competitions so far)
    ac_s >= a_t:  wins_s += 1, and for s with e = e_b, for its neighbours with e = e_n:
        d += e beta (|x - c| - d);  w = 1 / (1 + exp((d - mean d) / (s (max d - min d))));  c += e (x - c)
    every age_wins competitions:  units with wins < lp age_wins are removed, all wins are 0 again

Neighbours are units with like relevances, ||w_i - w_j|| < minwd sqrt(m), as they were when one of them came or units
were last removed. After n_epochs the map converges: with no new units, it goes on until none is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice
from somscope.maps.choices import generator_for
from somscope.maps.growing import GrowingMap
from somscope.maps.relevance import EPSILON
from somscope.maps.somrl_layer import is_number
from somscope.progress import track

__all__ = ["LARFDSSOM"]

_ARRAYS = ("centres", "relevances", "distances", "sums", "wins", "near")
_SLICE = 8192  # items between two looks at Ctrl-C


class LARFDSSOM(GrowingMap):
    """A growing map with relevances, trained item by item; the reference that `SOMRL` is tested and timed against.

    Parameters
    ----------
    threshold: a_t, the activation below which an item makes a new unit. max_units: n_max; on a full map such items
        change nothing.
    winner_rate: e_b. neighbour_rate: e_n. relevance_rate: beta. smoothness: s, slope of the relevances.
    minwd: how alike the relevances of neighbours are. connection: "scaled" compares with minwd sqrt(m), "absolute"
        with minwd, as public code in C++ does.
    age_wins: competitions from one removal to the next; None is the number of items in the training (in
        `partial_fit` the number of the first call). lp: share of them that a unit has to win.
    n_epochs: looks at every item before the convergence.
    epsilon: of the activation. scale: as in `SOMRL`. random_state: seed of the order. verbose: as in `SOMRL`.

    Attributes are those of `growing.GrowingMap`; connections_ joins units with like relevances; history_ {"pass",
    "units", "below", "seconds"}.

    >>> LARFDSSOM(threshold=0.95).fit(X).relevances_
    """

    model_name: ClassVar[str] = "larfdssom"
    device_: ClassVar[str] = "cpu"  # the compiled passes know no other
    distance: str = "relevance"

    def __init__(
        self,
        threshold: float = 0.99,
        max_units: int = 200,
        *,
        winner_rate: float = 0.05,
        neighbour_rate: float = 0.0005,
        relevance_rate: float = 0.1,
        smoothness: float = 0.1,
        minwd: float = 0.1,
        connection: str = "scaled",
        age_wins: int | None = None,
        lp: float = 0.01,
        n_epochs: int = 30,
        epsilon: float = EPSILON,
        scale: str = "auto",
        random_state: Any = None,
        verbose: bool | None = None,
    ) -> None:
        self.threshold = threshold
        self.max_units = max_units
        self.winner_rate = winner_rate
        self.neighbour_rate = neighbour_rate
        self.relevance_rate = relevance_rate
        self.smoothness = smoothness
        self.minwd = minwd
        self.connection = connection
        self.age_wins = age_wins
        self.lp = lp
        self.n_epochs = n_epochs
        self.epsilon = epsilon
        self.scale = scale
        self.random_state = random_state
        self.verbose = verbose

    def _check_choices(self) -> None:
        check_choice("connection", self.connection, ("scaled", "absolute"))
        for name in ("max_units", "n_epochs", *(() if self.age_wins is None else ("age_wins",))):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name}={value!r}; allowed: a whole number from 1")
        largest = {"threshold": 1.0, "winner_rate": 1.0, "relevance_rate": 1.0}
        for name in (*largest, "smoothness", "minwd", "epsilon"):
            value = getattr(self, name)
            if not is_number(value) or not 0 < value <= largest.get(name, np.finfo(float).max):
                raise InputError(
                    f"{name}={value!r}; allowed: a number above 0{', at most 1' * (name in largest)}"
                )
        for name in ("neighbour_rate", "lp"):
            if not is_number(getattr(self, name)) or not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name}={getattr(self, name)!r}; allowed: a number from 0 to 1")

    def _begin(self, n_features: int, dtype: np.dtype[Any]) -> None:
        places = int(self.max_units)
        self._map: dict[str, NDArray[Any]] = {
            **{
                name: np.zeros((places, n_features), dtype) for name in ("centres", "relevances", "distances")
            },
            "sums": np.zeros(places),
            "wins": np.zeros(places),
            "near": np.zeros((places, places), np.bool_),
        }
        self._counts = np.zeros(
            3, np.int64
        )  # units, competitions since the last removal, competitions between them

    def _learn(self, x: NDArray[np.floating], whole: bool) -> None:
        generator = generator_for(self.random_state)
        if self._counts[2] == 0:
            self._counts[2] = len(x) if self.age_wins is None else self.age_wins
        self.stop_reason_ = "completed"
        began = perf_counter()
        try:
            for _ in track(
                range(self.n_epochs if whole else 1),
                "training the map",
                enabled=self.verbose if whole else False,
            ):
                order = generator.permutation(len(x)) if whole else np.arange(len(x))
                self._note(self._show(x, order, int(self.max_units)) / len(x), perf_counter() - began)
            if whole:
                self._converge(x, generator, began)
        except KeyboardInterrupt:
            if self._counts[0] == 0:  # while the passes were compiled: there is no map to keep
                raise
            self.stop_reason_ = "interrupted"
        if self._counts[0] == self.max_units and self.history_.get("below", [0])[-1] > 0:
            self._warn(
                f"the map is full: all {self.max_units} places are taken, and items that wanted one were left out; "
                "lower threshold, or raise max_units or lp"
            )

    def _converge(self, x: NDArray[np.floating], generator: np.random.Generator, began: float) -> None:
        """Train on with the units that there are until none of them is removed."""
        while True:
            before = int(self._counts[0])
            order = generator.integers(len(x), size=int(self._counts[2] - self._counts[1]))
            self._note(self._show(x, order, before) / len(order), perf_counter() - began)
            if self._counts[0] == before:
                return

    def _show(self, x: NDArray[np.floating], order: NDArray[np.int64], max_units: int) -> int:
        """Show items to the map; how many of them lay below the threshold."""
        from somscope.maps.larfdssom_kernel import larfdssom_steps

        within = self.minwd * (np.sqrt(x.shape[1]) if self.connection == "scaled" else 1.0)
        rates = (float(self.winner_rate), float(self.neighbour_rate))
        below = 0
        for start in range(0, len(order), _SLICE):
            below += larfdssom_steps(
                x, order[start : start + _SLICE], *(self._map[name] for name in _ARRAYS), self._counts, max_units,
                float(self.threshold), rates, float(self.relevance_rate), float(self.smoothness), float(within),
                int(self._counts[2]), float(self.lp), float(self.epsilon),
            )  # fmt: skip
        return below

    def _note(self, below: float, seconds: float) -> None:
        self.n_iter_ += 1
        row = {"pass": self.n_iter_, "units": self._counts[0], "below": below, "seconds": seconds}
        for name, value in row.items():
            self.history_.setdefault(name, []).append(float(value))

    def _keep(self, units: NDArray[np.integer]) -> None:
        kept = len(units)
        for name in _ARRAYS:
            array = self._map[name]
            array[:kept] = array[units]
        self._map["near"][:kept, :kept] = self._map["near"][:kept, units]
        self._counts[0] = kept

    def _living(self) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.bool_]]:
        n_units = int(self._counts[0])
        return (
            self._map["centres"][:n_units].copy(),
            self._map["relevances"][:n_units].copy(),
            self._map["near"][:n_units, :n_units].copy(),
        )

    def _state(self) -> dict[str, NDArray[Any]]:
        return {**self._map, "counts": self._counts}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        dtype = state["centres"].dtype
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"centres are {dtype}")
        self._begin(self.n_features_in_, dtype)
        own = {name: (array.shape, array.dtype) for name, array in self._state().items()}
        if {name: (array.shape, array.dtype) for name, array in state.items()} != own:
            raise ValueError("the arrays are not those of a map")
        counts = state["counts"]
        if not (1 <= counts[0] <= self.max_units and 0 <= counts[1] < counts[2]):
            raise ValueError(f"counts {counts.tolist()} are not those of a map")
        self._map = {name: state[name].copy() for name in _ARRAYS}
        self._counts = counts.copy()
