"""The losses of two views beside transcriptions of their formulas, and what they must not depend on."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import neighbourhood
from somscope.objectives.contrastive import (
    nt_xent_loss,
    spread_loss,
    swapped_loss,
    unit_targets,
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def nt_xent_by_hand(first: Tensor, second: Tensor, t: float) -> float:
    u = [v.double() / v.double().norm() for v in [*first, *second]]
    n, total = len(first), 0.0
    for i in range(2 * n):
        j = (i + n) % (2 * n)
        others = sum(math.exp(float(u[i] @ u[k]) / t) for k in range(2 * n) if k != i)
        total -= math.log(math.exp(float(u[i] @ u[j]) / t) / others)
    return total / (2 * n)


@pytest.mark.parametrize("t", [0.1, 0.5, 3.0])
def test_nt_xent_is_the_published_sum(t: float) -> None:
    first, second = draw(7, 5), draw(7, 5, seed=1)
    assert float(nt_xent_loss(first, second, t)) == pytest.approx(nt_xent_by_hand(first, second, t), rel=1e-5)


def test_nt_xent_knows_neither_order_nor_length_nor_direction() -> None:
    first, second = draw(6, 4), draw(6, 4, seed=1)
    wanted = nt_xent_loss(first, second, 0.3)
    order = torch.randperm(6, generator=torch.Generator().manual_seed(2))
    turn, _ = torch.linalg.qr(draw(4, 4, seed=3))
    for same in (
        nt_xent_loss(second, first, 0.3),
        nt_xent_loss(first[order], second[order], 0.3),
        nt_xent_loss(first * torch.arange(1.0, 7.0)[:, None], 5.0 * second, 0.3),
        nt_xent_loss(first @ turn, second @ turn, 0.3),
    ):
        torch.testing.assert_close(same, wanted)
    assert nt_xent_loss(first, second[order], 0.3) != pytest.approx(float(wanted))


def test_nt_xent_has_its_bounds() -> None:
    one = torch.eye(8)
    assert float(nt_xent_loss(one, one, 0.05)) == pytest.approx(math.log1p(14 * math.exp(-20.0)), abs=1e-6)
    same = torch.ones(8, 3)
    assert float(nt_xent_loss(same, same, 0.5)) == pytest.approx(math.log(15))
    assert float(nt_xent_loss(draw(1, 3), draw(1, 3, seed=1), 0.5)) == 0.0
    assert torch.isfinite(nt_xent_loss(torch.zeros(4, 3), torch.zeros(4, 3), 0.5))


def test_nt_xent_pulls_views_together_and_items_apart() -> None:
    first, second = draw(20, 3).requires_grad_(), draw(20, 3, seed=1)
    before = float(nt_xent_loss(first, second, 0.2).detach())
    for _ in range(100):
        (gradient,) = torch.autograd.grad(nt_xent_loss(first, second, 0.2), first)
        first = (first - 0.5 * gradient).detach().requires_grad_()
    assert float(nt_xent_loss(first, second, 0.2).detach()) < before - 1.0


def test_the_spread_is_1_where_all_is_one_point_and_0_on_the_whole_sphere() -> None:
    assert float(spread_loss(torch.ones(50, 8))) == pytest.approx(0.99, abs=1e-3)
    axes = torch.cat([torch.eye(8), -torch.eye(8)])  # deviation 1 in each dimension
    assert float(spread_loss(3.0 * axes)) == pytest.approx(0.0, abs=1e-4)
    codes = draw(30, 4)
    unit = (codes / codes.norm(dim=1, keepdim=True)).double() * 2.0
    by_hand = sum(max(0.0, 1.0 - math.sqrt(float(unit[:, j].var(correction=0)) + 1e-4)) for j in range(4)) / 4
    assert float(spread_loss(codes)) == pytest.approx(by_hand, rel=1e-5)


def kernel(lattice: Lattice, radius: float) -> Tensor:
    return torch.from_numpy(neighbourhood("gaussian", lattice.squared_distances(), radius)).float()


def test_targets_are_sinkhorns_rounds_then_the_neighbourhood() -> None:
    logits, lattice = draw(12, 6), Lattice(2, 3)
    q = (logits.double() / 0.5).exp()
    for _ in range(3):
        for k in range(6):
            q[:, k] /= 6 * q[:, k].sum()
        for i in range(12):
            q[i] /= 12 * q[i].sum()
    h = kernel(lattice, 0.8)
    wanted = torch.zeros(12, 6, dtype=torch.float64)
    for i in range(12):
        for k in range(6):
            wanted[i, k] = sum(q[i, j] * h[j, k] for j in range(6))
        wanted[i] /= wanted[i].sum()
    torch.testing.assert_close(unit_targets(logits, h, 0.5).double(), wanted, atol=1e-6, rtol=1e-5)


def test_targets_use_all_units_alike() -> None:
    logits = draw(200, 5) + torch.tensor([8.0, 0.0, 0.0, 0.0, -8.0])  # one unit would take all
    assert logits.softmax(1).mean(0).max() > 0.9
    targets = unit_targets(logits, torch.eye(5), 1.0, rounds=30)
    torch.testing.assert_close(targets.mean(0), torch.full((5,), 0.2), atol=1e-3, rtol=0)
    torch.testing.assert_close(targets.sum(1), torch.ones(200))
    shifted = unit_targets(logits + draw(200, 1, seed=4), torch.eye(5), 1.0, rounds=30)
    torch.testing.assert_close(shifted, targets, atol=1e-5, rtol=0)


def test_targets_without_rounds_are_softmaxes_in_the_neighbourhood() -> None:
    logits, h = draw(12, 6), kernel(Lattice(2, 3), 0.8)
    wanted = torch.stack([(row / 0.5).softmax(0) @ h for row in logits])
    wanted /= wanted.sum(1, keepdim=True)
    torch.testing.assert_close(unit_targets(logits, h, 0.5, rounds=0), wanted)


@pytest.mark.parametrize("rounds", [0, 3])
def test_targets_of_extreme_logits_are_distributions(rounds: int) -> None:
    far = torch.tensor([[1e4, 0.0, 0.0], [1e4, 0.0, 0.0], [-1e4, -1e4, 1e4]])
    targets = unit_targets(far, torch.eye(3), rounds=rounds)
    assert torch.isfinite(targets).all()
    torch.testing.assert_close(targets.sum(1), torch.ones(3))


def test_a_wider_neighbourhood_spreads_the_targets() -> None:
    logits, lattice = 5.0 * draw(100, 9), Lattice(3, 3)
    entropies = []
    for radius in (0.1, 0.5, 1.0, 10.0):
        t = unit_targets(logits, kernel(lattice, radius), 1.0)
        entropies.append(float(-torch.xlogy(t, t).sum(1).mean()))
    assert entropies == sorted(entropies)
    assert entropies[-1] == pytest.approx(math.log(9), abs=0.01)


def test_the_swapped_loss_asks_each_view_for_the_other() -> None:
    logits = (draw(6, 4), draw(6, 4, seed=1))
    targets = (draw(6, 4, seed=2).softmax(1), draw(6, 4, seed=3).softmax(1))
    by_hand = 0.0
    for mine, other in ((0, 1), (1, 0)):
        for i in range(6):
            p = logits[mine][i].double().exp()
            p = p / p.sum()
            by_hand -= sum(float(targets[other][i, k]) * math.log(p[k]) for k in range(4)) / 12
    assert float(swapped_loss(logits, targets)) == pytest.approx(by_hand, rel=1e-5)
    wanting = targets[0].requires_grad_()
    loss = swapped_loss((logits[0].requires_grad_(), logits[1]), (wanting, targets[1]))
    assert torch.autograd.grad(loss, wanting, allow_unused=True)[0] is None
