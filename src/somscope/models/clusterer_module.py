"""A dense autoencoder with centres of clusters among its codes, and how it is trained before they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.models.checks import check_batches, check_flag, check_folder, check_run, check_whole
from somscope.models.clusterer import DeepClusterer
from somscope.models.module import DeepModule
from somscope.models.pretrained import take_network
from somscope.models.tasks import AutoencoderTask
from somscope.nets.dense import DenseAutoencoder
from somscope.nets.initialise import check_sizes
from somscope.objectives.losses import Losses
from somscope.objectives.reconstruction import squared_error
from somscope.parts import dropout
from somscope.training import Batch, Phase, Task, adam

__all__ = ["AutoencoderClusterer", "ClusterModule", "LayerTask", "PretrainingTask"]

_DROPPED = 0.2  # of a layer's inputs and of its outputs, in the layer-wise training of DEC


class ClusterModule(DeepModule):
    """An autoencoder and centres (K, L) among its codes.

    scale: () what items are multiplied by before the network sees them, and divided by afterwards.
    """

    scale: Tensor

    def __init__(self, net: DenseAutoencoder, n_clusters: int, latent_dim: int) -> None:
        super().__init__(n_clusters, latent_dim)
        self.net = net
        self.register_buffer("scale", torch.ones(()))

    def encode(self, items: Tensor) -> Tensor:
        return self.net.encode(items * self.scale)

    def decode(self, codes: Tensor) -> Tensor:
        return self.net.decode(codes) / self.scale

    def assigned(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes (b, L) -> squared distances (b, K), and clusters (b,), which are noted as `units`."""
        squared = self.squared_distances(codes)
        self.units = squared.detach().argmin(1)
        return squared, self.units


class PretrainingTask(AutoencoderTask):
    """The autoencoder alone, on items as the network sees them, times `scale`."""

    module: ClusterModule

    def losses(self, batch: Batch, step: int) -> Losses:
        items = batch.items.flatten(1) * self.module.scale
        loss = squared_error(self.module.net.decode(self.module.net.encode(items)), items)
        return Losses(loss, {"reconstruction": loss})


class LayerTask(Task):
    """A pair of layers as a denoising autoencoder of what the encoder's layers before it give (Xie et al. 2016, 3.2).

    loss: mean squared error of h' = W2 dropout(W1 dropout(h)), with the layers' own activations. number: of the layer,
    from 0.
    """

    module: ClusterModule

    def __init__(self, module: ClusterModule, number: int, learning_rate: float) -> None:
        self.module, self.rate = module, learning_rate
        encoder, decoder = _blocks(module.net.encoder), _blocks(module.net.decoder)
        self.before, self.down, self.up = encoder[:number], encoder[number], decoder[-1 - number]

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam([*self.down.parameters(), *self.up.parameters()], lr=self.rate)}

    def losses(self, batch: Batch, step: int) -> Losses:
        with torch.no_grad():
            h = batch.items.flatten(1) * self.module.scale
            for block in self.before:
                h = block(h)
        inner = self.down(dropout(h, _DROPPED))
        loss = squared_error(self.up(dropout(inner, _DROPPED)), h)
        return Losses(loss, {"reconstruction": loss})


def _blocks(layers: nn.Sequential) -> list[nn.Sequential]:
    """Each linear layer with what follows it."""
    starts = [i for i, part in enumerate(layers) if isinstance(part, nn.Linear)]
    parts = list(layers)
    return [nn.Sequential(*parts[a:b]) for a, b in zip(starts, [*starts[1:], len(layers)], strict=True)]


class AutoencoderClusterer(DeepClusterer):
    """A clusterer whose network is a dense autoencoder, which is trained alone before the clusters are.

    A model gives `_cluster_module` and `_cluster_phases`, and has the parameters of `DEC`.
    """

    module_: ClusterModule

    latent_dim: int | None
    hidden: tuple[int, ...]
    batch_norm: bool = False
    normalise: bool
    batch_size: int
    autoencoder: str | Path | None
    layer_epochs: int
    pretrain_epochs: int

    def _cluster_module(self, net: DenseAutoencoder) -> ClusterModule:
        """The module around a network."""
        return ClusterModule(net, self._n_units, self._latent)

    def _cluster_phases(
        self, module: Any, items: NDArray[Any], generator: torch.Generator, how: Mapping[str, Any]
    ) -> list[Phase]:
        """What follows the training of the autoencoder. how: options of every phase."""
        raise NotImplementedError

    @property
    def _latent(self) -> int:
        return self._n_units if self.latent_dim is None else int(self.latent_dim)

    def _check_choices(self) -> None:
        check_run(self.get_params(deep=False))
        check_whole("n_clusters", self.n_clusters, 2)
        if self.latent_dim is not None:
            check_whole("latent_dim", self.latent_dim, 1)
        for name in ("layer_epochs", "pretrain_epochs"):
            check_whole(name, getattr(self, name), 0)
        for name in ("batch_norm", "normalise"):
            check_flag(name, getattr(self, name))
        check_folder("autoencoder", self.autoencoder)
        check_sizes("hidden", self.hidden)
        self._check_own()

    def _check_own(self) -> None:
        """Raise InputError for parameters of this model alone."""

    def _module(self, generator: torch.Generator | None) -> ClusterModule:
        net = DenseAutoencoder(
            self.n_features_in_, self.hidden, self._latent, batch_norm=self.batch_norm, generator=generator
        )
        return self._cluster_module(net)

    def _phases(self, module: Any, items: NDArray[Any], generator: torch.Generator) -> list[Phase]:
        how: dict[str, Any] = {"batch_size": self.batch_size}
        if self.autoencoder is not None:
            others = take_network(module.net, self.autoencoder)
            module.scale.copy_(others.get("scale", torch.ones(())))
        elif self.normalise:
            module.scale.fill_(1.0 / _root_mean_square(items))
        alone = (
            self.autoencoder is None
        )  # the phases keep their numbers, and with them the order of the items
        pretraining = [
            Phase(
                f"layer {i + 1}",
                LayerTask(module, i, 1e-3),
                n_epochs=self.layer_epochs if alone else 0,
                **how,
            )
            for i in range(len(self.hidden) + 1 if self.layer_epochs else 0)
        ]
        n_epochs = self.pretrain_epochs if alone else 0
        pretraining.append(Phase("autoencoder", PretrainingTask(module), n_epochs=n_epochs, **how))
        phases = [*pretraining, *self._cluster_phases(module, items, generator, how)]
        check_batches(module.net, phases, len(items))
        return phases


def _root_mean_square(items: NDArray[Any]) -> float:
    """Of all values (n, d), bytes as pixel / 255, block by block."""
    total = math.fsum(
        float(np.square(items[start : start + 4096], dtype=np.float64).sum())
        for start in range(0, len(items), 4096)
    )
    return math.sqrt(total / items.size) / (255.0 if items.dtype == np.uint8 else 1.0)
