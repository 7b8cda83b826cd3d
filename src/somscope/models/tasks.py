"""Phases of training that several deep models share, and the ways in which prototypes come to lie among the codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import Optimizer

from somscope.maps.lattice import Lattice
from somscope.maps.som import SOM
from somscope.models.module import DeepModule, SOMModule
from somscope.objectives.losses import Losses
from somscope.objectives.reconstruction import squared_error
from somscope.training import Batch, Engine, Feed, Task, adam

__all__ = [
    "AutoencoderTask",
    "MapTask",
    "UnitTask",
    "all_codes",
    "draw_rows",
    "organised",
    "prototypes_from_items",
]


class UnitTask(Task):
    """A task that counts how often each unit is the best one."""

    module: DeepModule

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        losses = super().update(batch, step, engine)
        seen = torch.zeros_like(self.module.counts)
        units = self.module.units  # of this process's part of the batch
        seen.index_add_(0, units, torch.ones_like(units, dtype=seen.dtype))
        self.module.counts += engine.total(seen)
        return losses

    def unit_counts(self) -> Tensor:
        counts = self.module.counts.clone()
        self.module.counts.zero_()
        return counts


class AutoencoderTask(Task):
    """Mean squared error of the reconstruction, with Adam; prototypes stay where they are."""

    module: DeepModule

    def __init__(self, module: DeepModule, learning_rate: float = 1e-3, eps_hat: float | None = None) -> None:
        self.module, self._rate, self._eps_hat = module, learning_rate, eps_hat

    def optimizers(self) -> Mapping[str, Optimizer]:
        prototypes = self.module.prototypes
        weights = [weight for weight in self.module.parameters() if weight is not prototypes]
        return {"adam": adam(weights, lr=self._rate, eps_hat=self._eps_hat)}

    def losses(self, batch: Batch, step: int) -> Losses:
        items = batch.items.flatten(1)
        loss = squared_error(self.module.decode(self.module.encode(items)), items)
        return Losses(loss, {"reconstruction": loss})


class MapTask(UnitTask):
    """What all phases with a map and a neighbourhood have: one Adam, and T of each step.

    temperatures: (n_steps,) T in lattice steps; rows: (K,) the items on whose codes the prototypes start.
    """

    module: SOMModule

    def __init__(
        self,
        module: SOMModule,
        temperatures: NDArray[np.floating],
        rows: Tensor,
        learning_rate: float = 1e-3,
        eps_hat: float | None = None,
    ) -> None:
        self.module, self.temperatures, self.rows = module, temperatures, rows
        self.rate, self.eps_hat = learning_rate, eps_hat

    def begin(self, feed: Feed, engine: Engine) -> None:
        prototypes_from_items(self.module, feed, self.rows)

    def optimizers(self) -> Mapping[str, Optimizer]:
        return {"adam": adam(self.module.parameters(), lr=self.rate, eps_hat=self.eps_hat)}

    def scalars(self, step: int) -> Mapping[str, float]:
        return {"temperature": float(self.temperatures[step])}


def draw_rows(n_items: int, n_units: int, generator: torch.Generator) -> Tensor:
    """(K,) rows of different random items."""
    return torch.randperm(n_items, generator=generator)[:n_units]


@torch.no_grad()
def prototypes_from_items(module: DeepModule, feed: Feed, rows: Tensor) -> None:
    """Put each prototype on the code of one item: rows (K,)."""
    training = module.training
    module.eval()
    items = feed.batch(rows.to(feed.index_device)).items
    module.prototypes.copy_(module.encode(items))
    module.train(training)


@torch.no_grad()
def all_codes(module: DeepModule, feed: Feed) -> Tensor:
    """(n, L) float32 codes of all items, on the module's device."""
    training = module.training
    module.eval()
    device = module.prototypes.device
    codes = torch.cat([module.encode(batch.items.to(device)) for batch in feed.batches(module.block)])
    module.train(training)
    return codes


def organised(codes: NDArray[np.floating], lattice: Lattice, radius: float, seed: int) -> Tensor:
    """(K, L) prototypes of a batch SOM on codes (n, L): PCA start, radius falling to `radius` (exp(-d^2 / 2 r^2))."""
    som = SOM(
        grid=(lattice.rows, lattice.columns), lattice=lattice.shape, toroidal=lattice.toroidal, radius=radius,
        device="cpu", random_state=seed, verbose=False,
    )  # fmt: skip
    return torch.from_numpy(som.fit(codes).prototypes_.astype(np.float32))
