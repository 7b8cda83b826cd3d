"""DPSOM, deep probabilistic SOM: a variational autoencoder whose codes gather on a torus (Manduchi et al., CHIL 2021).

    L = theta L_vae + gamma L_hardening + beta L_map
    L_vae = mean over items of -log p(x | z) + prior KL(q(z | x) || N(0, I)),  z drawn from q, a full Gaussian
    L_hardening = mean over items of KL(p_i || q_i),  q_ik ~ (1 + ||z_i - m_k||^2 / a)^(-(a + 1) / 2)  (Student's t)
    L_map = -mean over items of sum_k q_ik sum_{n next to k} log q_in, whose gradient reaches the prototypes alone

The target p is q squared over the use of each unit, normalised (DEC), over the whole data set once an epoch. Before
that, the autoencoder learns alone, then the prototypes alone, each pulled to its items and to those of its neighbours.
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
from somscope.maps.lattice import Lattice
from somscope.models.checks import check_common, check_flag, check_number, check_whole
from somscope.models.deep_map import DeepMap
from somscope.models.likelihood import LIKELIHOODS, choose_likelihood
from somscope.models.module import DeepMapModule, neighbour_table
from somscope.models.tasks import UnitTask
from somscope.nets.initialise import check_sizes, truncated_normal
from somscope.nets.variational import VariationalAutoencoder
from somscope.objectives.clustering import (
    hardening_loss,
    soft_assignments,
    soft_som_loss,
    target_distribution,
)
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.quantized import commitment_loss, neighbour_loss
from somscope.objectives.reconstruction import bernoulli_loss, gaussian_loss
from somscope.objectives.variational import standard_normal_kl
from somscope.parts import randn_like
from somscope.training import Batch, Engine, Feed, Phase, Schedule, Task, adam, staircase

__all__ = ["DPSOM", "DPSOMModule", "JointTask", "PrototypesTask", "VariationalTask"]

_SOM_RATES = (0.9, 0.3, 0.1, 0.01)  # learning rates of the prototypes alone, for so many epochs each


class DPSOMModule(DeepMapModule):
    """A variational autoencoder and prototypes among its codes; the code of an item is the mean of its posterior.

    likelihood: "bernoulli" for items in [0, 1], or "gaussian" of variance 1; alpha: degrees of freedom of Student's t.
    """

    neighbours: Tensor
    target: Tensor | None

    def __init__(
        self, net: VariationalAutoencoder, lattice: Lattice, *, likelihood: str, alpha: float, prior: float
    ) -> None:
        super().__init__(lattice, net.latent_dim)
        self.net, self.likelihood, self.alpha, self.prior = net, likelihood, alpha, prior
        self.register_buffer("neighbours", neighbour_table(lattice), persistent=False)
        self.register_buffer("target", None)  # (n, K) while it is trained

    def encode(self, items: Tensor) -> Tensor:
        return self.net.mean(items)

    def decode(self, codes: Tensor) -> Tensor:
        x = self.net.outputs(codes)
        return x.sigmoid() if self.likelihood == "bernoulli" else x

    def draw(self, items: Tensor) -> tuple[Tensor, Tensor]:
        """(b, d) -> codes (b, L) drawn from the posteriors, and the mean of their KL divergence from N(0, I)."""
        mean, factor = self.net.posterior(items)
        noise = randn_like(mean)
        return mean + (factor * noise[:, None]).sum(2), standard_normal_kl(mean, factor)

    def likelihood_loss(self, codes: Tensor, items: Tensor) -> Tensor:
        """Mean over items of -log p(x | z), in nats; for the Gaussian less a constant."""
        loss = bernoulli_loss if self.likelihood == "bernoulli" else gaussian_loss
        return loss(self.net.outputs(codes), items.flatten(1))

    def assignments(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, K) q."""
        return soft_assignments(self.squared_distances(codes), self.alpha)

    def variational_loss(self, items: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Codes drawn for items (b, d), and the terms "likelihood" and "kl"."""
        codes, divergence = self.draw(items)
        return codes, {"likelihood": self.likelihood_loss(codes, items), "kl": divergence}

    def prototype_loss(self, items: Tensor) -> Losses:
        """Items (b, d) -> the terms "commitment" and "som" on drawn codes, which stay."""
        with torch.no_grad():
            codes, _ = self.draw(items)
            self.units = self.squared_distances(codes).argmin(1)
        around = torch.cat([self.units[:, None], self.neighbours[self.units]], 1)
        return weighted(
            {
                "commitment": commitment_loss(codes, self.prototypes[self.units]),
                "som": neighbour_loss(codes, self.prototypes, around),
            },
            {},
        )

    def loss(self, items: Tensor, target: Tensor, weights: Mapping[str, float]) -> Losses:
        """Items (b, d), target (b, K) -> the terms "likelihood", "kl", "hardening" and "map", weighted."""
        codes, terms = self.variational_loss(items)
        squared = self.squared_distances(codes)
        self.units = squared.detach().argmin(1)
        q = soft_assignments(squared, self.alpha)
        terms["hardening"] = hardening_loss(target, q)
        terms["map"] = soft_som_loss(q, self.assignments(codes.detach()), self.neighbours)
        return weighted(terms, weights)


class VariationalTask(Task):
    """The autoencoder alone."""

    module: DPSOMModule

    def __init__(self, module: DPSOMModule, learning_rate: float, eps_hat: float | None = None) -> None:
        self.module, self.rate, self.eps_hat = module, learning_rate, eps_hat

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.net.parameters(), lr=self.rate, eps_hat=self.eps_hat)}

    def losses(self, batch: Batch, step: int) -> Losses:
        _, terms = self.module.variational_loss(batch.items)
        return weighted(terms, {"kl": self.module.prior})


class PrototypesTask(Task):
    """The prototypes alone, with learning rates that fall from epoch to epoch; each lasts `epochs` of them.

    start: (K, L) where they begin. Before, they are zeros: a map that is not there yet.
    """

    module: DPSOMModule

    def __init__(self, module: DPSOMModule, epochs: int, start: Tensor, eps_hat: float | None = None) -> None:
        self.module, self.epochs, self.start, self.eps_hat = module, epochs, start, eps_hat

    @torch.no_grad()
    def begin(self, feed: Feed, engine: Engine) -> None:
        self.module.prototypes.copy_(self.start)

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam([self.module.prototypes], lr=1.0, eps_hat=self.eps_hat)}

    def schedules(self) -> Mapping[str, Schedule]:
        return {"adam": Schedule(lambda epoch: _SOM_RATES[epoch // self.epochs], by="epoch")}

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.prototype_loss(batch.items)


class JointTask(UnitTask, VariationalTask):
    """All together, with the target of the whole data set renewed before each epoch."""

    module: DPSOMModule

    def __init__(
        self,
        module: DPSOMModule,
        learning_rate: float,
        weights: Mapping[str, float],
        eps_hat: float | None = None,
    ) -> None:
        super().__init__(module, learning_rate, eps_hat)
        self.weights = weights

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.parameters(), lr=self.rate, eps_hat=self.eps_hat)}

    def schedules(self) -> Mapping[str, Schedule]:
        return {"adam": Schedule(staircase(0.99, 5000))}

    @torch.no_grad()
    def at_epoch(self, epoch: int, feed: Feed, engine: Engine) -> None:
        assert self.module.target is not None
        q = [self.module.assignments(self.module.draw(b.items)[0]) for b in feed.batches(self.module.block)]
        self.module.target.copy_(target_distribution(torch.cat(q)))

    def losses(self, batch: Batch, step: int) -> Losses:
        assert self.module.target is not None
        return self.module.loss(batch.items, self.module.target[batch.indices], self.weights)


class DPSOM(DeepMap):
    """A variational deep map, by default on a torus.

    Parameters
    ----------
    grid: "8x8", (rows, columns), a number for a ring, or "auto". latent_dim: L, dimensions of a code.
    beta, gamma, theta, prior: weights of the map, of the hardening, of the autoencoder, and of the divergence in it.
    alpha: degrees of freedom of the Student's t with which items belong to units.
    lattice: "rectangular" or "hexagonal"; toroidal joins opposite edges.
    legacy: True repeats the authors' code: outputs leakily rectified, batches in the order of the items, TensorFlow's
        Adam. Dropout, which it names, does not act there, and its batch normalisation, which does not follow the
        batches, is a learned scale and shift of each feature; neither is here.
    pretrain_epochs: of the autoencoder; som_epochs: of the prototypes, at each of four falling learning rates;
        n_epochs: of all together. batch_size: of all three.
    hidden: sizes of the encoder's hidden layers; the decoder mirrors them. learning_rate: of Adam.
    likelihood: "bernoulli" for items in 0 .. 1, "gaussian", or "auto": by whether all items lie in 0 .. 1. The authors
        divide each image by its own largest value first, which is left to the user.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DESOM`.

    Attributes are those of every deep map, see `deep_map.DeepMap`; and likelihood_. A code is a posterior's mean.
    """

    model_name: ClassVar[str] = "dpsom"
    _own_fitted: ClassVar[tuple[str, ...]] = ("likelihood_",)
    module_: DPSOMModule
    likelihood_: str

    def __init__(
        self,
        grid: str | int | tuple[int, int] = (8, 8),
        latent_dim: int = 100,
        *,
        beta: float = 0.25,
        gamma: float = 20.0,
        theta: float = 1.0,
        alpha: float = 10.0,
        prior: float = 0.5,
        lattice: str = "rectangular",
        toroidal: bool = True,
        legacy: bool = False,
        pretrain_epochs: int = 15,
        som_epochs: int = 5,
        n_epochs: int = 300,
        batch_size: int = 300,
        hidden: tuple[int, ...] = (500, 500, 2000),
        learning_rate: float = 1e-3,
        likelihood: str = "auto",
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
        self.beta = beta
        self.gamma = gamma
        self.theta = theta
        self.alpha = alpha
        self.prior = prior
        self.lattice = lattice
        self.toroidal = toroidal
        self.legacy = legacy
        self.pretrain_epochs = pretrain_epochs
        self.som_epochs = som_epochs
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.likelihood = likelihood
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _check_choices(self) -> None:
        check_common(self.get_params(deep=False))
        check_flag("legacy", self.legacy)
        for name in ("latent_dim", "pretrain_epochs", "som_epochs", "n_epochs"):
            check_whole(name, getattr(self, name), 1)
        for name in ("beta", "gamma", "theta", "prior"):
            check_number(name, getattr(self, name), zero=True)
        for name in ("alpha", "learning_rate"):
            check_number(name, getattr(self, name))
        check_choice("likelihood", self.likelihood, LIKELIHOODS)
        hidden = check_sizes("hidden", self.hidden)
        posterior = self.latent_dim * (self.latent_dim + 3) // 2  # numbers: a mean and a triangular factor
        check_sizes("hidden, with the posterior of latent_dim,", (*hidden, posterior))

    def _module(self, generator: torch.Generator | None) -> DPSOMModule:
        net = VariationalAutoencoder(
            self.n_features_in_,
            self.hidden,
            self.latent_dim,
            leaky_outputs=bool(self.legacy),
            generator=generator,
        )
        module = DPSOMModule(
            net, self.lattice_, likelihood=self.likelihood_, alpha=self.alpha, prior=self.prior
        )
        module.block = max(16, 2**24 // max(2000, self.latent_dim**2))
        return module

    def _arranged(self, items: NDArray[Any]) -> NDArray[Any]:
        self.likelihood_ = choose_likelihood(self.likelihood, items, self.chosen_)
        return items

    def _phases(self, module: DeepMapModule, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        assert isinstance(module, DPSOMModule)
        module.target = torch.zeros(len(items), self.lattice_.n_units)
        start = torch.empty_like(module.prototypes, requires_grad=False)
        truncated_normal(start, 0.05, generator)
        eps_hat = 1e-8 if self.legacy else None
        weights = {
            "likelihood": self.theta,
            "kl": self.theta * self.prior,
            "hardening": self.gamma,
            "map": self.beta,
        }
        how: dict[str, Any] = {"batch_size": self.batch_size, "shuffle": not self.legacy}
        return [
            Phase(
                "autoencoder",
                VariationalTask(module, self.learning_rate, eps_hat),
                n_epochs=self.pretrain_epochs,
                **how,
            ),
            Phase(
                "prototypes",
                PrototypesTask(module, self.som_epochs, start, eps_hat),
                n_epochs=4 * self.som_epochs,
                **how,
            ),
            Phase(
                "joint",
                JointTask(module, self.learning_rate, weights, eps_hat),
                n_epochs=self.n_epochs,
                **how,
            ),
        ]

    def _describe(self) -> None:
        self.module_.target = None  # of the training items: no part of the model
        super()._describe()
