"""AE-SOM: an autoencoder, and then a map of its codes, which stay (the "AE + kerasom" of Forest et al., ESANN 2019).

1. L_r = mean over items and features of (x' - x)^2
2. on the codes z of all items: the map by Adam, L_som as of SGD-SOM; or by the batch rule, as `maps.som.SOM`
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from somscope.errors import check_choice
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
from somscope.models.tasks import AutoencoderTask, MapTask, all_codes, draw_rows
from somscope.nets.dense import DenseAutoencoder
from somscope.nets.initialise import check_sizes
from somscope.objectives.losses import Losses
from somscope.training import Batch, Feed, Phase, adam

__all__ = ["AESOM", "METHODS", "AutoencoderSOM", "CodesTask"]

METHODS = ("sgd", "batch")


class AutoencoderSOM(SOMModule):
    """An autoencoder and prototypes among its codes, each with a loss of its own."""

    def __init__(self, net: DenseAutoencoder, lattice: Lattice, latent_dim: int, **options: str) -> None:
        super().__init__(lattice, latent_dim, **options)
        self.net = net

    def encode(self, items: Tensor) -> Tensor:
        return self.net.encode(items)

    def decode(self, codes: Tensor) -> Tensor:
        return self.net.decode(codes)

    def loss(self, codes: Tensor, temperature: float) -> Losses:
        """Codes (b, L) -> L_som, with the term "som"; the loss of the autoencoder is that of `AutoencoderTask`."""
        som, _ = self.map_loss(codes, temperature)
        return Losses(som, {"som": som})


class CodesTask(MapTask):
    """Adam on the prototypes alone, on codes that were computed once; the prototypes start on codes.

    items: (n, d), the items of the training.
    """

    module: AutoencoderSOM
    raw = True  # the items of a batch are not looked at

    def __init__(
        self,
        module: AutoencoderSOM,
        items: NDArray[Any],
        temperatures: NDArray[Any],
        rows: Tensor,
        *options: Any,
    ) -> None:
        super().__init__(module, temperatures, rows, *options)
        self.items = items
        self._codes: Tensor | None = None  # made on first use, so that a resumed training has them, too

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam([self.module.prototypes], lr=self.rate, eps_hat=self.eps_hat)}

    def losses(self, batch: Batch, step: int) -> Losses:
        if self._codes is None:
            # Block by block from the host: the training's own feed holds all items on a GPU already.
            with torch.autocast(batch.indices.device.type, enabled=False):
                self._codes = all_codes(self.module, Feed(self.items, torch.device("cpu")))
        return self.module.loss(self._codes[batch.indices], float(self.temperatures[step]))


class AESOM(DeepMap):
    """An autoencoder, trained first, and a self-organizing map of its codes.

    Parameters
    ----------
    method: "sgd" trains the map by Adam, as the paper did; "batch" by the batch rule, whose radius ends at
        final_radius (lattice steps, exp(-d^2 / 2 r^2)): n_steps, temperature, decay, neighbourhood and
        lattice_distance are then not used.
    pretrain_epochs: of the autoencoder; n_steps: of the map.
    autoencoder: folder of a saved model whose autoencoder is taken as it is; pretrain_epochs is then not used.
    grid, latent_dim, lattice, toroidal, batch_size, hidden, batch_norm, temperature, decay, neighbourhood,
    lattice_distance, learning_rate, device, precision, random_state, checkpoints, resume, training, verbose: as of
    `DESOM`.
    legacy: True repeats the authors' code in the training of the map: its lattice distance (up to 1 too small),
        batches in the order of the items, and Keras's Adam.

    Attributes are those of every deep map, see `deep_map.DeepMap`.
    """

    model_name: ClassVar[str] = "ae-som"
    module_: AutoencoderSOM

    def __init__(
        self,
        grid: str | int | tuple[int, int] = (8, 8),
        latent_dim: int = 10,
        *,
        method: str = "sgd",
        lattice: str = "rectangular",
        toroidal: bool = False,
        legacy: bool = False,
        pretrain_epochs: int = 200,
        n_steps: int = 10_000,
        batch_size: int = 256,
        hidden: tuple[int, ...] = (500, 500, 2000),
        batch_norm: bool = False,
        autoencoder: str | Path | None = None,
        temperature: tuple[float, float] = (10.0, 0.1),
        decay: Decay = "exponential",
        neighbourhood: str = "gaussian",
        lattice_distance: str = "manhattan",
        final_radius: float = 0.5,
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
        self.method = method
        self.lattice = lattice
        self.toroidal = toroidal
        self.legacy = legacy
        self.pretrain_epochs = pretrain_epochs
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.hidden = hidden
        self.batch_norm = batch_norm
        self.autoencoder = autoencoder
        self.temperature = temperature
        self.decay = decay
        self.neighbourhood = neighbourhood
        self.lattice_distance = lattice_distance
        self.final_radius = final_radius
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
        check_schedule(self)
        check_choice("method", self.method, METHODS)
        check_folder("autoencoder", self.autoencoder)
        check_flag("batch_norm", self.batch_norm)
        for name in ("latent_dim", "pretrain_epochs", "n_steps"):
            check_whole(name, getattr(self, name), 1)
        for name in ("final_radius", "learning_rate"):
            check_number(name, getattr(self, name))
        check_sizes("hidden, with latent_dim,", (*check_sizes("hidden", self.hidden), self.latent_dim))

    def _module(self, generator: torch.Generator | None) -> AutoencoderSOM:
        net = DenseAutoencoder(
            self.n_features_in_, self.hidden, self.latent_dim, batch_norm=self.batch_norm, generator=generator
        )
        if (
            self.autoencoder is not None and generator is not None
        ):  # None: the weights come from a file of this model
            take_network(net, self.autoencoder)
        return AutoencoderSOM(
            net,
            self.lattice_,
            self.latent_dim,
            distance="legacy" if self.legacy else self.lattice_distance,
            neighbourhood=self.neighbourhood,
        )

    def _phases(self, module: DeepMapModule, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        assert isinstance(module, AutoencoderSOM)
        before = AutoencoderTask(module, self.learning_rate)
        n_epochs = self.pretrain_epochs if self.autoencoder is None else 0
        phases = [Phase("autoencoder", before, n_epochs=n_epochs, batch_size=self.batch_size)]
        check_batches(module.net, phases, len(items))
        if self.method == "sgd":
            rows = draw_rows(len(items), self.lattice_.n_units, generator)
            eps_hat = 1e-7 if self.legacy else None
            task = CodesTask(module, items, temperatures(self), rows, self.learning_rate, eps_hat)
            how: dict[str, Any] = {"batch_size": self.batch_size, "shuffle": not self.legacy}
            phases.append(Phase("map", task, n_steps=self.n_steps, **how))
        return phases

    @property
    def _laid_at(self) -> float | None:
        return self.final_radius if self.method == "batch" else None
