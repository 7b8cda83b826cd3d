"""DCN, deep clustering network: an autoencoder whose codes suit k-means (Yang, Fu, Sidiropoulos & Hong, ICML 2017).

    L = mean over items of ||x' - x||^2 + weight ||z_i - m_i||^2,  m_i the centre nearest to z_i

In every step: the network by its gradient with the centres held; then items to their nearest centres, and each centre
to m_k + (sum of its items' codes - their number m_k) / (count_k + their number), the mean of all that it ever had, with
counts that begin at 100. The authors add the items one by one, which gives the same mean.
Their code for MNIST has 1 for the distances and 0.05 for the reconstruction, both summed over features. 0.05 for the
distances beside 1 for the reconstruction is our choice: with theirs, all codes fall into one point.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from somscope.models.checks import check_number, check_whole
from somscope.models.clusterer_module import AutoencoderClusterer, ClusterModule
from somscope.models.clusterer_tasks import CentresTask
from somscope.nets.dense import DenseAutoencoder
from somscope.objectives.clustering import centre_loss
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import squared_norm
from somscope.training import Batch, Engine, Phase, adam

__all__ = ["DCN", "DCNModule", "DCNTask"]

_FIRST_COUNT = 100.0  # items that a centre counts as its own at the start


class DCNModule(ClusterModule):
    """An autoencoder and the centres of clusters."""

    def loss(self, items: Tensor, weight: float) -> Losses:
        """Items (b, d) -> the terms "reconstruction_sum" and "centres"; the centres get no gradient."""
        items = items.flatten(1) * self.scale
        codes = self.net.encode(items)
        _, clusters = self.assigned(codes)
        terms = {
            "reconstruction_sum": squared_norm(self.net.decode(codes), items),
            "centres": centre_loss(codes, self.prototypes.detach()[clusters]),
        }
        return weighted(terms, {"centres": weight})

    @torch.no_grad()
    def totals(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (b, L) -> sum (K, L) and number (K,) of those of each cluster."""
        codes = codes.to(self.prototypes.dtype)
        _, clusters = self.assigned(codes)
        sums = torch.zeros_like(self.prototypes).index_add_(0, clusters, codes)
        ones = torch.ones_like(clusters, dtype=codes.dtype)  # `bincount` would wait for a GPU
        return sums, torch.zeros_like(sums[:, 0]).index_add_(0, clusters, ones)


class DCNTask(CentresTask):
    """Adam on the network and, in each step after it, the centres as running means."""

    module: DCNModule

    def __init__(self, module: DCNModule, weight: float, rate: float, seed: int) -> None:
        super().__init__(module, seed)
        self.weight, self.rate = weight, rate
        module.remember("had", torch.full((len(module.prototypes),), _FIRST_COUNT))

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.net.parameters(), lr=self.rate)}

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, self.weight)

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        losses = super().update(batch, step, engine)
        module, had = self.module, self.module.get_buffer("had")
        with torch.no_grad():
            sums, numbers = (engine.total(total) for total in module.totals(module.encode(batch.items)))
            had.add_(numbers)
            module.prototypes.add_((sums - numbers[:, None] * module.prototypes) / had[:, None])
        return losses


class DCN(AutoencoderClusterer):
    """Deep clustering network.

    Parameters
    ----------
    weight: of the distances to the centres beside the reconstruction, both summed over features.
    hidden, latent_dim: the authors' network for MNIST; they also subtract from what comes to each layer of the encoder
        its mean over the batch.
    batch_norm: after each hidden layer, in both halves. A unit that is hardly ever active has next to no variance, and
        the few items that do activate it then have codes far from all others, which k-means takes for clusters.
    n_epochs: of network and centres. learning_rate: of Adam; the authors took SGD with a rate for each data set.
    n_clusters, batch_size, normalise, autoencoder, pretrain_epochs, layer_epochs, device, precision, random_state,
    checkpoints, resume, training, verbose: as of `DEC`. The authors pretrained layer by layer, for 50 epochs.

    Attributes are those of every deep clusterer, see `clusterer.DeepClusterer`.
    """

    model_name: ClassVar[str] = "dcn"
    module_: DCNModule

    def __init__(
        self,
        n_clusters: int = 10,
        latent_dim: int | None = 50,
        weight: float = 0.05,
        *,
        hidden: tuple[int, ...] = (2000, 1000, 500, 500, 250),
        batch_norm: bool = False,
        n_epochs: int = 50,
        batch_size: int = 128,
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
        self.batch_norm = batch_norm
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
        check_whole("n_epochs", self.n_epochs, 1)
        check_number("weight", self.weight, zero=True)
        check_number("learning_rate", self.learning_rate)

    def _cluster_module(self, net: DenseAutoencoder) -> DCNModule:
        return DCNModule(net, self._n_units, self._latent)

    def _cluster_phases(
        self, module: Any, items: NDArray[Any], generator: torch.Generator, how: Mapping[str, Any]
    ) -> list[Phase]:
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        task = DCNTask(module, self.weight, self.learning_rate, seed)
        return [Phase("clustering", task, n_epochs=self.n_epochs, **how)]
