"""SOMRL: a self-organizing map that grows, learns what is relevant, and forgets (ICLR 2022 submission, section 3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from time import perf_counter
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice
from somscope.interrupt import catch_interrupt
from somscope.maps.choices import generator_for
from somscope.maps.growing import GrowingMap
from somscope.maps.relevance import EPSILON
from somscope.maps.somrl_layer import SOMRLLayer, SOMRLRule
from somscope.progress import track

__all__ = ["SOMRL"]

_DEVICES = ("auto", "cpu", "cuda")
_LEAST_WORK = 2e9  # items x units x features of an epoch below which a GPU does not pay


class SOMRL(GrowingMap):
    """A map of as many units as the data ask for, each with a relevance for every feature, trained batch by batch.

    Updates are in closed form, see `somrl_layer`: "gradient-based" in the paper's title means that it is meant to sit
    in a network, see `DCSOMRL`.

    Parameters
    ----------
    threshold: a_t, the activation below which an item makes a new unit: nearer to 1, more units. With S the sum of a
        unit's relevances, a_t is reached within the weighted squared distance S (1 - a_t) / a_t, that is within a root
        mean square difference of sqrt(1 / a_t - 1) over the relevant features: 0.1 for the default 0.99.
    max_units: n_max, places of the map; groups that find none wait until a unit dies, largest groups first.
    learning_rate: lr. repel_rate: rho in [0, 1], how strongly units are pushed from the mean of all; the paper's
        1.0 is for codes that an encoder moves after the units: on fixed features it pulls units out of their clusters.
    life_decay: ld, share of its life that a unit loses with every batch in which it wins nothing.
    relevance_rate: beta. gamma: decay of the neighbourhood over ranks. smoothness: s; the larger, the more alike
        the relevances: 0.1 tells them apart in the features of items, the paper's 0.43 to 0.66 are for codes.
    n_epochs, batch_size: of `fit`; `partial_fit` looks at each item once, in batches of the same size.
    repel, neighbour_decay, neighbours, combine, distance, compared, life_unit, restored, epsilon: readings of the
        paper, see `somrl_layer.SOMRLRule`.
    scale: "auto" takes features in [0, 1] as they are, and stretches each to [0, 1] by its range otherwise; "min-max"
        does so in any case; "none" refuses what lies outside (see `unit_interval`).
    device: "cpu", "cuda", or "auto", which takes a GPU where an epoch is large enough to pay.
    random_state: seed of the order of the items. verbose: True shows a progress bar, False none; None on a terminal.

    Attributes are those of `growing.GrowingMap`; history_ {"pass", "units", "below", "seconds"}, where below is the
    share of the items that activated no unit up to the threshold. layer_: the state, in PyTorch.

    >>> som = SOMRL(threshold=0.99).fit(X)
    >>> som.predict(X, noise=True), som.relevances_, som.connections_
    """

    model_name: ClassVar[str] = "somrl"
    layer_: SOMRLLayer
    device_: str

    def __init__(
        self,
        threshold: float = 0.99,
        max_units: int = 200,
        *,
        learning_rate: float = 0.1426,
        repel_rate: float = 0.0,
        life_decay: float = 0.36,
        relevance_rate: float = 0.067,
        gamma: float = 1.382,
        smoothness: float = 0.1,
        n_epochs: int = 30,
        batch_size: int = 256,
        repel: str = "distance",
        neighbour_decay: str = "rate",
        neighbours: str = "activated",
        combine: str = "mean",
        distance: str = "relevance",
        compared: str = "item",
        life_unit: str = "batch",
        restored: str = "activated",
        epsilon: float = EPSILON,
        scale: str = "auto",
        device: str = "auto",
        random_state: Any = None,
        verbose: bool | None = None,
    ) -> None:
        self.threshold = threshold
        self.max_units = max_units
        self.learning_rate = learning_rate
        self.repel_rate = repel_rate
        self.life_decay = life_decay
        self.relevance_rate = relevance_rate
        self.gamma = gamma
        self.smoothness = smoothness
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.repel = repel
        self.neighbour_decay = neighbour_decay
        self.neighbours = neighbours
        self.combine = combine
        self.distance = distance
        self.compared = compared
        self.life_unit = life_unit
        self.restored = restored
        self.epsilon = epsilon
        self.scale = scale
        self.device = device
        self.random_state = random_state
        self.verbose = verbose

    def _check_choices(self) -> None:
        self._rule()
        for name in ("max_units", "n_epochs", "batch_size"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
                raise InputError(f"{name}={value!r}; allowed: a whole number from 1")
        check_choice("device", self.device, _DEVICES)

    def _rule(self) -> SOMRLRule:
        return SOMRLRule(**{field.name: getattr(self, field.name) for field in fields(SOMRLRule)})

    def _begin(self, n_features: int, dtype: np.dtype[Any]) -> None:
        self.layer_ = SOMRLLayer(n_features, int(self.max_units), self._rule(), dtype=_torch_type(dtype))

    def _learn(self, x: NDArray[np.floating], whole: bool) -> None:
        self.device_ = self._chosen_device(x.size)
        layer = self.layer_.to(self.device_)
        layer.rule = self._rule()
        items = torch.from_numpy(x if x.flags.writeable else x.copy()).to(self.device_, layer.centres.dtype)
        generator = generator_for(self.random_state)
        epochs = self.n_epochs if whole else 1
        self.stop_reason_ = "completed"
        began = perf_counter()
        with catch_interrupt("ending after this batch, keeping the map learned so far") as interrupt:
            for _ in track(range(epochs), "training the map", enabled=self.verbose if whole else False):
                order = torch.from_numpy(generator.permutation(len(x))).to(self.device_) if whole else None
                shuffled = items if order is None else items[order]
                below = torch.zeros((), dtype=torch.int64, device=self.device_)
                for batch in torch.split(shuffled, int(self.batch_size)):
                    below += (~layer.step(batch).activated).sum()
                    if interrupt.requested:
                        break
                self.n_iter_ += 1
                self._note(len(x), int(below), perf_counter() - began)
                if interrupt.requested:
                    self.stop_reason_ = "interrupted"
                    break
        self.layer_ = layer.cpu()
        for complaint in layer.complaints():
            self._warn(complaint)

    def _note(self, n_items: int, below: int, seconds: float) -> None:
        row = {
            "pass": self.n_iter_,
            "units": self.layer_.n_units,
            "below": below / n_items,
            "seconds": seconds,
        }
        for name, value in row.items():
            self.history_.setdefault(name, []).append(float(value))

    def _chosen_device(self, size: int) -> str:
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("device='cuda': PyTorch sees no CUDA GPU here; use device='cpu' or 'auto'")
        if self.device == "auto":
            return "cuda" if size * self.max_units >= _LEAST_WORK and torch.cuda.is_available() else "cpu"
        return self.device

    def _keep(self, units: NDArray[np.integer]) -> None:
        self.layer_.keep(torch.from_numpy(units))

    def _living(self) -> tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.bool_]]:
        layer = self.layer_
        return (
            layer.centres[layer.alive].numpy(),
            layer.relevances[layer.alive].numpy(),
            layer.connections().numpy(),
        )

    def _state(self) -> dict[str, NDArray[Any]]:
        return {name: tensor.numpy() for name, tensor in self.layer_.state_dict().items()}

    def _restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        centres = state["centres"]
        if centres.shape != (self.max_units, self.n_features_in_):
            raise ValueError(
                f"centres {centres.shape} of {self.max_units} places, {self.n_features_in_} features"
            )
        self._begin(self.n_features_in_, centres.dtype)
        own = {name: (tuple(t.shape), t.dtype) for name, t in self.layer_.state_dict().items()}
        given = {name: torch.from_numpy(array) for name, array in state.items()}
        if {name: (tuple(t.shape), t.dtype) for name, t in given.items()} != own or not state["alive"].any():
            raise ValueError("the arrays are not those of a map")
        self.layer_.load_state_dict(given)
        self.device_ = "cpu"


def _torch_type(dtype: np.dtype[Any]) -> torch.dtype:
    return torch.float64 if dtype == np.float64 else torch.float32
