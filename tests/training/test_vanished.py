"""Averages of the optimizers that have vanished are taken out, and nothing that is learned changes by it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from somscope.training import Phase, adam, train
from somscope.training import loop as training_loop
from somscope.training.vanished import VANISHED, forget_vanished
from training.toys import Autoencoder, blobs

SMALLEST_NORMAL = torch.finfo(torch.float32).tiny
N_STEPS = 1100  # 0.9^1000 = 1.7e-46 is below the smallest subnormal number, at which averages stay


class HalfIdle(Autoencoder):
    """An autoencoder of items whose last 4 of 12 numbers turn to 0, as gradients of weights on them do."""

    def __init__(self, make=adam):
        super().__init__(dropout=0.0)
        self.make = make

    def optimizers(self):
        self.optimizer = self.make(self.module.parameters(), lr=1e-3)
        return {"optimizer": self.optimizer}

    def losses(self, batch, step):
        if step >= 10:
            batch.items[:, 8:] = 0
        return super().losses(batch, step)


def n_subnormal(optimizer):
    averages = [a for kept in optimizer.state.values() for a in kept.values() if a.dim() > 0]
    return sum(int(((a != 0) & (a.abs() < SMALLEST_NORMAL)).sum()) for a in averages)


def momentum(parameters, lr):
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


@pytest.mark.parametrize("make", [adam, momentum])
def test_no_average_becomes_subnormal_and_the_weights_are_the_same(make, monkeypatch):
    learned = []
    for forget, expected in ((forget_vanished, False), (lambda optimizers: None, True)):
        monkeypatch.setattr(training_loop, "forget_vanished", forget)
        task = HalfIdle(make)
        train([Phase("joint", task, n_steps=N_STEPS)], blobs(n=64))
        assert (n_subnormal(task.optimizer) > 0) == expected
        learned.append([p.detach() for p in task.module.parameters()])
    for with_, without in zip(*learned, strict=True):
        assert torch.equal(with_, without)


def test_only_what_is_below_the_bound_is_forgotten():
    weight = nn.Parameter(torch.zeros(5))
    optimizer = adam([weight])
    weight.grad = torch.ones(5)
    optimizer.step()
    kept = optimizer.state[weight]
    kept["exp_avg"].copy_(torch.tensor([0.0, VANISHED / 2, -VANISHED / 2, -2 * VANISHED, float("nan")]))
    kept["exp_avg_sq"].copy_(torch.tensor([1e-40, 1e-30, 1.0, 1e-12, float("inf")]))
    forget_vanished([optimizer, torch.optim.SGD([weight], lr=0.1)])
    expected = torch.tensor([0.0, 0.0, 0.0, -2 * VANISHED, float("nan")])
    torch.testing.assert_close(kept["exp_avg"], expected, rtol=0, atol=0, equal_nan=True)
    assert kept["exp_avg_sq"].tolist() == torch.tensor([0.0, 1e-30, 1.0, 1e-12, float("inf")]).tolist()
    assert float(kept["step"]) == 1
