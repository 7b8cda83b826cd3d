"""VaDE, variational deep embedding: a variational autoencoder with a Gaussian mixture (Jiang et al., IJCAI 2017).

    p(c) = pi_c,  p(z | c) = N(mu_c, diag sigma_c^2),  p(x | z) Bernoulli or Gaussian around the decoder's output
    q(z | x) = N(m, diag s^2) of the encoder,  q(c | x) = p(c | z) for the z that is drawn from it
    L = -ELBO = E_q [ -log p(x | z) - log p(z | c) - log p(c) + log q(z | x) + log q(c | x) ]

In three steps: the autoencoder alone, with s = 0; a mixture on its codes; all together. As in the authors' code Adam's
rate is 0.002, times 0.9 every 10 epochs but 0.0002 at least, with an epsilon of 1e-4 by Keras's rule; the mixture's
weights begin equal; and Gaussian items have the variance 1/2 (a sum of squares). That code brings along the weights of
its trained autoencoders and not how they came about: here it is trained by the likelihood. Ours are the weights and
variances of the mixture as softmax and exponentials of free numbers; posteriors that begin a tenth as wide as the
components, whatever the scale of the codes; and a new start for components without items.
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
from somscope.models.checks import check_number, check_run, check_whole
from somscope.models.likelihood import LIKELIHOODS, choose_likelihood
from somscope.models.mixture import MixtureClusterer, MixtureModule, MixtureTask
from somscope.nets.gaussian import DiagonalAutoencoder
from somscope.nets.initialise import check_sizes
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.mixture import (
    assignment_negentropy,
    code_cross_entropy,
    component_cross_entropy,
    posterior_negentropy,
)
from somscope.objectives.reconstruction import bernoulli_loss, gaussian_loss
from somscope.parts import randn_like
from somscope.training import Batch, Phase, Schedule, Task, adam

__all__ = ["LikelihoodTask", "VaDE", "VaDEModule", "VaDETask"]

_EPSILON = 1e-4  # of Adam, in the authors' code
_LEAST_RATE = 0.1  # of the first learning rate
_FIRST_SHARE = 0.1  # of the components' mean variances, in the first posteriors


class VaDEModule(MixtureModule):
    """A variational autoencoder and a mixture among its codes; the code of an item is the mean of its posterior.

    likelihood: "bernoulli" for items in [0, 1], or "gaussian" of variance 1/2.
    """

    net: DiagonalAutoencoder

    def __init__(self, net: DiagonalAutoencoder, n_clusters: int, latent_dim: int, likelihood: str) -> None:
        super().__init__(net, n_clusters, latent_dim)
        self.likelihood = likelihood

    @torch.no_grad()
    def start(self, codes: NDArray[np.floating], seed: int) -> None:
        """The mixture, with equal weights, and posteriors of a tenth of its mean variances."""
        super().start(codes, seed)
        self.logits.zero_()
        self.net.log_variance.bias.copy_((_FIRST_SHARE * self.log_variances.exp().mean(0)).log())

    def decode(self, codes: Tensor) -> Tensor:
        x = self.net.decode(codes)
        return x.sigmoid() if self.likelihood == "bernoulli" else x

    def likelihood_loss(self, codes: Tensor, items: Tensor) -> Tensor:
        """Mean over items of -log p(x | z), in nats; for the Gaussian less a constant."""
        outputs, items = self.net.decode(codes), items.flatten(1)
        if self.likelihood == "bernoulli":
            return bernoulli_loss(outputs, items)
        return 2.0 * gaussian_loss(outputs, items)

    def loss(self, items: Tensor) -> Losses:
        """Items (b, d) -> -ELBO, with the terms "likelihood", "code", "component", "posterior", "assignment"."""
        mean, log_variance = self.net.posterior(items)
        codes = mean + (0.5 * log_variance).exp() * randn_like(mean)
        log_gamma = self.joint(codes).log_softmax(1)
        self.units = log_gamma.detach().argmax(1)
        gamma = log_gamma.exp()
        return weighted(
            {
                "likelihood": self.likelihood_loss(codes, items),
                "code": code_cross_entropy(gamma, mean, log_variance, self.prototypes, self.log_variances),
                "component": component_cross_entropy(gamma, self.logits),
                "posterior": posterior_negentropy(log_variance),
                "assignment": assignment_negentropy(log_gamma),
            },
            {},
        )


class LikelihoodTask(Task):
    """The autoencoder alone: the likelihood of the items given the means of their posteriors."""

    module: VaDEModule

    def __init__(self, module: VaDEModule, learning_rate: float) -> None:
        self.module, self.rate = module, learning_rate

    def optimizers(self) -> Mapping[str, Optimizer]:
        net = self.module.net
        return {"adam": adam([*net.encoder.parameters(), *net.decoder.parameters()], lr=self.rate)}

    def losses(self, batch: Batch, step: int) -> Losses:
        loss = self.module.likelihood_loss(self.module.encode(batch.items), batch.items)
        return Losses(loss, {"likelihood": loss})


class VaDETask(MixtureTask):
    """One Adam for the network and the mixture.

    decay: what its learning rate is multiplied by every `decay_epochs`, down to a tenth.
    """

    module: VaDEModule

    def __init__(
        self, module: VaDEModule, seed: int, learning_rate: float, decay: float, decay_epochs: int
    ) -> None:
        super().__init__(module, seed)
        self.rate, self.decay, self.decay_epochs = learning_rate, decay, decay_epochs

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.parameters(), lr=self.rate, eps_hat=_EPSILON)}

    def schedules(self) -> Mapping[str, Schedule]:
        def factor(epoch: int) -> float:
            return max(self.decay ** (epoch // self.decay_epochs), _LEAST_RATE)

        return {"adam": Schedule(factor, by="epoch")}

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items)


class VaDE(MixtureClusterer):
    """Clusters that generate: a mixture of Gaussians from whose codes a network draws the items.

    Parameters
    ----------
    n_clusters: K, from 2. latent_dim: L, dimensions of a code. hidden: sizes of the encoder's layers; the decoder
        mirrors them.
    likelihood: "bernoulli" for items in 0 .. 1, "gaussian", or "auto": by whether all items lie in 0 .. 1.
    pretrain_epochs: of the autoencoder alone, by Adam with the rate 0.001: with batches of 100, on MNIST, 80 epochs are
        about as many steps as the 200 epochs of 256 that the other clusterers take.
    n_epochs: of all together. The authors took 3,000 for MNIST, 120 for HAR, 15 for Reuters-10k; from epoch 220 on the
        learning rate is at its least, and 300 leave 80 epochs there, as many as the pretraining.
    learning_rate, decay, decay_epochs: of Adam, which is multiplied by decay every decay_epochs, down to a tenth. The
        authors took decay 0.5 and decay_epochs 5 for Reuters.
    batch_size: of both phases.
    device, precision, random_state, checkpoints, resume, training, verbose: as of `DEC`.

    Attributes are those of a `mixture.MixtureClusterer`; and likelihood_. A code is the mean of a posterior; the
    authors drew one from it to score their clusters.

    >>> model = VaDE(n_clusters=10).fit(X)
    >>> model.predict(new), model.predict_proba(new)
    """

    model_name: ClassVar[str] = "vade"
    _own_fitted: ClassVar[tuple[str, ...]] = (*MixtureClusterer._own_fitted, "likelihood_")
    module_: VaDEModule
    likelihood_: str

    def __init__(
        self,
        n_clusters: int = 10,
        latent_dim: int = 10,
        *,
        hidden: tuple[int, ...] = (500, 500, 2000),
        likelihood: str = "auto",
        pretrain_epochs: int = 80,
        n_epochs: int = 300,
        batch_size: int = 100,
        learning_rate: float = 2e-3,
        decay: float = 0.9,
        decay_epochs: int = 10,
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
        self.likelihood = likelihood
        self.pretrain_epochs = pretrain_epochs
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.decay = decay
        self.decay_epochs = decay_epochs
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
        for name in ("latent_dim", "pretrain_epochs", "n_epochs", "decay_epochs"):
            check_whole(name, getattr(self, name), 1)
        for name in ("learning_rate", "decay"):
            check_number(name, getattr(self, name))
        if self.decay > 1:
            raise InputError(f"decay={self.decay!r}; allowed: a number above 0, at most 1")
        check_choice("likelihood", self.likelihood, LIKELIHOODS)
        check_sizes("hidden", self.hidden)

    def _prepare(self, items: NDArray[Any]) -> None:
        super()._prepare(items)
        self.likelihood_ = choose_likelihood(self.likelihood, items, self.chosen_)

    def _module(self, generator: torch.Generator | None) -> VaDEModule:
        net = DiagonalAutoencoder(self.n_features_in_, self.hidden, self.latent_dim, generator=generator)
        return VaDEModule(net, self._n_units, self.latent_dim, self.likelihood_)

    def _phases(self, module: VaDEModule, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        joint = VaDETask(module, seed, self.learning_rate, self.decay, self.decay_epochs)
        how: dict[str, Any] = {"batch_size": self.batch_size}
        return [
            Phase("autoencoder", LikelihoodTask(module, 1e-3), n_epochs=self.pretrain_epochs, **how),
            Phase("joint", joint, n_epochs=self.n_epochs, **how),
        ]
