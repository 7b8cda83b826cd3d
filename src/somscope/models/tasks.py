"""Phases of training that several deep maps have: the autoencoder alone, and the map alone on codes that stay."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from somscope.maps.lattice import Lattice
from somscope.maps.som import SOM
from somscope.models.module import DeepMapModule
from somscope.objectives.losses import Losses
from somscope.objectives.reconstruction import squared_error
from somscope.training import Batch, Feed, Task, adam

__all__ = ["AutoencoderTask", "all_codes", "draw_rows", "organised", "prototypes_from_items"]


class AutoencoderTask(Task):
    """Mean squared error of the reconstruction, with Adam; prototypes stay where they are."""

    module: DeepMapModule

    def __init__(self, module: DeepMapModule, learning_rate: float = 1e-3, eps: float = 1e-8) -> None:
        self.module, self._rate, self._eps = module, learning_rate, eps

    def optimizers(self) -> Mapping[str, Optimizer]:
        prototypes = self.module.prototypes
        weights = [weight for weight in self.module.parameters() if weight is not prototypes]
        return {"adam": adam(weights, lr=self._rate, eps=self._eps)}

    def losses(self, batch: Batch, step: int) -> Losses:
        items = batch.items.flatten(1)
        loss = squared_error(self.module.decode(self.module.encode(items)), items)
        return Losses(loss, {"reconstruction": loss})


def draw_rows(n_items: int, n_units: int, generator: torch.Generator) -> Tensor:
    """(K,) rows of different random items."""
    return torch.randperm(n_items, generator=generator)[:n_units]


@torch.no_grad()
def prototypes_from_items(module: DeepMapModule, feed: Feed, rows: Tensor) -> None:
    """Put each prototype on the code of one item: rows (K,)."""
    training = module.training
    module.eval()
    items = feed.batch(rows.to(feed.index_device)).items
    module.prototypes.copy_(module.encode(items))
    module.train(training)


@torch.no_grad()
def all_codes(module: DeepMapModule, feed: Feed) -> Tensor:
    """(n, L) float32 codes of all items, on the module's device."""
    training = module.training
    module.eval()
    codes = torch.cat([module.encode(batch.items) for batch in feed.batches(2048)])
    module.train(training)
    return codes


def organised(codes: NDArray[np.floating], lattice: Lattice, radius: float, seed: int) -> Tensor:
    """(K, L) prototypes of a batch SOM on codes (n, L): PCA start, radius falling to `radius` (exp(-d^2 / 2 r^2))."""
    som = SOM(
        grid=(lattice.rows, lattice.columns), lattice=lattice.shape, toroidal=lattice.toroidal, radius=radius,
        device="cpu", random_state=seed, verbose=False,
    )  # fmt: skip
    return torch.from_numpy(som.fit(codes).prototypes_.astype(np.float32))
