"""DEC, deep embedded clustering: soft assignments to centres that are sharpened (Xie, Girshick & Farhadi, ICML 2016).

    q_ik ~ (1 + ||z_i - m_k||^2 / a)^(-(a + 1) / 2)                    (eq. 1, Student's t, a = 1)
    p_ik ~ q_ik^2 / f_k,  f_k = sum_i q_ik over all items               (eq. 3)
    L = mean over items of KL(p_i || q_i)                              (eq. 2)

p is a constant that is renewed from all items every `update_interval` steps; the training ends when hardly any item
changed its cluster since the renewal before. The decoder is of use only before: it is not trained any further.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import SGD, Optimizer

from somscope.errors import InputError
from somscope.models.checks import check_number, check_whole
from somscope.models.clusterer import DeepClusterer
from somscope.models.clusterer_module import AutoencoderClusterer, ClusterModule
from somscope.models.clusterer_tasks import TargetTask
from somscope.nets.dense import DenseAutoencoder
from somscope.objectives.clustering import hardening_loss, soft_assignments
from somscope.objectives.losses import Losses
from somscope.training import Batch, Phase

__all__ = ["DEC", "DECModule", "HardeningClusterer", "HardeningTask"]


class DECModule(ClusterModule):
    """An autoencoder and centres among its codes, with alpha degrees of freedom between them."""

    def __init__(self, net: DenseAutoencoder, n_clusters: int, latent_dim: int, alpha: float) -> None:
        super().__init__(net, n_clusters, latent_dim)
        self.alpha = alpha

    def hardening(self, codes: Tensor, target: Tensor) -> Tensor:
        """Codes (b, L), target (b, K) -> () KL(p || q)."""
        squared, _ = self.assigned(codes)
        return hardening_loss(target, soft_assignments(squared, self.alpha))

    def loss(self, items: Tensor, target: Tensor) -> Losses:
        """Items (b, d), target (b, K) -> the term "hardening"."""
        loss = self.hardening(self.encode(items), target)
        return Losses(loss, {"hardening": loss})


class HardeningTask(TargetTask):
    """SGD with momentum 0.9 on the encoder and the centres."""

    module: DECModule

    def __init__(self, module: DECModule, learning_rate: float, **options: Any) -> None:
        super().__init__(module, alpha=module.alpha, **options)
        self.rate = learning_rate

    def optimizers(self) -> Mapping[str, Optimizer]:
        learned = [*self.module.net.encoder.parameters(), self.module.prototypes]
        return {"sgd": SGD(learned, lr=self.rate, momentum=0.9)}

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, self.target(batch))


class HardeningClusterer(AutoencoderClusterer):
    """A clusterer with a target distribution over all items: DEC, and what is built on it."""

    _own_fitted: ClassVar[tuple[str, ...]] = (*DeepClusterer._own_fitted, "n_updates_")
    n_updates_: int

    alpha: float
    n_steps: int
    update_interval: int
    tol: float
    learning_rate: float

    def _check_own(self) -> None:
        for name in ("n_steps", "update_interval"):
            check_whole(name, getattr(self, name), 1)
        for name in ("alpha", "learning_rate"):
            check_number(name, getattr(self, name))
        check_number("tol", self.tol, zero=True)
        if self.tol >= 1:
            raise InputError(f"tol={self.tol!r} is a share of the items; allowed: from 0 to below 1")

    def _cluster_module(self, net: DenseAutoencoder) -> DECModule:
        return DECModule(net, self._n_units, self._latent, float(self.alpha))

    def _target_options(self, items: NDArray[Any], generator: torch.Generator) -> dict[str, Any]:
        """Those of a task with a target."""
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        return {
            "n_items": len(items),
            "every": self.update_interval,
            "tol": float(self.tol),
            "seed": seed,
            "learning_rate": self.learning_rate,
        }

    def _settle(self, items: NDArray[Any], seed: int) -> None:
        self.n_updates_ = int(self.module_.get_buffer("n_updates"))
        super()._settle(items, seed)


class DEC(HardeningClusterer):
    """Deep embedded clustering.

    Parameters
    ----------
    n_clusters: K, from 2. latent_dim: L, dimensions of a code. hidden: sizes of the encoder's hidden layers; the
        decoder mirrors them.
    alpha: degrees of freedom of Student's t.
    n_steps: at most so many steps of the clustering; update_interval: steps from one renewal of the target to the next
        (the authors: 160 for MNIST, 40 for STL, 20 for Reuters); tol: share of items that changed clusters since the
        last renewal, below which the training ends; 0 never ends it.
    normalise: True divides all items by one number, so that the mean of ||x||^2 / d is 1, before the network sees them.
    autoencoder: folder of a saved model with the same network, which is taken as it is instead of training one.
    pretrain_epochs: of the autoencoder, all layers at once, by Adam; layer_epochs: before that, of each pair of layers
        as a denoising autoencoder with dropout 0.2. The authors trained about 180 epochs of MNIST for each layer and
        then 370, by SGD; one training of all layers comes close to it in a fraction of the time.
    learning_rate: of SGD with momentum 0.9, in the clustering. batch_size: of all phases. Batches are shuffled.
    device: "auto", "cpu" or "cuda"; precision: "auto", "fp32" or "bf16" (products of the network).
    checkpoints: a folder, for long trainings; resume: go on from what it holds. random_state: seed.
    training: more options of `training.TrainingOptions` by name.

    Attributes are those of every deep clusterer, see `clusterer.DeepClusterer`; and n_updates_ renewals of the target.
    stop_reason_ is "converged" where `tol` ended the training, "completed" after n_steps.

    >>> model = DEC(n_clusters=10).fit(X)
    >>> model.labels_, model.predict(new)
    """

    model_name: ClassVar[str] = "dec"
    module_: DECModule

    def __init__(
        self,
        n_clusters: int = 10,
        latent_dim: int | None = 10,
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
        learning_rate: float = 1e-2,
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

    def _cluster_phases(
        self, module: Any, items: NDArray[Any], generator: torch.Generator, how: Mapping[str, Any]
    ) -> list[Phase]:
        task = HardeningTask(module, **self._target_options(items, generator))
        return [Phase("clustering", task, n_steps=self.n_steps, **how)]
