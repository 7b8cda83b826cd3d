"""Deep Neural Maps: an autoencoder and a map of its codes that train in turns (Pesteie et al., ICLR workshop 2018).

1. the autoencoder alone: L_r = mean over items and features of (x' - x)^2
2. the map: a batch SOM on the codes of all items
3. in turns, an epoch each: the map by the batch rule, on the codes of all items; then the autoencoder, the map held:
   L = L_r + gamma L_h,  L_h = mean over items of KL(p_i || q_i),  q_ik ~ (1 + ||z_i - m_k||^2 / a)^(-(a + 1) / 2)

The target p is q squared over the use of each unit, normalised (DEC), over the whole data set after each turn of the
map. What we know of the paper (its abstract, a summary of it, and the account of the DESOM authors) names these parts
and gives no sizes, weights or schedules, and its map is updated item by item. The batch rule, one turn an epoch, the
falling radius and Adam are our choices, as is pretraining all layers at once; so are gamma = 0.003 and a = 10. With
more hardening, or with the a = 1 of DEC, whose q is even over many units and pulls each code towards all of them, codes
come to lie on the plane of the map, well ordered and hardly told apart. Of ten settings tried on 20,000 images of
MNIST, from both parts, these kept most purity with a topographic error below 0.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from somscope.errors import InputError, check_choice
from somscope.maps.batch import batch_step
from somscope.maps.lattice import Lattice
from somscope.models.checks import check_common, check_number, check_pair, check_whole
from somscope.models.deep_map import DeepMap
from somscope.models.module import DeepMapModule
from somscope.models.tasks import AutoencoderTask, UnitTask, all_codes, organised
from somscope.nets.conv import ConvAutoencoder
from somscope.nets.dense import DenseAutoencoder
from somscope.nets.initialise import check_sizes
from somscope.objectives.clustering import hardening_loss, soft_assignments, target_distribution
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import squared_error
from somscope.training import Batch, Engine, Feed, Phase, adam

__all__ = ["NETS", "DeepNeuralMap", "DeepNeuralMapModule", "TurnsTask"]

NETS = ("dense", "conv")
_PASSES = 5  # of the batch rule in a turn, so that the map follows the codes of an epoch

Net = DenseAutoencoder | ConvAutoencoder


class DeepNeuralMapModule(DeepMapModule):
    """An autoencoder and prototypes among its codes. alpha: degrees of freedom of Student's t."""

    def __init__(self, net: Net, lattice: Lattice, latent_dim: int, alpha: float) -> None:
        super().__init__(lattice, latent_dim)
        self.net, self.alpha = net, alpha

    def encode(self, items: Tensor) -> Tensor:
        return self.net.encode(items)

    def decode(self, codes: Tensor) -> Tensor:
        return self.net.decode(codes)

    def assignments(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, K) q."""
        return soft_assignments(self.squared_distances(codes), self.alpha)

    def loss(self, items: Tensor, target: Tensor, gamma: float) -> Losses:
        """Items (b, d), target (b, K) -> L_r + gamma L_h, with the terms "reconstruction" and "hardening"."""
        items = items.flatten(1)
        codes = self.encode(items)
        squared = self.squared_distances(codes)
        self.units = squared.detach().argmin(1)
        terms = {
            "reconstruction": squared_error(self.decode(codes), items),
            "hardening": hardening_loss(target, soft_assignments(squared, self.alpha)),
        }
        return weighted(terms, {"hardening": gamma})

    @torch.no_grad()
    def follow(self, codes: Tensor, radius: float) -> None:
        """A turn of the map: passes of the batch rule over all codes (n, L)."""
        rows, prototypes = codes.cpu().numpy(), self.prototypes.cpu().numpy()
        for _ in range(_PASSES):
            prototypes, _, _ = batch_step(prototypes, rows, self.lattice, radius)
        self.prototypes.copy_(torch.from_numpy(prototypes))


class TurnsTask(UnitTask):
    """The map takes its turn before each epoch, and the last in `DeepNeuralMap._settle`; the autoencoder in its steps.

    The target (n, K) of all items after the map's turn is `module.target`.
    radii: (n_epochs,) of the map's turns, in lattice steps; before the first, a batch SOM ends at the first of them.
    seed: of that SOM.
    """

    module: DeepNeuralMapModule

    def __init__(
        self,
        module: DeepNeuralMapModule,
        n_items: int,
        radii: NDArray[np.float64],
        gamma: float,
        learning_rate: float,
        seed: int,
    ) -> None:
        self.module, self.radii, self.gamma = module, radii, gamma
        self.rate, self.seed = learning_rate, seed
        module.remember("target", torch.zeros(n_items, len(module.prototypes)))

    @torch.no_grad()
    def begin(self, feed: Feed, engine: Engine) -> None:
        codes = all_codes(self.module, feed).cpu().numpy()
        laid = organised(codes, self.module.lattice, float(self.radii[0]), self.seed)
        self.module.prototypes.copy_(laid)

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.net.parameters(), lr=self.rate)}

    @torch.no_grad()
    def at_epoch(self, epoch: int, feed: Feed, engine: Engine) -> None:
        module = self.module
        codes = all_codes(module, feed)
        module.follow(codes, float(self.radii[epoch]))
        self._target.copy_(target_distribution(module.assignments(codes)))

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, self._target[batch.indices], self.gamma)

    @property
    def _target(self) -> Tensor:
        return self.module.get_buffer("target")


class DeepNeuralMap(DeepMap):
    """A deep map whose autoencoder learns codes that belong to units ever more clearly.

    Parameters
    ----------
    grid: "8x8", (rows, columns), a number for a chain, or "auto". latent_dim: L, dimensions of a code.
    gamma: weight of the hardening, a mean over items, beside the reconstruction, a mean over items and features.
    alpha: degrees of freedom of the Student's t with which items belong to units.
    lattice: "rectangular" or "hexagonal"; toroidal joins opposite edges.
    radius: (first, last) of the map's neighbourhood exp(-d^2 / 2 r^2) in the turns, in lattice steps; a number: both.
    pretrain_epochs: of the autoencoder alone; n_epochs: of the turns. batch_size: of both.
    net: "dense", with the sizes `hidden`, mirrored in the decoder; or "conv" for images, as published, with `filters`
        for each halving (see `nets.conv`).
    learning_rate: of Adam.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DESOM`.

    Attributes are those of every deep map, see `deep_map.DeepMap`.
    """

    model_name: ClassVar[str] = "deep-neural-map"
    module_: DeepNeuralMapModule

    def __init__(
        self,
        grid: str | int | tuple[int, int] = (8, 8),
        latent_dim: int = 10,
        gamma: float = 0.003,
        *,
        alpha: float = 10.0,
        lattice: str = "rectangular",
        toroidal: bool = False,
        radius: tuple[float, float] = (1.0, 0.3),
        pretrain_epochs: int = 200,
        n_epochs: int = 100,
        batch_size: int = 256,
        net: str = "dense",
        hidden: tuple[int, ...] = (500, 500, 2000),
        filters: tuple[int, ...] = (32, 64, 64),
        learning_rate: float = 1e-3,
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
        self.alpha = alpha
        self.lattice = lattice
        self.toroidal = toroidal
        self.radius = radius
        self.pretrain_epochs = pretrain_epochs
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.net = net
        self.hidden = hidden
        self.filters = filters
        self.learning_rate = learning_rate
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _check_choices(self) -> None:
        check_common(self.get_params(deep=False))
        for name in ("latent_dim", "pretrain_epochs", "n_epochs"):
            check_whole(name, getattr(self, name), 1)
        check_number("gamma", self.gamma, zero=True)
        for name in ("alpha", "learning_rate"):
            check_number(name, getattr(self, name))
        check_pair("radius", self.radius)
        check_choice("net", self.net, NETS)
        check_sizes("hidden", self.hidden)
        check_sizes("filters", self.filters)

    def _net(self, generator: torch.Generator | None) -> Net:
        if self.net == "dense":
            return DenseAutoencoder(self.n_features_in_, self.hidden, self.latent_dim, generator=generator)
        if self.image_shape_ is None:
            raise InputError("net='conv' needs images: (n, H, W, C) uint8, or a collection of images")
        return ConvAutoencoder(self.image_shape_, self.filters, self.latent_dim, generator=generator)

    def _module(self, generator: torch.Generator | None) -> DeepNeuralMapModule:
        return DeepNeuralMapModule(self._net(generator), self.lattice_, self.latent_dim, self.alpha)

    def _phases(
        self, module: DeepNeuralMapModule, items: NDArray[Any], generator: torch.Generator
    ) -> list[Phase]:
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        radii = np.geomspace(*check_pair("radius", self.radius), self.n_epochs)
        before = AutoencoderTask(module, self.learning_rate)
        turns = TurnsTask(module, len(items), radii, self.gamma, self.learning_rate, seed)
        return [
            Phase("autoencoder", before, n_epochs=self.pretrain_epochs, batch_size=self.batch_size),
            Phase("turns", turns, n_epochs=self.n_epochs, batch_size=self.batch_size),
        ]

    def _settle(self, items: NDArray[Any], seed: int) -> None:
        """The map takes the last turn, so that it is one of the codes that the autoencoder ended with."""
        super()._settle(items, seed)
        if self.module_.prototypes.any():  # not interrupted before there was a map
            codes = torch.cat(list(self._codes(items)))
            self.module_.follow(codes, check_pair("radius", self.radius)[1])
        self.module_.forget()
