"""Each loss term against a plain transcription of its published formula, and where its gradient goes."""

from __future__ import annotations

import math

import pytest
import torch

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.objectives.clustering import (
    hardening_loss,
    soft_assignments,
    soft_som_loss,
    target_distribution,
)
from somscope.objectives.losses import weighted
from somscope.objectives.quantized import commitment_loss, neighbour_loss, smoothness_loss, transition_loss
from somscope.objectives.reconstruction import bernoulli_loss, gaussian_loss, squared_error
from somscope.objectives.som import neighbourhood_weights, order_loss, som_loss, squared_distances
from somscope.objectives.variational import standard_normal_kl


@pytest.fixture
def draw():
    generator = torch.Generator().manual_seed(0)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def near(value, wanted):
    assert float(value) == pytest.approx(float(wanted), rel=1e-6)


def test_squared_distances(draw):
    z, m = draw(7, 5), draw(4, 5)
    wanted = torch.tensor([[sum((a - b) ** 2 for a, b in zip(i, k, strict=True)) for k in m] for i in z])
    torch.testing.assert_close(squared_distances(z, m), wanted)
    assert float(squared_distances(m.float(), m.float()).diagonal().min()) >= 0.0


def test_squared_distances_keep_their_digits_under_autocast(draw):
    z, m = draw(7, 5).float() + 100.0, draw(4, 5).float() + 100.0
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = squared_distances(z, m)
    torch.testing.assert_close(found, torch.cdist(z.double(), m.double()).square().float(), atol=0.05, rtol=0)


@pytest.mark.parametrize("temperature", [10.0, 1.3, 0.1])
def test_the_som_loss_is_the_published_sum(draw, temperature):
    z, m, lattice = draw(7, 5), draw(12, 5), Lattice(3, 4)
    steps = torch.from_numpy(lattice.steps("4")).double()
    squared = squared_distances(z, m)
    units = squared.argmin(1)
    total = 0.0
    for i in range(7):
        best = int(units[i])
        for k in range(12):
            d = abs(best // 4 - k // 4) + abs(best % 4 - k % 4)
            total += math.exp(-(d**2) / temperature**2) * float(((z[i] - m[k]) ** 2).sum())
    near(som_loss(squared, neighbourhood_weights(steps**2, units, temperature)), total / 7)


def test_the_window_takes_whole_units(draw):
    steps = torch.from_numpy(Lattice(3, 4).steps("4")).double()
    weights = neighbourhood_weights(steps**2, torch.tensor([5]), 1.0, "window")
    assert weights[0].nonzero().flatten().tolist() == [1, 4, 5, 6, 9]
    with pytest.raises(InputError, match="allowed: gaussian, window"):
        neighbourhood_weights(steps**2, torch.tensor([5]), 1.0, "bubble")


@pytest.mark.parametrize("toroidal", [False, True])
def test_the_order_loss_measures_topographic_errors(draw, toroidal):
    squared, lattice = draw(9, 12).square(), Lattice(3, 4, toroidal=toroidal)
    beside = lattice.adjacency("8")
    total, errors = 0.0, 0
    for row in squared:
        best, second = row.argsort()[:2].tolist()
        if not beside[best, second]:
            errors += 1
            total += min(float(row[k]) for k in range(12) if beside[best, k]) - float(row[second])
    assert 0 < errors < 9
    near(order_loss(squared, squared.argmin(1), torch.from_numpy(beside)), total / 9)


@pytest.mark.parametrize("lattice", [Lattice(1, 1), Lattice(1, 2), Lattice(2, 2)])
def test_a_map_of_neighbours_only_is_in_order(draw, lattice):
    squared = draw(9, lattice.n_units).square().requires_grad_()
    loss = order_loss(squared, squared.detach().argmin(1), torch.from_numpy(lattice.adjacency()))
    near(loss.detach(), 0.0)
    loss.backward()
    assert not squared.grad.any()


def test_squared_error_is_a_mean_over_elements(draw):
    a, b = draw(3, 4, 2), draw(3, 4, 2)
    near(squared_error(a, b), sum((x - y) ** 2 for x, y in zip(a.flatten(), b.flatten(), strict=True)) / 24)


def test_bernoulli_loss_is_a_sum_over_pixels(draw):
    logits, x = draw(3, 4), draw(3, 4).sigmoid()
    wanted = 0.0
    for i in range(3):
        for j in range(4):
            p = 1 / (1 + math.exp(-float(logits[i, j])))
            wanted -= float(x[i, j]) * math.log(p) + (1 - float(x[i, j])) * math.log(1 - p)
    near(bernoulli_loss(logits, x), wanted / 3)


def test_gaussian_loss_is_the_density_less_a_constant(draw):
    means, x = draw(3, 4), draw(3, 4)
    density = torch.distributions.Normal(means, 1.0).log_prob(x).sum(1)
    near(gaussian_loss(means, x), (-density).mean() - 2 * math.log(2 * math.pi))


def test_the_terms_of_som_vae(draw):
    z, m = draw(6, 5), draw(12, 5)
    units = squared_distances(z, m).argmin(1)
    near(commitment_loss(z, m[units]), sum(float(((z[i] - m[units[i]]) ** 2).sum()) for i in range(6)) / 30)
    edge, plain, with_zeros, table = 0, 0.0, 0.0, torch.full((6, 5), -1)
    for i in range(6):
        row, column = divmod(int(units[i]), 4)
        places = [
            (row, column),
            (row + 1, column),
            (row - 1, column),
            (row, column + 1),
            (row, column - 1),
        ]
        for n, (r, c) in enumerate(places):
            inside = 0 <= r < 3 and 0 <= c < 4
            edge += not inside
            near_one = m[r * 4 + c] if inside else torch.zeros(5)
            square = float(((z[i] - near_one) ** 2).sum())
            plain += square * inside
            with_zeros += square
            table[i, n] = r * 4 + c if inside else -1
    assert edge > 0
    near(neighbour_loss(z, m, table), plain / (6 * 5 * 5))
    near(neighbour_loss(z, m, table, zeros=True), with_zeros / (6 * 5 * 5))


def test_the_map_term_of_som_vae_moves_prototypes_alone(draw):
    z, m = draw(6, 5).requires_grad_(), draw(4, 5).requires_grad_()
    neighbour_loss(z, m, torch.tensor([[0, 1, -1]] * 6)).backward()
    assert z.grad is None
    assert m.grad.abs().sum(1).ne(0).tolist() == [True, True, False, False]


def test_transitions_and_smoothness(draw):
    raw, squared = draw(4, 4), draw(5, 4).square()
    p = torch.tensor(
        [
            [math.exp(raw[j, k]) / sum(math.exp(raw[j, other]) for other in range(4)) for k in range(4)]
            for j in range(4)
        ]
    ).double()
    before, after = torch.tensor([0, 1, 1, 3, 2]), torch.tensor([1, 1, 3, 2, 0])
    wanted = -sum(math.log(p[a, b]) for a, b in zip(before, after, strict=True)) / 5
    near(transition_loss(raw.log_softmax(1), before, after), wanted)
    wanted = sum(p[before[t], k] * squared[t, k] for t in range(5) for k in range(4)) / 20
    near(smoothness_loss(raw.softmax(1), before, squared), wanted)


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_soft_assignments_targets_and_hardening(draw, alpha):
    squared = draw(6, 4).square()
    kernel = [[1e-7 + 1 / (1 + float(d) / alpha) ** ((alpha + 1) / 2) for d in row] for row in squared]
    q = torch.tensor([[v / sum(row) for v in row] for row in kernel], dtype=torch.float64)
    torch.testing.assert_close(soft_assignments(squared, alpha), q)
    f = [sum(float(q[i, k]) for i in range(6)) for k in range(4)]
    p = torch.zeros(6, 4, dtype=torch.float64)
    for i in range(6):
        below = sum(float(q[i, k]) ** 2 / f[k] for k in range(4))
        for k in range(4):
            p[i, k] = float(q[i, k]) ** 2 / f[k] / below
    torch.testing.assert_close(target_distribution(q), p)
    near(
        hardening_loss(p, q),
        sum(p[i, k] * math.log(p[i, k] / q[i, k]) for i in range(6) for k in range(4)) / 6,
    )


def test_a_target_of_zero_costs_nothing():
    p = torch.tensor([[1.0, 0.0]])
    near(hardening_loss(p, torch.tensor([[0.5, 0.5]])), math.log(2.0))


def test_soft_som_loss_on_a_torus(draw):
    rows, columns = 3, 4
    q = soft_assignments(draw(5, 12).square(), 10.0)
    table = torch.tensor(
        [
            [
                (r + 1) % rows * columns + c,
                (r - 1) % rows * columns + c,
                r * columns + (c + 1) % columns,
                r * columns + (c - 1) % columns,
            ]
            for r in range(rows)
            for c in range(columns)
        ]
    )
    wanted = -sum(q[i, k] * math.log(q[i, n]) for i in range(5) for k in range(12) for n in table[k]) / 5
    near(soft_som_loss(q, q, table), wanted)


def test_the_soft_map_leaves_absent_neighbours_out(draw):
    q = soft_assignments(draw(5, 3).square())
    chain = torch.tensor([[1, -1], [0, 2], [1, -1]])
    pairs = ((0, 1), (1, 0), (1, 2), (2, 1))
    wanted = -sum(q[i, k] * math.log(q[i, n]) for i in range(5) for k, n in pairs) / 5
    near(soft_som_loss(q, q, chain), wanted)


def test_the_divergence_from_the_standard_normal(draw):
    mean = draw(3, 4)
    factor = draw(3, 4, 4).tril(-1) + torch.diag_embed(draw(3, 4).abs() + 0.1)
    q = torch.distributions.MultivariateNormal(mean, scale_tril=factor)
    p = torch.distributions.MultivariateNormal(torch.zeros_like(mean), torch.eye(4).double())
    near(standard_normal_kl(mean, factor), torch.distributions.kl_divergence(q, p).mean())
    near(standard_normal_kl(torch.zeros(2, 4), torch.eye(4).repeat(2, 1, 1)), 0.0)


def test_terms_are_weighted_and_kept_as_they_are():
    terms = {"a": torch.tensor(2.0), "b": torch.tensor(3.0), "c": torch.tensor(5.0)}
    losses = weighted(terms, {"b": 0.5, "c": 0.0})
    assert float(losses.total) == 3.5
    assert losses.terms is terms
    assert float(weighted(terms, {"a": 0.0, "b": 0.0, "c": 0.0}).total) == 0.0
    with pytest.raises(KeyError, match="do not exist: d"):
        weighted(terms, {"d": 1.0})


def test_a_term_of_weight_zero_does_not_spoil_the_total():
    losses = weighted({"a": torch.tensor(2.0), "b": torch.tensor(math.nan)}, {"b": 0.0})
    assert float(losses.total) == 2.0
