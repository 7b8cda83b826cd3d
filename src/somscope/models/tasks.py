"""Phases of training that several deep maps share, and the ways in which prototypes come to lie among the codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from somscope.maps.lattice import Lattice
from somscope.maps.som import SOM
from somscope.models.module import DeepMapModule, SOMModule
from somscope.objectives.losses import Losses
from somscope.objectives.reconstruction import squared_error
from somscope.training import Batch, Engine, Feed, Task, adam

__all__ = [
    "AutoencoderTask",
    "MapTask",
    "all_codes",
    "count_units",
    "draw_rows",
    "organised",
    "prototypes_from_items",
    "taken_counts",
]


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


class MapTask(Task):
    """What all phases with a map have: one Adam, T of each step, and a count of the best units.

    temperatures: (n_steps,) T in lattice steps; rows: (K,) the items on whose codes the prototypes start.
    """

    module: SOMModule

    def __init__(
        self,
        module: SOMModule,
        temperatures: NDArray[np.floating],
        rows: Tensor,
        learning_rate: float = 1e-3,
        eps: float = 1e-8,
    ) -> None:
        self.module, self.temperatures, self.rows = module, temperatures, rows
        self.rate, self.eps = learning_rate, eps

    def begin(self, feed: Feed, engine: Engine) -> None:
        prototypes_from_items(self.module, feed, self.rows)

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.parameters(), lr=self.rate, eps=self.eps)}

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        losses = super().update(batch, step, engine)
        count_units(self.module, engine)
        return losses

    def scalars(self, step: int) -> Mapping[str, float]:
        return {"temperature": float(self.temperatures[step])}

    def unit_counts(self) -> Tensor:
        return taken_counts(self.module)


def count_units(module: DeepMapModule, engine: Engine) -> None:
    """Add the best units of the last batch, over all processes, to the module's counts."""
    seen = torch.zeros_like(module.counts)
    seen.index_add_(0, module.units, torch.ones_like(module.units, dtype=seen.dtype))
    module.counts += engine.total(seen)


def taken_counts(module: DeepMapModule) -> Tensor:
    """The counts, which begin again at 0."""
    counts = module.counts.clone()
    module.counts.zero_()
    return counts


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
    codes = torch.cat([module.encode(batch.items) for batch in feed.batches(module.block)])
    module.train(training)
    return codes


def organised(codes: NDArray[np.floating], lattice: Lattice, radius: float, seed: int) -> Tensor:
    """(K, L) prototypes of a batch SOM on codes (n, L): PCA start, radius falling to `radius` (exp(-d^2 / 2 r^2))."""
    som = SOM(
        grid=(lattice.rows, lattice.columns), lattice=lattice.shape, toroidal=lattice.toroidal, radius=radius,
        device="cpu", random_state=seed, verbose=False,
    )  # fmt: skip
    return torch.from_numpy(som.fit(codes).prototypes_.astype(np.float32))
