"""WaMiC, Wasserstein adversarial mixture clustering: a mixture that generates the data (Harchaoui et al., 2018).

    L_critic = sum_c pi_c E f(G(z_c)) - E f(x) + 10 E (||grad f(x^)|| - 1)^2,  z_c ~ N(mu_c, diag sigma_c^2)
    L = -sum_c pi_c E f(G(z_c)) + a/2 E ||G(E(x)) - x||^2 + b/2 sum_c pi_c E sum_j (E(G(z_c)) - z_c)_j^2 / sigma_cj^2

What we could read of it is little: its title, its accuracy on MNIST in the slides of the DESOM authors, the abstract of
the first author's later chapter on Wasserstein clustering (autoencoders, GANs and mixture models; a criterion that
"generatively minimizes the Wasserstein distance between data and cluster-separated generated data"), and slides of the
forerunner of 2017, an autoencoder whose codes a discriminator compares with those of a Gaussian mixture. So what is
known: a latent mixture, a generator, and a critic that estimates a Wasserstein distance in the space of the data.

All else is our choice: equally many generated items from each component, weighted by pi, so that weights, means and
variances learn through the generator; the gradient penalty and the Adam of Gulrajani et al. (NIPS 2017); an encoder for
the assignments, which has to draw the items again (a) and to find the codes of generated items, in units of their
components' deviations (b); the autoencoder trained alone before, and a mixture on its codes; dense nets; all sizes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.models.checks import check_number, check_run, check_whole
from somscope.models.mixture import MixtureClusterer, MixtureModule, MixtureTask
from somscope.models.tasks import AutoencoderTask
from somscope.nets.dense import DenseAutoencoder, layers
from somscope.nets.initialise import check_sizes, glorot_uniform
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import gaussian_loss
from somscope.objectives.wasserstein import gradient_penalty
from somscope.parts import own_rows, whole_size
from somscope.training import Batch, Engine, Phase, Task, adam

__all__ = ["CriticTask", "WaMiC", "WaMiCModule", "WaMiCTask"]

_PENALTY = 10.0  # its weight, and the betas of Adam, as of Gulrajani et al.
_BETAS = (0.5, 0.9)
_SLOPE = 0.2  # of the critic's leaky rectifiers


def _leaky() -> nn.Module:
    return nn.LeakyReLU(_SLOPE)


class WaMiCModule(MixtureModule):
    """An autoencoder whose decoder generates, a mixture among its codes, and a critic of items.

    critic: sizes of its hidden layers. generator: draws its first weights; None leaves them to be loaded.
    """

    def __init__(
        self,
        net: DenseAutoencoder,
        n_features: int,
        n_clusters: int,
        latent_dim: int,
        critic: tuple[int, ...],
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__(net, n_clusters, latent_dim)
        self.critic = layers([n_features, *critic, 1], _leaky)
        glorot_uniform(self.critic, generator)

    def critique(self, items: Tensor) -> Tensor:
        """(b, d) -> (b,) f."""
        values: Tensor = self.critic(items)[:, 0]
        return values

    def draw(self, number: int) -> tuple[Tensor, Tensor, Tensor]:
        """At least `number` codes (m, L), equally many of each component, their weights (m,) with the sum 1, and their
        components (m,)."""
        n_clusters, latent_dim = self.prototypes.shape
        each = -(-number // n_clusters)
        components = torch.arange(n_clusters, device=self.prototypes.device).repeat_interleave(each)
        noise = torch.randn(len(components), latent_dim, device=self.prototypes.device)
        codes = self.prototypes[components] + (0.5 * self.log_variances).exp()[components] * noise
        return codes, (self.logits.softmax(0) / each)[components], components

    def critic_loss(self, items: Tensor) -> Losses:
        """Items (b, d) -> L_critic, with the terms "distance", E f(x) - E f(G(z)), and "penalty"."""
        items = items.flatten(1)
        with torch.no_grad():
            codes, weights, _ = self.draw(whole_size(len(items)))
            generated = self.decode(codes)
            partners = own_rows(torch.multinomial(weights, whole_size(len(items)), replacement=True))
        distance = self.critique(items).mean() - (weights * self.critique(generated)).sum()
        penalty = gradient_penalty(self.critique, items, generated[partners])
        return weighted({"distance": distance, "penalty": penalty}, {"distance": -1.0, "penalty": _PENALTY})

    def loss(self, items: Tensor, reconstruction: float, code: float) -> Losses:
        """Items (b, d), weights a and b -> L, with the terms "adversarial", "reconstruction" and "code"."""
        items = items.flatten(1)
        own = self.encode(items)
        self.units = self.joint(own.detach()).argmax(1)
        codes, weights, components = self.draw(whole_size(len(items)))
        generated = self.decode(codes)
        away = (self.encode(generated) - codes.detach()).square()
        away = away * (-self.log_variances.detach()).exp()[components]
        terms = {
            "adversarial": -(weights * self.critique(generated)).sum(),
            "reconstruction": gaussian_loss(self.decode(own), items),
            "code": 0.5 * (weights * away.sum(1)).sum(),
        }
        return weighted(terms, {"reconstruction": reconstruction, "code": code})


class CriticTask(Task):
    """In each step the critic learns `critic_steps` times, on newly generated items, and then all else once."""

    module: WaMiCModule

    def __init__(
        self, module: WaMiCModule, learning_rate: float, critic_steps: int, weights: tuple[float, float]
    ) -> None:
        self.module, self.rate = module, learning_rate
        self.critic_steps, self.weights = critic_steps, weights

    def optimizers(self) -> Mapping[str, Optimizer]:
        critic = list(self.module.critic.parameters())
        others = {id(p) for p in critic}
        rest = [p for p in self.module.parameters() if id(p) not in others]
        return {
            "critic": adam(critic, lr=self.rate, betas=_BETAS),
            "model": adam(rest, lr=self.rate, betas=_BETAS),
        }

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        for _ in range(self.critic_steps):
            with engine.autocast():
                critic = self.module.critic_loss(batch.items)
            engine.step(critic.total, "critic")
        with engine.autocast():
            losses = self.losses(batch, step)
        engine.step(losses.total, "model")
        return Losses(losses.total, {**losses.terms, **critic.terms})

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, *self.weights)


class WaMiCTask(MixtureTask, CriticTask):
    """The same, from a mixture on the codes on, with new starts for components without items."""

    module: WaMiCModule

    def __init__(self, module: WaMiCModule, seed: int, **options: Any) -> None:
        MixtureTask.__init__(self, module, seed)
        CriticTask.__init__(self, module, **options)


class WaMiC(MixtureClusterer):
    """Clusters that generate: a mixture whose generated items a critic cannot tell from the data.

    The sources that we have name a mixture among codes, a generator, and a critic whose Wasserstein distance is
    minimised in the space of the data. All else is our choice: equally many generated items of each component, weighted
    by pi; the critic's gradient penalty, its five steps and Adam; an encoder that has to draw the items again and to
    find the codes of generated ones; the pretraining, the mixture on its codes, the networks and all sizes.

    Parameters
    ----------
    n_clusters: K, from 2. latent_dim: L, dimensions of a code. hidden: sizes of the encoder's layers; the decoder
        mirrors them. critic: sizes of the critic's hidden layers.
    reconstruction, code: weights a and b of drawing the items again, and of finding the codes of generated ones.
    pretrain_epochs: of the autoencoder alone, by Adam with the rate 0.001; n_epochs: of the adversarial training;
        batch_size: of both.
    critic_steps: of the critic in each step, for one of the rest. learning_rate: of both Adams in it.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DEC`.

    Attributes are those of a `mixture.MixtureClusterer`. The history has the critic's estimate of the Wasserstein
    distance as "distance".
    """

    model_name: ClassVar[str] = "wamic"
    module_: WaMiCModule

    def __init__(
        self,
        n_clusters: int = 10,
        latent_dim: int = 10,
        *,
        hidden: tuple[int, ...] = (500, 500, 2000),
        critic: tuple[int, ...] = (500, 500),
        reconstruction: float = 1.0,
        code: float = 1.0,
        pretrain_epochs: int = 200,
        n_epochs: int = 50,
        batch_size: int = 256,
        critic_steps: int = 5,
        learning_rate: float = 1e-4,
        device: str = "auto",
        precision: str = "auto",
        random_state: Any = None,
        checkpoints: str | Path | None = None,
        resume: bool = False,
        training: Mapping[str, Any] | None = None,
        verbose: bool | None = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.critic = critic
        self.reconstruction = reconstruction
        self.code = code
        self.pretrain_epochs = pretrain_epochs
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.critic_steps = critic_steps
        self.learning_rate = learning_rate
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _check_choices(self) -> None:
        check_run(self.get_params(deep=False))
        check_whole("n_clusters", self.n_clusters, 2)
        for name in ("latent_dim", "pretrain_epochs", "n_epochs", "critic_steps"):
            check_whole(name, getattr(self, name), 1)
        check_number("learning_rate", self.learning_rate)
        for name in ("reconstruction", "code"):
            check_number(name, getattr(self, name), zero=True)
        check_sizes("hidden", self.hidden)
        check_sizes("critic", self.critic)

    def _module(self, generator: torch.Generator | None) -> WaMiCModule:
        net = DenseAutoencoder(self.n_features_in_, self.hidden, self.latent_dim, generator=generator)
        sizes = (self.n_features_in_, self._n_units, self.latent_dim)
        return WaMiCModule(net, *sizes, critic=tuple(self.critic), generator=generator)

    def _phases(self, module: WaMiCModule, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        adversarial = WaMiCTask(
            module,
            seed,
            learning_rate=self.learning_rate,
            critic_steps=self.critic_steps,
            weights=(self.reconstruction, self.code),
        )
        how: dict[str, Any] = {"batch_size": self.batch_size}
        return [
            Phase("autoencoder", AutoencoderTask(module), n_epochs=self.pretrain_epochs, **how),
            Phase("adversarial", adversarial, n_epochs=self.n_epochs, **how),
        ]
