"""IDEC: DEC that goes on reconstructing, so that the codes keep what the items are (Guo et al., IJCAI 2017).

L = L_r + gamma L_c                                     (eq. 1)
L_r = mean over items and features of (x' - x)^2
L_c = mean over items of KL(p_i || q_i), of DEC
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from somscope.models.checks import check_number
from somscope.models.clusterer_tasks import TargetTask
from somscope.models.dec import DECModule, HardeningClusterer
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import squared_error
from somscope.training import Batch, Phase, adam

__all__ = ["IDEC", "IDECModule", "IDECTask"]


class IDECModule(DECModule):
    """The module of DEC with a decoder that is trained on."""

    def joint_loss(self, items: Tensor, target: Tensor, gamma: float) -> Losses:
        """Items (b, d), target (b, K) -> L_r + gamma L_c, the terms "reconstruction" and "hardening".

        L_r is that of the items as the network sees them, times `scale`.
        """
        items = items.flatten(1) * self.scale
        codes = self.net.encode(items)
        terms = {
            "reconstruction": squared_error(self.net.decode(codes), items),
            "hardening": self.hardening(codes, target),
        }
        return weighted(terms, {"hardening": gamma})


class IDECTask(TargetTask):
    """One Adam for the network and the centres."""

    module: IDECModule

    def __init__(self, module: IDECModule, gamma: float, learning_rate: float, **options: Any) -> None:
        super().__init__(module, alpha=module.alpha, **options)
        self.gamma, self.rate = gamma, learning_rate

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.parameters(), lr=self.rate)}

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.joint_loss(batch.items, self.target(batch), self.gamma)


class IDEC(HardeningClusterer):
    """Improved deep embedded clustering.

    Parameters
    ----------
    gamma: weight of the hardening beside the reconstruction, which is a mean over features.
    learning_rate: of Adam, which the authors took for MNIST; for USPS and Reuters they took SGD.
    update_interval: the authors have 140 for MNIST, 30 for USPS, 3 for Reuters.
    n_clusters, latent_dim, hidden, alpha, n_steps, tol, batch_size, normalise, autoencoder, pretrain_epochs,
    layer_epochs, device, precision, random_state, checkpoints, resume, training, verbose: as of `DEC`.

    Attributes are those of `DEC`.
    """

    model_name: ClassVar[str] = "idec"
    module_: IDECModule

    def __init__(
        self,
        n_clusters: int = 10,
        latent_dim: int | None = 10,
        gamma: float = 0.1,
        *,
        hidden: tuple[int, ...] = (500, 500, 2000),
        alpha: float = 1.0,
        n_steps: int = 20_000,
        update_interval: int = 140,
        tol: float = 1e-3,
        batch_size: int = 256,
        normalise: bool = True,
        autoencoder: str | Path | None = None,
        pretrain_epochs: int = 200,
        layer_epochs: int = 0,
        learning_rate: float = 1e-3,
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
        self.gamma = gamma
        self.hidden = hidden
        self.alpha = alpha
        self.n_steps = n_steps
        self.update_interval = update_interval
        self.tol = tol
        self.batch_size = batch_size
        self.normalise = normalise
        self.autoencoder = autoencoder
        self.pretrain_epochs = pretrain_epochs
        self.layer_epochs = layer_epochs
        self.learning_rate = learning_rate
        self.device = device
        self.precision = precision
        self.random_state = random_state
        self.checkpoints = checkpoints
        self.resume = resume
        self.training = training
        self.verbose = verbose

    def _check_own(self) -> None:
        super()._check_own()
        check_number("gamma", self.gamma, zero=True)

    def _cluster_module(self, net: Any) -> IDECModule:
        return IDECModule(net, self._n_units, self._latent, float(self.alpha))

    def _cluster_phases(
        self, module: Any, items: NDArray[Any], generator: torch.Generator, how: Mapping[str, Any]
    ) -> list[Phase]:
        task = IDECTask(module, self.gamma, **self._target_options(items, generator))
        return [Phase("clustering", task, n_steps=self.n_steps, **how)]
