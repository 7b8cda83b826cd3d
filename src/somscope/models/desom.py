"""DESOM, deep embedded self-organizing map: autoencoder and map in one loss (Forest et al., ESANN 2019).

    L = L_r + gamma L_som
    L_r = mean over items and features of (x' - x)^2
    L_som = 1/b sum_i sum_k w_ik ||z_i - m_k||^2,  w_ik = exp(-d(b_i, k)^2 / T^2),  T = Tmax (Tmin / Tmax)^(t / (n - 1))

The weights w are constants: the gradient of L_som reaches the encoder and the prototypes through the distances alone.
With the published schedule the neighbourhood ends so narrow that nothing holds the order of the units any longer
(the study desom-radius measures it). The finish, which is ours, lays a batch SOM over the codes and trains on with T
held, and with a loss on that order.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from somscope.errors import InputError, check_choice
from somscope.maps.decay import Decay
from somscope.maps.lattice import Lattice
from somscope.models.checks import (
    check_batches,
    check_common,
    check_flag,
    check_folder,
    check_number,
    check_whole,
)
from somscope.models.deep_map import DeepMap
from somscope.models.module import DeepMapModule, SOMModule
from somscope.models.pretrained import take_network
from somscope.models.schedule import check_schedule, temperatures
from somscope.models.tasks import AutoencoderTask, MapTask, all_codes, draw_rows, organised
from somscope.nets.conv import ConvAutoencoder
from somscope.nets.dense import DenseAutoencoder
from somscope.nets.initialise import check_sizes
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import squared_error
from somscope.objectives.som import order_loss
from somscope.training import Batch, Engine, Feed, Phase, Schedule, cosine

__all__ = ["DESOM", "FINISHES", "DESOMModule", "DESOMTask"]

FINISHES = ("auto", "none", "som", "joint")

Net = DenseAutoencoder | ConvAutoencoder


class DESOMModule(SOMModule):
    """An autoencoder and prototypes among its codes. net: encodes and decodes; the rest as in `SOMModule`."""

    adjacency: Tensor

    def __init__(self, net: Net, lattice: Lattice, latent_dim: int, **options: str) -> None:
        super().__init__(lattice, latent_dim, **options)
        self.net = net
        self.register_buffer("adjacency", torch.from_numpy(lattice.adjacency()), persistent=False)

    def encode(self, items: Tensor) -> Tensor:
        return self.net.encode(items)

    def decode(self, codes: Tensor) -> Tensor:
        return self.net.decode(codes)

    def loss(self, items: Tensor, temperature: float, gamma: float, order: float = 0.0) -> Losses:
        """Items (b, d) -> L_r + gamma L_som, with the terms "reconstruction" and "som".

        order: weight of a third term "order", see `objectives.som.order_loss`; 0 leaves it out.
        """
        items = items.flatten(1)
        codes = self.encode(items)
        som, squared = self.map_loss(codes, temperature)
        terms = {"reconstruction": squared_error(self.decode(codes), items), "som": som}
        if order:
            terms["order"] = order_loss(squared, self.units, self.adjacency)
        return weighted(terms, {"som": gamma, **({"order": order} if order else {})})


class DESOMTask(MapTask):
    """Joint training: one Adam for network and prototypes.

    gamma: weight of the map's loss, which counts in every `interval`-th step, from the first. In the others the
    prototypes stay, or with `moving`, as published, go on by what Adam remembers of the steps before.
    """

    module: DESOMModule

    def __init__(
        self,
        module: DESOMModule,
        temperatures: NDArray[Any],
        rows: Tensor,
        gamma: float,
        interval: int = 1,
        moving: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(module, temperatures, rows, **options)
        self.gamma, self.interval, self.moving = gamma, interval, moving

    def losses(self, batch: Batch, step: int) -> Losses:
        on = step % self.interval == 0
        losses = self.module.loss(batch.items, float(self.temperatures[step]), self.gamma if on else 0.0)
        if on or not self.moving:
            return losses
        return Losses(losses.total + 0.0 * losses.terms["som"], losses.terms)  # a gradient of 0 is not none


class FinishTask(DESOMTask):
    """Gives the map its order back: starts on a batch SOM over all codes, and trains on with T held.

    radius: the last one of that SOM, exp(-d^2 / 2 r^2), and the one that is held (T = sqrt(2) radius); order: weight
    of `order_loss`. The learning rate falls to 0.
    """

    def __init__(
        self,
        module: DESOMModule,
        n_steps: int,
        radius: float,
        gamma: float,
        order: float,
        seed: int,
        **options: Any,
    ) -> None:
        held = np.full(n_steps, radius * np.sqrt(2.0))
        super().__init__(module, held, torch.empty(0), gamma, **options)
        self.radius, self.order, self.seed = radius, order, seed

    def begin(self, feed: Feed, engine: Engine) -> None:
        codes = all_codes(self.module, feed).cpu().numpy()
        with torch.no_grad():
            self.module.prototypes.copy_(organised(codes, self.module.lattice, self.radius, self.seed))

    def schedules(self) -> Mapping[str, Schedule]:
        return {"adam": Schedule(cosine(len(self.temperatures)))}

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, float(self.temperatures[step]), self.gamma, self.order)


class DESOM(DeepMap):
    """A deep map: an autoencoder d-500-500-2000-L and a self-organizing map among its codes, trained together.

    Parameters
    ----------
    grid: "8x8", (rows, columns), a number for a chain, or "auto" (about 5 sqrt(n) units).
    latent_dim: L, dimensions of a code. hidden: sizes of the encoder's hidden layers; the decoder mirrors them.
    gamma: weight of the map's loss, which is summed over prototypes and dimensions, beside the reconstruction's, which
        is a mean over features.
    lattice: "rectangular" or "hexagonal"; toroidal joins opposite edges.
    legacy: True repeats the authors' code: its lattice distance (up to 1 too small), batches in the order of the items,
        Keras's Adam, which also moves prototypes in the steps that update_interval leaves out, the published schedule
        and no finish, so that it ends as a quantizer whose neighbours are no longer alike.
    n_steps, batch_size: of the joint training.
    temperature: (first, last) T in lattice steps, and its decay: "exponential", "linear" or the others of `SOM`.
    neighbourhood: "gaussian" exp(-d^2 / T^2), or "window" d <= T.
    lattice_distance: "manhattan" (steps over sides, six on a hexagonal lattice) or "euclidean".
    finish: what gives the prototypes their order back after the joint training. "som": a batch SOM on the codes, whose
        radius ends at final_radius; "joint": the same, and finish_steps of training more with that radius and with
        `order` times the loss on the order of best and second best units (`objectives.som.order_loss`), so that the
        codes come to the map; "none". "auto" is "joint", with legacy "none".
    final_radius: in lattice steps, exp(-d^2 / 2 r^2): smaller is closer to the items, larger is better ordered.
    start: folder of a trained model of this kind and shape (finish="none"), which is taken as it is: only the finish
        is trained, such as one with another final_radius.
    pretrain_epochs: of the autoencoder alone, before. autoencoder: folder of a saved model with the same autoencoder,
        which is taken instead of these epochs. update_interval: steps from one step of the map to the next.
    batch_norm: after each hidden layer. learning_rate: of Adam.
    device: "auto", "cpu" or "cuda"; precision: "auto", "fp32" or "bf16" (products of the network).
    checkpoints: a folder, for long trainings; resume: go on from what it holds. random_state: seed.
    training: more options of `training.TrainingOptions` by name: checkpoint_steps, checkpoint_minutes, log_steps,
        loggers (such as a `TensorBoardLogger`), other_data. They change nothing of what is learned.

    Attributes are those of every deep map, see `deep_map.DeepMap`.

    >>> model = DESOM(grid=(8, 8)).fit(X)
    >>> model.predict(X), model.decoded_prototypes_
    """

    model_name: ClassVar[str] = "desom"
    _sizes: ClassVar[tuple[str, ...]] = ("hidden",)  # parameters that give the network its shape
    module_: DESOMModule

    def __init__(
        self,
        grid: str | int | tuple[int, int] = (8, 8),
        latent_dim: int = 10,
        gamma: float = 1e-3,
        *,
        lattice: str = "rectangular",
        toroidal: bool = False,
        legacy: bool = False,
        n_steps: int = 10_000,
        batch_size: int = 256,
        hidden: tuple[int, ...] = (500, 500, 2000),
        batch_norm: bool = False,
        pretrain_epochs: int = 0,
        autoencoder: str | Path | None = None,
        update_interval: int = 1,
        temperature: tuple[float, float] = (10.0, 0.1),
        decay: Decay = "exponential",
        neighbourhood: str = "gaussian",
        lattice_distance: str = "manhattan",
        learning_rate: float = 1e-3,
        finish: str = "auto",
        finish_steps: int = 2000,
        final_radius: float = 0.3,
        order: float = 2e-3,
        start: str | Path | None = None,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.grid = grid
        self.latent_dim = latent_dim
        self.gamma = gamma
        self.lattice = lattice
        self.toroidal = toroidal
        self.legacy = legacy
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.hidden = hidden
        self.batch_norm = batch_norm
        self.pretrain_epochs = pretrain_epochs
        self.autoencoder = autoencoder
        self.update_interval = update_interval
        self.temperature = temperature
        self.decay = decay
        self.neighbourhood = neighbourhood
        self.lattice_distance = lattice_distance
        self.learning_rate = learning_rate
        self.finish = finish
        self.finish_steps = finish_steps
        self.final_radius = final_radius
        self.order = order
        self.start = start
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _check_choices(self) -> None:
        check_common(self.get_params(deep=False))
        check_schedule(self)
        check_flag("batch_norm", self.batch_norm)
        for name in ("latent_dim", "n_steps", "update_interval", "finish_steps"):
            check_whole(name, getattr(self, name), 1)
        check_whole("pretrain_epochs", self.pretrain_epochs, 0)
        for name in ("learning_rate", "final_radius"):
            check_number(name, getattr(self, name))
        for name in ("gamma", "order"):
            check_number(name, getattr(self, name), zero=True)
        check_choice("finish", self.finish, FINISHES)
        for name in ("autoencoder", "start"):
            check_folder(name, getattr(self, name))
        if self.start is not None and self.chosen_finish == "none":
            raise InputError("start leaves only the finish to be trained: finish must be 'som' or 'joint'")
        self._check_sizes()

    def _check_sizes(self) -> None:
        check_sizes("hidden, with latent_dim,", (*check_sizes("hidden", self.hidden), self.latent_dim))

    def _net(self, generator: torch.Generator | None) -> Net:
        return DenseAutoencoder(
            self.n_features_in_, self.hidden, self.latent_dim, batch_norm=self.batch_norm, generator=generator
        )

    def _module(self, generator: torch.Generator | None) -> DESOMModule:
        module = DESOMModule(
            self._net(generator),
            self.lattice_,
            self.latent_dim,
            distance="legacy" if self.legacy else self.lattice_distance,
            neighbourhood=self.neighbourhood,
        )
        if generator is not None:  # None: the weights come from a file of this model
            if self.autoencoder is not None:
                take_network(module.net, self.autoencoder)
            if self.start is not None:
                self._take_start(module)
        return module

    def _take_start(self, module: DESOMModule) -> None:
        """Give the module the state of `start`. Raises InputError for a model of other settings."""
        trained = type(self).load(Path(str(self.start)))
        for name in ("n_features_in_", "lattice_", "latent_dim", "batch_norm", *self._sizes):
            theirs, ours = getattr(trained, name), getattr(self, name)
            ours = tuple(ours) if isinstance(ours, list) else ours  # as a file of parameters has it
            if theirs != ours:
                raise InputError(f"start {self.start} has {name.rstrip('_')} {theirs}; this model has {ours}")
        module.load_state_dict(trained.module_.state_dict())

    def _phases(self, module: DeepMapModule, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        assert isinstance(module, DESOMModule)
        rows = draw_rows(len(items), self.lattice_.n_units, generator)
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        adam_options: dict[str, Any] = {
            "learning_rate": self.learning_rate,
            "eps_hat": 1e-7 if self.legacy else None,
        }
        how: dict[str, Any] = {"batch_size": self.batch_size, "shuffle": not self.legacy}
        phases = []
        taken = self.start is not None  # phases of no steps, so that the others keep their numbers
        if self.pretrain_epochs:
            before = AutoencoderTask(module, **adam_options)
            n_epochs = 0 if taken or self.autoencoder is not None else self.pretrain_epochs
            phases.append(Phase("autoencoder", before, n_epochs=n_epochs, batch_size=self.batch_size))
        map_options: dict[str, Any] = {"interval": self.update_interval, "moving": bool(self.legacy)}
        joint = DESOMTask(module, temperatures(self), rows, self.gamma, **map_options, **adam_options)
        phases.append(Phase("joint", joint, n_steps=0 if taken else self.n_steps, **how))
        if self.chosen_finish == "joint":
            finish = FinishTask(
                module, self.finish_steps, self.final_radius, self.gamma, self.order, seed, **adam_options
            )
            phases.append(Phase("finish", finish, n_steps=self.finish_steps, **how))
        check_batches(module.net, phases, len(items))
        return phases

    @property
    def _laid_at(self) -> float | None:
        return self.final_radius if self.chosen_finish == "som" else None

    @property
    def idle_parameters(self) -> tuple[str, ...]:
        """Parameters on which nothing depends while the others are as they are."""
        return {
            "none": ("finish_steps", "final_radius", "order"),
            "som": ("finish_steps", "order"),
            "joint": (),
        }[self.chosen_finish]

    @property
    def chosen_finish(self) -> str:
        """What `finish` comes to: "none", "som" or "joint"."""
        if self.finish != "auto":
            return self.finish
        return "none" if self.legacy else "joint"
