"""DC-SOMRL: an autoencoder with a growing map of its codes that learns relevances (SOMRL paper, section 4).

    z = sigmoid(f(x)),  x' = g(z),  L = ||x' - x||^2 + alpha D_w(z, c_z)                                        (eq. 7)

In every step SOMRL first learns from the codes of the batch, in closed form; c_z and w are centre and relevances of a
code's winner after that. They are constants: the gradient of D_w reaches the encoder alone. The scale of the first term
decides what alpha is worth (see `reconstruction`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.errors import InputError, check_choice
from somscope.maps.graph import GraphLattice, connection_distances, lay_out, mean_connection
from somscope.maps.relevance import EPSILON, activations, complaint, root_mean_square, unassigned
from somscope.maps.sample import refuse_unmappable
from somscope.maps.somrl_layer import SOMRLLayer, SOMRLRule
from somscope.models.checks import check_flag, check_number, check_run, check_whole
from somscope.models.deep_model import Codes, DeepModel, Floats
from somscope.models.module import DeepModule
from somscope.models.tasks import AutoencoderTask, UnitTask
from somscope.nets.dense import DenseAutoencoder
from somscope.nets.initialise import check_sizes
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import squared_error
from somscope.parts import rand_like
from somscope.training import Batch, Engine, Phase, adam

__all__ = ["DCSOMRL", "DCSOMRLModule", "DCSOMRLTask"]

ATTRACTED = ("all", "activated")
RECONSTRUCTIONS = ("mean", "sum")
_ROWS = 4096  # items whose values are added up together


class DCSOMRLModule(DeepModule):
    """An autoencoder and a SOMRL map of its codes.

    net: encodes and decodes, its code goes through a sigmoid. layer: the map. shift, scale: () of the items, so that
    the network sees (x - shift) / scale. attracted, reconstruction, disturb: see `DCSOMRL`. While it is trained there
    is a prototype for each place of the map, afterwards (`settle`) for each unit.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        net: DenseAutoencoder,
        layer: SOMRLLayer,
        shift: float = 0.0,
        scale: float = 1.0,
        attracted: str = "all",
        reconstruction: str = "mean",
        disturb: float = 0.0,
    ) -> None:
        super().__init__(*layer.centres.shape)
        self.net, self.layer = net, layer
        self.attracted, self.reconstruction, self.disturb = attracted, reconstruction, disturb
        self.prototypes.requires_grad_(False)
        self.register_buffer("shift", torch.tensor(shift))
        self.register_buffer("scale", torch.tensor(scale))

    def encode(self, items: Tensor) -> Tensor:
        """(b, ...) -> (b, L) codes in (0, 1)."""
        raw = self.net.encode((items.flatten(1) - self.shift) / self.scale)
        return torch.sigmoid(raw.double()).to(
            raw.dtype
        )  # in float32 the last digit depends on an item's place

    def decode(self, codes: Tensor) -> Tensor:
        return self.net.decode(codes) * self.scale + self.shift

    def activations(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, K) activation of each unit, in the codes' precision."""
        layer, rule = self.layer, self.layer.rule
        centres, relevances = layer.centres.to(codes.dtype), layer.relevances.to(codes.dtype)
        found: Tensor = activations(codes, centres, relevances, rule.epsilon, rule.distance)
        return found

    def squared_distances(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, K) (D_w + eps) / sum w: mean over the dimensions of the squared difference, by relevance."""
        squared: Tensor = root_mean_square(self.activations(codes)).square()
        return squared

    def forward(self, items: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(b, d) -> codes (b, L), best units (b,) among those that live, their distances (b,)."""
        codes = self.encode(items)
        active, units = torch.where(self.layer.alive, self.activations(codes), 0.0).max(1)
        return codes, units, root_mean_square(active)

    def loss(self, items: Tensor, alpha: float, total: Any = None) -> Losses:
        """Items (b, d) -> L, with the terms "reconstruction" and "clustering"; the map learns from their codes.

        total: sums over processes, see `SOMRLLayer.step`.
        """
        items = items.flatten(1)
        codes = self.encode(items)
        given = self._disturbed(codes) if self.disturb else codes
        made = self.net.decode(given)
        with torch.autocast(codes.device.type, enabled=False):
            codes = codes.float()
            step = self.layer.step(given.float(), total)
            places = step.places if self.attracted == "activated" else self._winners(codes.detach())
            apart = ((codes - step.centres[places]).square() * self.layer.relevances[places]).sum(1)
            clustering = (apart * step.activated if self.attracted == "activated" else apart).mean()
            self.units = step.places
            wanted = (items - self.shift) / self.scale
            reconstruction = squared_error(made, wanted)
            if self.reconstruction == "sum":
                reconstruction = items.shape[1] * reconstruction
        return weighted({"reconstruction": reconstruction, "clustering": clustering}, {"clustering": alpha})

    def _disturbed(self, codes: Tensor) -> Tensor:
        """(b, L) codes with random numbers in [0, 1) in the dimensions that matter least to the winner of each."""
        relevances = self.layer.relevances[self._winners(codes.detach())]
        least = relevances.argsort(1)[:, : int(self.disturb * codes.shape[1])]
        chosen = torch.zeros_like(codes, dtype=torch.bool).scatter(1, least, True)
        taught = relevances.amin(1, keepdim=True) < relevances.amax(1, keepdim=True)
        return torch.where(chosen & taught, rand_like(relevances), codes)

    def _winners(self, codes: Tensor) -> Tensor:
        """(b,) place of the most active unit of the map as it is now."""
        active = self.activations(codes)
        return torch.where(self.layer.alive, active, -1.0).argmax(1)

    @torch.no_grad()
    def settle(self) -> None:
        """Leave no places but those of the units that live, for use."""
        layer = self.layer
        alive = layer.alive.nonzero().squeeze(1)
        for name in ("centres", "relevances", "distances", "life", "alive"):
            setattr(layer, name, getattr(layer, name)[alive].clone())
        self.prototypes = nn.Parameter(layer.centres.clone(), requires_grad=False)
        self.counts = torch.zeros_like(layer.life)


class DCSOMRLTask(UnitTask):
    """Joint training: Adam for the network, and the map in closed form."""

    module: DCSOMRLModule
    _total: Any = None

    def __init__(self, module: DCSOMRLModule, alpha: float, learning_rate: float) -> None:
        self.module, self.alpha, self.learning_rate = module, alpha, learning_rate

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.net.parameters(), lr=self.learning_rate)}

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        self._total = engine.total if engine.n_processes > 1 else None
        if self._total is not None and self.module.layer.through:
            raise InputError("detach_centres=False needs one process: start it without torchrun")
        return super().update(batch, step, engine)

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, self.alpha, self._total)

    def scalars(self, step: int) -> Mapping[str, float]:
        return {"units": float(self.module.layer.n_units)}


class DCSOMRL(DeepModel):
    """A deep map that grows: an autoencoder d-500-500-2000-L with a sigmoid code, and SOMRL among its codes.

    Parameters
    ----------
    latent_dim: L, dimensions of a code. hidden: sizes of the encoder's hidden layers; the decoder mirrors them.
    alpha: weight of the map's term. threshold ... epsilon: of the map, see `maps.somrl.SOMRL` and, for the readings of
        the paper, `maps.somrl_layer.SOMRLRule`. Defaults are the published ones for MNIST.
    restored: here "winning" as the text has it, since most items lie below the threshold for long: of "activated" units
        nearly all would die within three batches and their successors never learn relevances.
    attracted: whose codes have a D_w: "all", each with its winner at the end of the step, which may be a new unit (the
        text: the insertion comes first, "at the end of this process" c_z is used); "activated", those of items that
        activate a unit from the threshold before the step (public code). New items lie farther from the units than the
        threshold; without a pull on them they stay there, and the map cannot settle.
    reconstruction: of an item the "mean" of its squared differences over the features, or their "sum", as printed. Of
        standardised images the sum is some hundreds and D_w below 1, so that alpha hardly matters: codes keep apart by
        more than the published thresholds allow, and nearly all items stay unassigned. With the mean they come together
        around the units.
    disturb: not in the paper; share of the dimensions of a code, those least relevant to its unit, that are replaced by
        random numbers in [0, 1) before it is decoded and shown to the map, so that the decoder cannot depend on them
        and they go on to matter least. Not those of units without an update.
    detach_centres: True keeps the centres constant in D_w; False lets its gradient through their update, too, which
        reaches the encoder as well and nothing else. It needs a single process.
    pretrain_epochs: of the autoencoder alone, before; the paper states none. Codes of a new network lie so close
        together that a low threshold puts all of them into one unit, in which D_w then keeps them.
    n_epochs, batch_size: of the training. learning_rate_net: of Adam; the paper does not say it.
    standardise: what the network sees: "auto" subtracts the mean of all values of the training items and divides by
        their standard deviation; (mean, deviation) are given ones; None takes items as they are.
    device: "auto", "cpu" or "cuda"; precision: "auto", "fp32" or "bf16" (products of the network).
    checkpoints: a folder, for long trainings; resume: go on from what it holds. random_state: seed.
    training: more options of `training.TrainingOptions` by name.

    Attributes
    ----------
    relevances_ (K, L) in [0, 1]; connections_ (K, K) bool, units that activate each other; n_units_ K; those of every
    deep model, see `deep_model.DeepModel`; history_["units"]. Removed in the end: units that were never updated,
    most of them made by the last batch, and units that hold no training item.
    Distances are root mean square differences, weighted by relevance (`maps.relevance`).

    >>> model = DCSOMRL().fit(images)
    >>> model.predict(images, noise=True), model.relevances_, model.decoded_prototypes_
    """

    model_name: ClassVar[str] = "dc-somrl"
    _noun: ClassVar[str] = "map"
    _parts: ClassVar[str] = "units"

    module_: DCSOMRLModule
    relevances_: Codes
    connections_: NDArray[np.bool_]
    n_units_: int

    def __init__(
        self,
        latent_dim: int = 22,
        alpha: float = 0.1145,
        threshold: float = 0.99425,
        max_units: int = 200,
        *,
        learning_rate: float = 0.1426,
        repel_rate: float = 1.0,
        life_decay: float = 0.36,
        relevance_rate: float = 0.067,
        gamma: float = 1.382,
        smoothness: float = 0.426,
        repel: str = "distance",
        neighbour_decay: str = "rate",
        neighbours: str = "activated",
        combine: str = "mean",
        distance: str = "relevance",
        compared: str = "item",
        life_unit: str = "batch",
        restored: str = "winning",
        epsilon: float = EPSILON,
        attracted: str = "all",
        reconstruction: str = "mean",
        disturb: float = 0.0,
        detach_centres: bool = True,
        pretrain_epochs: int = 0,
        n_epochs: int = 30,
        batch_size: int = 256,
        hidden: tuple[int, ...] = (500, 500, 2000),
        learning_rate_net: float = 1e-3,
        standardise: str | tuple[float, float] | None = "auto",
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.alpha = alpha
        self.threshold = threshold
        self.max_units = max_units
        self.learning_rate = learning_rate
        self.repel_rate = repel_rate
        self.life_decay = life_decay
        self.relevance_rate = relevance_rate
        self.gamma = gamma
        self.smoothness = smoothness
        self.repel = repel
        self.neighbour_decay = neighbour_decay
        self.neighbours = neighbours
        self.combine = combine
        self.distance = distance
        self.compared = compared
        self.life_unit = life_unit
        self.restored = restored
        self.epsilon = epsilon
        self.attracted = attracted
        self.reconstruction = reconstruction
        self.disturb = disturb
        self.detach_centres = detach_centres
        self.pretrain_epochs = pretrain_epochs
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.hidden = hidden
        self.learning_rate_net = learning_rate_net
        self.standardise = standardise
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def predict(self, X: Any, noise: bool = False) -> NDArray[np.int64]:
        """(n,) most active unit of each item. noise: -1 for items that activate no unit up to the threshold."""
        units, distances = self.best_units(X, k=1)
        return np.where(noise & unassigned(distances, self.threshold), -1, units)[:, 0]

    def _check_choices(self) -> None:
        check_run(self.get_params(deep=False))
        self._rule()
        for name in ("latent_dim", "max_units", "n_epochs"):
            check_whole(name, getattr(self, name), 1)
        check_whole("pretrain_epochs", self.pretrain_epochs, 0)
        check_number("learning_rate_net", self.learning_rate_net)
        check_number("alpha", self.alpha, zero=True)
        check_number("disturb", self.disturb, zero=True)
        if self.disturb >= 1.0:
            raise InputError(f"disturb={self.disturb!r}; allowed: a number from 0 and below 1")
        check_choice("attracted", self.attracted, ATTRACTED)
        check_choice("reconstruction", self.reconstruction, RECONSTRUCTIONS)
        check_flag("detach_centres", self.detach_centres)
        check_sizes("hidden", self.hidden)
        self._check_standardise()

    def _check_standardise(self) -> None:
        given = self.standardise
        if given is None or (isinstance(given, str) and given == "auto"):
            return
        if isinstance(given, str) or np.shape(given) != (2,) or not np.isfinite(given).all() or given[1] <= 0:
            raise InputError(
                f"standardise={given!r}; allowed: 'auto', None, or (mean, deviation) with a deviation above 0"
            )

    def _rule(self) -> SOMRLRule:
        return SOMRLRule(**{field.name: getattr(self, field.name) for field in fields(SOMRLRule)})

    def _prepare(self, items: NDArray[Any]) -> None:
        refuse_unmappable(items)
        self._seen = (0.0, 1.0)
        if isinstance(self.standardise, str):
            self._seen = _moments(items)
            self.chosen_["standardise"] = (
                f"mean {self._seen[0]:.4g}, deviation {self._seen[1]:.4g}: those of all values"
            )
        elif self.standardise is not None:
            self._seen = (float(self.standardise[0]), float(self.standardise[1]))

    def _module(self, generator: torch.Generator | None) -> DCSOMRLModule:
        net = DenseAutoencoder(self.n_features_in_, self.hidden, self.latent_dim, generator=generator)
        places = self.max_units if generator is not None else self.n_units_
        layer = SOMRLLayer(self.latent_dim, places, self._rule(), through=not self.detach_centres)
        seen = self._seen if generator is not None else (0.0, 1.0)
        return DCSOMRLModule(net, layer, *seen, self.attracted, self.reconstruction, self.disturb)

    def _phases(self, module: Any, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        rate, size = self.learning_rate_net, self.batch_size
        joint = Phase("joint", DCSOMRLTask(module, self.alpha, rate), n_epochs=self.n_epochs, batch_size=size)
        if not self.pretrain_epochs:
            return [joint]
        alone = AutoencoderTask(module, rate)
        return [Phase("autoencoder", alone, n_epochs=self.pretrain_epochs, batch_size=size), joint]

    def _settle(self, items: NDArray[Any], seed: int) -> None:
        module = self.module_
        if not module.layer.alive.any():  # interrupted before the first step
            module.layer.step(next(iter(self._codes(items))))
        self.warnings_ += module.layer.complaints()
        relevances = module.layer.relevances[module.layer.alive]
        taught = (relevances.amin(1) < relevances.amax(1)).nonzero().squeeze(1)
        if len(taught):
            module.layer.keep(taught)
        module.settle()
        self.n_units_ = module.layer.n_units
        units, distances = self._nearest(items, 1)
        if noise := complaint(distances[:, 0], self.threshold):
            self.warnings_.append(noise)
        held = np.unique(units)
        if len(held) < self.n_units_:
            module.layer.keep(torch.from_numpy(held).to(module.layer.alive.device))
            module.settle()
            self.n_units_ = len(held)

    def _describe(self) -> None:
        super()._describe()
        layer = self.module_.layer
        self.relevances_ = layer.relevances.cpu().numpy().copy()
        self.connections_ = layer.connections().cpu().numpy()

    @property
    def lattice_(self) -> GraphLattice:
        """The units in cells of a plane, so that connected and similar ones lie together; see `maps.graph`."""
        return lay_out(self.prototypes_, self.relevances_, self.connections_)

    @property
    def edge_distances_(self) -> Floats:
        """(E,) distance of the units that each connection of the lattice joins, as between items and units."""
        return connection_distances(
            self.prototypes_, self.relevances_, self.connections_, self.epsilon, self.distance
        )

    @property
    def u_matrix_(self) -> Floats:
        """(K,) mean distance of each unit to those that it is connected with, NaN without any."""
        return mean_connection(self.edge_distances_, self.connections_)

    @property
    def _n_units(self) -> int:
        return self.n_units_

    def _described(self) -> dict[str, Any]:
        return {"n_units": self.n_units_}

    def _restore(self, description: Mapping[str, Any]) -> None:
        units = description["n_units"]
        if type(units) is not int or not 1 <= units <= self.max_units:
            raise ValueError(f"n_units={units!r} of at most {self.max_units}")
        self.n_units_ = units


def _moments(items: NDArray[Any]) -> tuple[float, float]:
    """Mean and standard deviation of all values of (n, d) items, bytes as pixel / 255."""
    total, squares = 0.0, 0.0
    for start in range(0, len(items), _ROWS):
        rows = items[start : start + _ROWS].astype(np.float64) / (255.0 if items.dtype == np.uint8 else 1.0)
        total, squares = total + rows.sum(), squares + np.square(rows).sum()
    mean = total / items.size
    return float(mean), float(np.sqrt(max(squares / items.size - mean**2, 0.0)) or 1.0)
