"""DKM, deep k-means: k-means relaxed to a softmax, all of it by gradient (Fard, Thonet & Gaussier, 2018).

    L = mean over items of ||x' - x||^2 + weight sum_k d_ik exp(-a d_ik) / sum_j exp(-a d_ij),  d_ik = ||z_i - m_k||^2

With a pretrained autoencoder a is 1000 throughout. Without one it rises, five epochs at each of 40 values:

    a_1 = 0.1,  a_{n+1} = 2^(1 / ln(n + 1)^2) a_n

where ln(n + 1) is the only reading of the published exponent that is defined at n = 1. The authors draw batches with
replacement; here an epoch has each item once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from somscope.errors import InputError
from somscope.models.checks import check_number, check_whole
from somscope.models.clusterer_module import AutoencoderClusterer, ClusterModule
from somscope.models.clusterer_tasks import CentresTask
from somscope.nets.dense import DenseAutoencoder
from somscope.objectives.clustering import soft_kmeans_loss
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import squared_norm
from somscope.training import Batch, Engine, Feed, Phase, adam

__all__ = ["DKM", "DKMModule", "DKMTask", "annealed"]

_EPOCHS = 5  # at each value of a
_CONSTANT = 1000.0


def annealed(n: int, first: float = 0.1) -> list[float]:
    """The n values that a takes without pretraining."""
    values = [first]
    for i in range(1, n):
        values.append(2.0 ** (1.0 / math.log(i + 1) ** 2) * values[-1])
    return values


class DKMModule(ClusterModule):
    """An autoencoder and the centres of clusters."""

    def loss(self, items: Tensor, alpha: float | Tensor, weight: float) -> Losses:
        """Items (b, d) -> the terms "reconstruction_sum" and "centres"."""
        items = items.flatten(1) * self.scale
        codes = self.net.encode(items)
        squared, _ = self.assigned(codes)
        terms = {
            "reconstruction_sum": squared_norm(self.net.decode(codes), items),
            "centres": soft_kmeans_loss(squared, alpha),
        }
        return weighted(terms, {"centres": weight})


class DKMTask(CentresTask):
    """One Adam for the network and the centres, and a of each epoch.

    seed: of k-means on the codes; None draws centres (K, L) as `centres`.
    """

    module: DKMModule

    def __init__(
        self,
        module: DKMModule,
        alphas: list[float],
        weight: float,
        rate: float,
        seed: int | None,
        centres: Tensor,
    ) -> None:
        super().__init__(module, seed)
        self.alphas, self.weight, self.rate, self.centres = alphas, weight, rate, centres
        module.remember("alpha", torch.zeros((), dtype=torch.float64))

    @torch.no_grad()
    def begin(self, feed: Feed, engine: Engine) -> None:
        self.module.prototypes.copy_(self.centres)
        super().begin(feed, engine)

    def at_epoch(self, epoch: int, feed: Feed, engine: Engine) -> None:
        super().at_epoch(epoch, feed, engine)
        self.module.get_buffer("alpha").fill_(self.alphas[epoch // _EPOCHS])

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.parameters(), lr=self.rate)}

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, self.module.get_buffer("alpha"), self.weight)

    def scalars(self, step: int) -> Mapping[str, float]:
        return {"alpha": float(self.module.get_buffer("alpha"))}


class DKM(AutoencoderClusterer):
    """Deep k-means.

    Parameters
    ----------
    latent_dim: None for as many as there are clusters, as published.
    weight: of the distances to the centres beside the reconstruction, both summed over features.
    alpha: "annealed", a number, or "auto": 1000 after a pretraining (pretrain_epochs, layer_epochs or `autoencoder`),
        annealed without one; the centres start by k-means then, and uniformly in -1 .. 1 here.
    n_epochs: of network and centres; None for 5 at each value of alpha, 100 in all for a number and 200 for annealed.
    n_clusters, hidden, batch_size, normalise, autoencoder, pretrain_epochs, layer_epochs, learning_rate, device,
    precision, random_state, checkpoints, resume, training, verbose: as of `AEC`.

    Attributes are those of every deep clusterer, see `clusterer.DeepClusterer`.
    """

    model_name: ClassVar[str] = "dkm"
    module_: DKMModule

    def __init__(
        self,
        n_clusters: int = 10,
        latent_dim: int | None = None,
        weight: float = 1.0,
        *,
        hidden: tuple[int, ...] = (500, 500, 2000),
        alpha: str | float = "auto",
        n_epochs: int | None = None,
        batch_size: int = 256,
        normalise: bool = False,
        autoencoder: str | Path | None = None,
        pretrain_epochs: int = 50,
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
        self.weight = weight
        self.hidden = hidden
        self.alpha = alpha
        self.n_epochs = n_epochs
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
        if isinstance(self.alpha, str):
            if self.alpha not in ("auto", "annealed"):
                raise InputError(f"alpha={self.alpha!r}; allowed: 'auto', 'annealed', a number above 0")
        else:
            check_number("alpha", self.alpha)
        if self.n_epochs is not None:
            check_whole("n_epochs", self.n_epochs, 1)
        check_number("weight", self.weight, zero=True)
        check_number("learning_rate", self.learning_rate)

    def _cluster_module(self, net: DenseAutoencoder) -> DKMModule:
        return DKMModule(net, self._n_units, self._latent)

    def _cluster_phases(
        self, module: Any, items: NDArray[Any], generator: torch.Generator, how: Mapping[str, Any]
    ) -> list[Phase]:
        pretrained = self.autoencoder is not None or self.pretrain_epochs + self.layer_epochs > 0
        alpha = self.alpha
        if alpha == "auto":
            alpha = _CONSTANT if pretrained else "annealed"
            self.chosen_["alpha"] = (
                f"{alpha}: the autoencoder is {'' if pretrained else 'not '}trained before"
            )
        n_epochs = self.n_epochs or (200 if alpha == "annealed" else 100)
        n_values = -(-n_epochs // _EPOCHS)
        alphas = annealed(n_values) if isinstance(alpha, str) else n_values * [float(alpha)]
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        centres = torch.empty(self._n_units, self._latent).uniform_(-1.0, 1.0, generator=generator)
        task = DKMTask(module, alphas, self.weight, self.learning_rate, seed if pretrained else None, centres)
        return [Phase("clustering", task, n_epochs=n_epochs, **how)]
