"""The gradient penalty against derivatives taken by differences, and a critic that finds a known distance."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from somscope.objectives.wasserstein import gradient_penalty


@pytest.fixture(autouse=True)
def own_random_state():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def seeded(function, *args):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        return function(*args)


def test_the_penalty_is_the_published_one():
    """Slopes by central differences at the points that the same seed draws."""
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    a, b = torch.randn(5, 4).double(), torch.randn(5, 4).double()
    found = seeded(gradient_penalty, lambda x: net(x)[:, 0], a, b)
    u = seeded(lambda: torch.rand(5, 1, dtype=torch.float64))
    total = 0.0
    for i in range(5):
        point = u[i] * a[i] + (1 - u[i]) * b[i]
        slope = []
        for j in range(4):
            step = torch.zeros(4).double()
            step[j] = 1e-6
            slope.append(float((net(point + step) - net(point - step)).detach()) / 2e-6)
        total += (sum(s * s for s in slope) ** 0.5 - 1.0) ** 2
    assert float(found.detach()) == pytest.approx(total / 5, rel=1e-6)


def test_slopes_that_are_known():
    a, b = torch.randn(6, 3), torch.randn(6, 3)
    direction = torch.tensor([3.0, 0.0, 4.0])
    assert float(gradient_penalty(lambda x: x @ direction, a, b).detach()) == pytest.approx(16.0)
    assert float(gradient_penalty(lambda x: x @ direction / 5, a, b).detach()) == pytest.approx(0.0, abs=1e-9)
    flat = gradient_penalty(lambda x: (x * 0.0).sum(1), a, b)
    assert float(flat.detach()) == pytest.approx(1.0, rel=1e-5)


def test_its_gradient_reaches_the_critic_and_not_the_items():
    net = nn.Linear(3, 1)
    items = torch.randn(4, 3, requires_grad=True)
    penalty = gradient_penalty(lambda x: net(x)[:, 0], items, torch.randn(4, 3))
    weight, own = torch.autograd.grad(penalty, [net.weight, items], allow_unused=True)
    assert own is None
    length = float(net.weight.detach().norm())
    torch.testing.assert_close(weight, 2 * (length - 1) / length * net.weight.detach())


def test_a_critic_finds_the_distance_of_two_sets():
    """Two clouds, shifted by 3: the best critic has the slope s that maximises 3 s - 10 (s - 1)^2, 1.15."""
    net = nn.Sequential(nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3, betas=(0.5, 0.9))
    gaps = []
    for _ in range(250):
        a = torch.randn(128, 2)
        b = torch.randn(128, 2) + torch.tensor([3.0, 0.0])
        gap = (net(a) - net(b)).mean()
        optimizer.zero_grad()
        (10.0 * gradient_penalty(lambda x: net(x)[:, 0], a, b) - gap).backward()
        optimizer.step()
        gaps.append(float(gap.detach()))
    assert abs(gaps[0]) < 1.0
    assert sum(gaps[-50:]) / 50 == pytest.approx(3.45, abs=0.15)
