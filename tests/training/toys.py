"""Small tasks that the tests of the training train, also in processes of their own."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from somscope.objectives.losses import Losses, weighted
from somscope.parts import randn
from somscope.training import Schedule, Task, adam, staircase


def blobs(n=257, d=12, dtype=np.float32):
    """(n, d) items around five centres."""
    rng = np.random.default_rng(0)
    x = rng.random((5, d))[rng.integers(5, size=n)] + 0.05 * rng.standard_normal((n, d))
    x = np.clip(x, 0, 1)
    return (x * 255).astype(np.uint8) if dtype == np.uint8 else x.astype(dtype)


def initialised(module):
    """The module with weights that are the same in every process."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-0.4, 0.4, generator=generator)
    return module


class Autoencoder(Task):
    """d -> 3 -> d with dropout, so that training draws from the global generator."""

    def __init__(self, d=12, dropout=0.1, lr=5e-3, middle=()):
        self.module = initialised(
            nn.Sequential(nn.Linear(d, 3), *middle, nn.Dropout(dropout), nn.Linear(3, d))
        )
        self.lr = lr

    def optimizers(self):
        return {"adam": adam(self.module.parameters(), lr=self.lr)}

    def losses(self, batch, step):
        reconstruction = (self.module(batch.items) - batch.items).square().mean()
        return Losses(reconstruction, {"reconstruction": reconstruction})


class Rivals(Task):
    """Two optimizers in turn, a map moved in closed form between their steps, and noise: all that needs a state.

    The generator moves noise to the items' mean; the critic tells them apart; the map is an online k-means.
    """

    def __init__(self, d=12, n_units=4, noise=True):
        module = nn.ModuleDict(
            {
                "generator": nn.Linear(4, d),
                "critic": nn.Sequential(nn.Linear(d, 8), nn.ReLU(), nn.Linear(8, 1)),
            }
        )
        self.module = initialised(module)
        self.module.register_buffer("units", torch.zeros(n_units, d))
        self.module.register_buffer("counts", torch.zeros(n_units))
        self.noise = noise

    def begin(self, feed, engine):
        first = torch.arange(len(self.module.units), device=feed.index_device)
        self.module.units.copy_(feed.batch(first).items)

    def optimizers(self):
        return {
            "critic": adam(self.module["critic"].parameters(), lr=2e-3),
            "generator": torch.optim.SGD(self.module["generator"].parameters(), lr=0.05, momentum=0.9),
        }

    def schedules(self):
        return {
            "generator": Schedule(staircase(0.9, 5)),
            "critic": Schedule(lambda epoch: 1 / (1 + epoch), by="epoch"),
        }

    def update(self, batch, step, engine):
        made = self._made(batch, engine)
        critic = self.module["critic"]
        with engine.autocast():
            told = nn.functional.softplus(-critic(batch.items)).mean()
            told = told + nn.functional.softplus(critic(made.detach())).mean()
        engine.step(told, "critic")
        fooled = nn.functional.softplus(-critic(made)).mean()
        engine.step(fooled, "generator")
        with torch.no_grad():
            best = torch.cdist(batch.items, self.module.units).argmin(1)
            onehot = nn.functional.one_hot(best, len(self.module.units)).to(batch.items.dtype)
            counts, sums = engine.total(onehot.sum(0)), engine.total(onehot.T @ batch.items)
            self.module.counts += counts
            means = sums / counts.clamp(min=1)[:, None]
            self.module.units.lerp_(torch.where(counts[:, None] > 0, means, self.module.units), 0.2)
        return weighted({"told": told, "fooled": fooled}, {})

    def _made(self, batch, engine):
        size = (len(batch.items), 4)
        if self.noise:
            noise = randn(*size, generator=engine.generator, device=engine.device)
        else:  # a function of the items, so that it does not depend on who draws it
            noise = torch.sin(batch.indices.float()[:, None] * torch.arange(1.0, 5.0, device=engine.device))
        return self.module["generator"](noise)

    def unit_counts(self):
        counts = self.module.counts.clone()
        self.module.counts.zero_()
        return counts

    def scalars(self, step):
        return {"radius": 1.0 / (step + 1)}
