"""SOM-VAE: discrete codes on a lattice, with or without a Markov model of their sequence (Fortuin et al., ICLR 2019).

    L = L_rec + alpha L_commit + beta L_som + gamma L_transitions + tau L_smoothness
    L_rec = MSE(x, D_q(z_q)) + MSE(x, D_e(z_e)), two decoders with weights of their own, as in the published code
    L_commit = mean (z_e - z_q)^2,  L_som = mean over z_q and its neighbours e of (sg(z_e) - e)^2
    L_transitions = mean -log P(k_t | k_{t-1}),  L_smoothness = mean P(k | k_{t-1}) ||z_e,t - e_k||^2

All means are over elements. z_q is the prototype nearest to the code z_e = E(x), and no gradient passes through the
choice: the decoder of z_q teaches the prototypes, the decoder of z_e the encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.errors import InputError, check_choice
from somscope.maps.lattice import Lattice
from somscope.models.checks import check_common, check_flag, check_number, check_whole
from somscope.models.deep_map import DeepMap
from somscope.models.module import DeepMapModule, neighbour_table
from somscope.models.tasks import UnitTask
from somscope.nets.initialise import check_sizes, truncated_normal
from somscope.nets.som_vae import dense_decoder, dense_encoder, image_decoder, image_encoder
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.quantized import commitment_loss, neighbour_loss, smoothness_loss, transition_loss
from somscope.objectives.reconstruction import squared_error
from somscope.training import Batch, Phase, Schedule, adam, staircase

__all__ = ["NETS", "SOMVAE", "SOMVAEModule", "SOMVAETask"]

NETS = ("auto", "conv", "dense")


class SOMVAEModule(DeepMapModule):
    """Encoder, two decoders, prototypes, and the logits of a transition matrix.

    weights: of the terms "commitment", "som", "transitions", "smoothness". transitions: True for sequences.
    zeros: neighbours beyond the edge are prototypes of zeros, as in the published code.
    """

    neighbours: Tensor

    def __init__(
        self,
        encoder: nn.Module,
        decoder: nn.Module,
        prototype_decoder: nn.Module,
        lattice: Lattice,
        latent_dim: int,
        *,
        weights: Mapping[str, float],
        transitions: bool = False,
        zeros: bool = False,
    ) -> None:
        super().__init__(lattice, latent_dim)
        self.encoder, self.decoder, self.prototype_decoder = encoder, decoder, prototype_decoder
        self.weights, self.zeros = dict(weights), zeros
        own = torch.arange(lattice.n_units)[:, None]
        self.register_buffer("neighbours", torch.cat([own, neighbour_table(lattice)], 1), persistent=False)
        self.transitions = (
            nn.Parameter(torch.zeros(lattice.n_units, lattice.n_units)) if transitions else None
        )

    def encode(self, items: Tensor) -> Tensor:
        z: Tensor = self.encoder(items.flatten(1))
        return z

    def decode(self, codes: Tensor) -> Tensor:
        x: Tensor = self.decoder(codes)
        return x

    def decode_prototypes(self, prototypes: Tensor) -> Tensor:
        x: Tensor = self.prototype_decoder(prototypes)
        return x

    def transition_matrix(self) -> Tensor:
        """(K, K): P(k_t | k_{t-1}), a row for each k_{t-1}."""
        assert self.transitions is not None
        return self.transitions.softmax(1)

    def loss(self, items: Tensor) -> Losses:
        """Items (b, d), or with transitions sequences (s, t, d): all terms, weighted.

        The first step of a sequence follows itself, as in the published code.
        """
        items = items.float()
        flat = items.flatten(0, 1) if self.transitions is not None else items
        codes = self.encode(flat)
        squared = self.squared_distances(codes)
        codes = codes.float()
        self.units = squared.detach().argmin(1)
        nearest = self.prototypes[self.units]
        terms = {
            "reconstruction": squared_error(self.decode(codes), flat),
            "quantized_reconstruction": squared_error(self.decode_prototypes(nearest), flat),
            "commitment": commitment_loss(codes, nearest),
            "som": neighbour_loss(codes, self.prototypes, self.neighbours[self.units], self.zeros),
        }
        if self.transitions is not None:
            sequences = self.units.view(items.shape[:2])
            previous = torch.cat([sequences[:, :1], sequences[:, :-1]], 1).flatten()
            log_matrix = self.transitions.log_softmax(1)
            terms["transitions"] = transition_loss(log_matrix, previous, self.units)
            terms["smoothness"] = smoothness_loss(log_matrix.exp(), previous, squared)
        return weighted(terms, {name: w for name, w in self.weights.items() if name in terms})


class SOMVAETask(UnitTask):
    """Adam with a falling learning rate, a hundred times larger for the transition matrix.

    decay_steps: steps after which the rate is multiplied by 0.9. eps_hat: see `training.adam`.
    """

    module: SOMVAEModule

    def __init__(
        self, module: SOMVAEModule, learning_rate: float, decay_steps: int, eps_hat: float | None = None
    ) -> None:
        self.module, self.rate, self.decay_steps, self.eps_hat = module, learning_rate, decay_steps, eps_hat

    def optimizers(self) -> Mapping[str, Optimizer]:
        logits = self.module.transitions
        weights = [weight for weight in self.module.parameters() if weight is not logits]
        found = {"adam": adam(weights, lr=self.rate, eps_hat=self.eps_hat)}
        if logits is not None:
            found["transitions"] = adam([logits], lr=100.0 * self.rate, eps_hat=self.eps_hat)
        return found

    def schedules(self) -> Mapping[str, Schedule]:
        falling = Schedule(staircase(0.9, self.decay_steps))
        names = ("adam",) if self.module.transitions is None else ("adam", "transitions")
        return dict.fromkeys(names, falling)

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items)


class SOMVAE(DeepMap):
    """A map of discrete codes: images through wide convolutions, vectors through dense layers.

    Parameters
    ----------
    grid: "8x8", (rows, columns), a number for a chain, or "auto". latent_dim: L, dimensions of a code.
    transitions: True for items that are sequences, one after the other, each of sequence_length items: learns the
        matrix of transitions between units, and codes that follow it. False ignores the order of the items.
    alpha, beta, gamma, tau: weights of commitment, map, transitions and smoothness.
    lattice: "rectangular" or "hexagonal"; toroidal joins opposite edges.
    legacy: True repeats the authors' code without transitions: neighbours beyond the edge count as zeros (which adds a
        constant), TensorFlow's Adam, whose learning rate falls every 500 steps, as their count of steps runs twice as
        fast, and on vectors codes are rectified and outputs bounded to [0, 1]. With transitions gamma counts twice, but
        theirs takes two steps of Adam for each batch, and ours one.
    n_epochs, batch_size: of the training, in items.
    net: "conv" for images whose sides are multiples of 4, "dense", or "auto": by what the items are.
    filters: of each convolution; hidden: sizes of the dense encoder's layers, mirrored in the decoders.
    learning_rate: of Adam; it falls to 0.9 of itself every 1000 steps.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DESOM`.

    Attributes are those of every deep map, see `deep_map.DeepMap`; and transition_matrix_ (K, K) with transitions, row
    j of which is the distribution of the unit that follows unit j.
    """

    model_name: ClassVar[str] = "som-vae"
    module_: SOMVAEModule
    transition_matrix_: NDArray[np.float32]

    def __init__(
        self,
        grid: str | int | tuple[int, int] = (8, 8),
        latent_dim: int = 64,
        *,
        transitions: bool = False,
        sequence_length: int = 32,
        alpha: float = 1.0,
        beta: float = 0.9,
        gamma: float = 1.8,
        tau: float = 1.4,
        lattice: str = "rectangular",
        toroidal: bool = False,
        legacy: bool = False,
        n_epochs: int = 20,
        batch_size: int = 32,
        net: str = "auto",
        filters: int = 256,
        hidden: tuple[int, ...] = (256, 128),
        learning_rate: float = 5e-4,
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
        self.transitions = transitions
        self.sequence_length = sequence_length
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.tau = tau
        self.lattice = lattice
        self.toroidal = toroidal
        self.legacy = legacy
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.net = net
        self.filters = filters
        self.hidden = hidden
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
        for name in ("transitions", "legacy"):
            check_flag(name, getattr(self, name))
        for name in ("latent_dim", "sequence_length", "n_epochs", "filters"):
            check_whole(name, getattr(self, name), 1)
        for name in ("alpha", "beta", "gamma", "tau"):
            check_number(name, getattr(self, name), zero=True)
        check_number("learning_rate", self.learning_rate)
        check_choice("net", self.net, NETS)
        check_sizes("hidden", self.hidden)

    def _module(self, generator: torch.Generator | None) -> SOMVAEModule:
        n_features, shape = self.n_features_in_, self.image_shape_
        generators = (generator, generator)  # of the two decoders
        if self.net == "conv" or (self.net == "auto" and shape is not None):
            if shape is None:
                raise InputError("net='conv' needs images: (n, H, W, C) uint8, or a collection of images")
            encoder = image_encoder(shape, self.latent_dim, self.filters, generator)
            decoder, other = (image_decoder(shape, self.latent_dim, self.filters, g) for g in generators)
            block = max(16, 2**24 // (self.filters * shape[0] * shape[1]))
        else:
            bounded = bool(self.legacy) or shape is not None
            encoder = dense_encoder(n_features, self.latent_dim, self.hidden, bool(self.legacy), generator)
            decoder, other = (
                dense_decoder(n_features, self.latent_dim, self.hidden, bounded, g) for g in generators
            )
            block = DeepMapModule.block
        weights = {
            "commitment": self.alpha,
            "som": self.beta,
            "transitions": self.gamma**2 if self.legacy else self.gamma,
            "smoothness": self.tau,
        }
        module = SOMVAEModule(
            encoder, decoder, other, self.lattice_, self.latent_dim,
            weights=weights, transitions=bool(self.transitions), zeros=bool(self.legacy),
        )  # fmt: skip
        module.block = block
        if generator is not None:
            truncated_normal(module.prototypes, 0.05, generator)
        return module

    def _arranged(self, items: NDArray[Any]) -> NDArray[Any]:
        if not self.transitions:
            return items
        if len(items) % self.sequence_length:
            raise InputError(
                f"{len(items)} items are not whole sequences of sequence_length={self.sequence_length} items"
            )
        return items.reshape(-1, self.sequence_length, items.shape[1])

    def _phases(self, module: DeepMapModule, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        assert isinstance(module, SOMVAEModule)
        decay_steps, eps_hat = (500, 1e-8) if self.legacy else (1000, None)
        task = SOMVAETask(module, self.learning_rate, decay_steps, eps_hat)
        together = max(1, self.batch_size // self.sequence_length) if self.transitions else self.batch_size
        return [Phase("joint", task, n_epochs=self.n_epochs, batch_size=together)]

    def _describe(self) -> None:
        super()._describe()
        if self.transitions:
            self.transition_matrix_ = self.module_.transition_matrix().cpu().numpy()
