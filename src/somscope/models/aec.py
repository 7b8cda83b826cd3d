"""AEC, auto-encoder based clustering: codes that are drawn to the centres of their clusters (Song et al., CIARP 2013).

    L = mean over items of ||x' - x||^2 + weight ||z_i - c_i||^2,  c_i the centre of the cluster of item i

In turn: an epoch of the network with the centres and the clusters held, then centres as the means of their items'
codes and items to their nearest centres, over all items. Our sources leave open the weight, the optimizer, the network
and the start; 0.1, Adam, the network of DEC, and k-means on the codes of an autoencoder trained alone are ours.
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
from somscope.models.clusterer_tasks import CentresTask, reseed
from somscope.models.tasks import all_codes
from somscope.nets.dense import DenseAutoencoder
from somscope.objectives.clustering import centre_loss
from somscope.objectives.losses import Losses, weighted
from somscope.objectives.reconstruction import squared_norm
from somscope.training import Batch, Engine, Feed, Phase, adam

__all__ = ["AEC", "AECModule", "AECTask"]


class AECModule(ClusterModule):
    """An autoencoder and the centres of clusters."""

    def loss(self, items: Tensor, clusters: Tensor, weight: float) -> Losses:
        """Items (b, d), their clusters (b,) -> the terms "reconstruction_sum" and "centres"; centres are held."""
        items = items.flatten(1) * self.scale
        codes = self.net.encode(items)
        self.units = clusters
        terms = {
            "reconstruction_sum": squared_norm(self.net.decode(codes), items),
            "centres": centre_loss(codes, self.prototypes.detach()[clusters]),
        }
        return weighted(terms, {"centres": weight})

    @torch.no_grad()
    def move_centres(self, codes: Tensor, clusters: Tensor) -> None:
        """Codes (n, L) and the cluster (n,) of each: every centre to the mean of its cluster, where it has items."""
        sums = torch.zeros_like(self.prototypes).index_add_(0, clusters, codes)
        sizes = torch.bincount(clusters, minlength=len(sums))[:, None]
        self.prototypes.copy_(torch.where(sizes > 0, sums / sizes.clamp_min(1), self.prototypes))


class AECTask(CentresTask):
    """Adam on the network; before each epoch, and after the last by `AEC._settle`, centres in closed form."""

    module: AECModule

    def __init__(self, module: AECModule, n_items: int, weight: float, rate: float, seed: int) -> None:
        super().__init__(module, seed)
        self.weight, self.rate = weight, rate
        module.remember("clusters", torch.zeros(n_items, dtype=torch.int64))

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.net.parameters(), lr=self.rate)}

    @torch.no_grad()
    def at_epoch(self, epoch: int, feed: Feed, engine: Engine) -> None:
        """Means of the clusters that were (after the first epoch), and then the clusters anew."""
        module, clusters = self.module, self.module.get_buffer("clusters")
        codes = all_codes(module, feed).float()
        if epoch:
            module.move_centres(codes, clusters)
        clusters.copy_(reseed(module, codes, module.squared_distances(codes).argmin(1), engine))

    def losses(self, batch: Batch, step: int) -> Losses:
        return self.module.loss(batch.items, self.module.get_buffer("clusters")[batch.indices], self.weight)


class AEC(AutoencoderClusterer):
    """Auto-encoder based clustering.

    Parameters
    ----------
    weight: of the distances to the centres beside the reconstruction, both summed over features.
    n_epochs: of network and clusters in turn. learning_rate: of Adam.
    n_clusters, latent_dim, hidden, batch_size, normalise, autoencoder, pretrain_epochs, layer_epochs, device,
    precision, random_state, checkpoints, resume, training, verbose: as of `DEC`.

    Attributes are those of every deep clusterer, see `clusterer.DeepClusterer`.
    """

    model_name: ClassVar[str] = "aec"
    module_: AECModule

    def __init__(
        self,
        n_clusters: int = 10,
        latent_dim: int | None = 10,
        weight: float = 0.1,
        *,
        hidden: tuple[int, ...] = (500, 500, 2000),
        n_epochs: int = 50,
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
        self.weight = weight
        self.hidden = hidden
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

    def _cluster_module(self, net: DenseAutoencoder) -> AECModule:
        return AECModule(net, self._n_units, self._latent)

    def _cluster_phases(
        self, module: Any, items: NDArray[Any], generator: torch.Generator, how: Mapping[str, Any]
    ) -> list[Phase]:
        seed = int(torch.randint(2**31 - 1, (), generator=generator))
        task = AECTask(module, len(items), self.weight, self.learning_rate, seed)
        return [Phase("clustering", task, n_epochs=self.n_epochs, **how)]

    def _settle(self, items: NDArray[Any], seed: int) -> None:
        """Centres to the codes that the network ended with; labels_ are the nearest of them."""
        if self.module_.prototypes.any():
            codes = torch.cat(list(self._codes(items))).float()
            self.module_.move_centres(codes, self.module_.get_buffer("clusters"))
        super()._settle(items, seed)
