"""Small tasks that the tests of the training train."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from somscope.objectives.losses import Losses
from somscope.training import Task, adam


def blobs(n=257, d=12, dtype=np.float32):
    """(n, d) items around five centres."""
    rng = np.random.default_rng(0)
    x = rng.random((5, d))[rng.integers(5, size=n)] + 0.05 * rng.standard_normal((n, d))
    x = np.clip(x, 0, 1)
    return (x * 255).astype(np.uint8) if dtype == np.uint8 else x.astype(dtype)


class Autoencoder(Task):
    """d -> 3 -> d with dropout, so that training draws random numbers."""

    def __init__(self, d=12, dropout=0.1, lr=5e-3):
        generator = torch.Generator().manual_seed(0)
        self.module = nn.Sequential(nn.Linear(d, 3), nn.Dropout(dropout), nn.Linear(3, d))
        for parameter in self.module.parameters():
            with torch.no_grad():
                parameter.uniform_(-0.4, 0.4, generator=generator)
        self.lr = lr

    def optimizers(self):
        return {"adam": adam(self.module.parameters(), lr=self.lr)}

    def losses(self, batch, step):
        reconstruction = (self.module(batch.items) - batch.items).square().mean()
        return Losses(reconstruction, {"reconstruction": reconstruction})
