"""The terms of BinGAN against loops over pairs, units and items, and against values that are known."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.objectives.binary import (
    balance_loss,
    decorrelation_loss,
    discriminator_loss,
    distance_matching,
    feature_matching,
    hard_sign,
    sampled_bits,
    soft_sign,
    weighted_correlation,
)


def draws(*shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(*shape, generator=generator, dtype=torch.float64) for shape in shapes]


def test_the_published_example_of_the_soft_sign():
    soft = soft_sign(torch.tensor([1.0, -100.0, 0.001]))
    torch.testing.assert_close(soft, torch.tensor([0.999001, -0.99999, 0.5]), atol=1e-6, rtol=0)
    f = torch.tensor([0.0, 0.01], requires_grad=True)
    soft_sign(f).sum().backward()
    torch.testing.assert_close(f.grad, torch.tensor([1000.0, 0.001 / 0.011**2]))


def test_signs_have_no_gradient_and_zeros_go_where_they_are_told():
    h = torch.tensor([-2.0, 0.0, -0.0, 3.0], requires_grad=True)
    assert hard_sign(h).tolist() == [-1.0, 0.0, 0.0, 1.0]
    assert hard_sign(h, "one").tolist() == [-1.0, 1.0, 1.0, 1.0]
    assert not hard_sign(h).requires_grad
    with pytest.raises(InputError, match="zero='two' is not known; allowed: zero, one"):
        hard_sign(h, "two")


def test_the_discriminator_loss_is_the_published_one():
    real, generated = draws((5, 2), (3, 2))

    def mass(row):
        return math.exp(row[0]) + math.exp(row[1])

    wanted = 0.0
    for row in real.tolist():
        wanted -= 0.5 / 5 * math.log(mass(row) / (mass(row) + 1.0))  # -log D(x), D = Z / (Z + 1)
    for row in generated.tolist():
        wanted -= 0.5 / 3 * math.log(1.0 - mass(row) / (mass(row) + 1.0))
    assert float(discriminator_loss(real, generated)) == pytest.approx(wanted, rel=1e-12)
    sure = torch.full((4, 2), 50.0)
    assert float(discriminator_loss(sure, -sure)) == pytest.approx(0.0, abs=1e-6)
    assert float(discriminator_loss(-sure, sure)) > 40.0


def test_feature_matching_compares_means():
    real, generated = draws((6, 4), (3, 4))
    wanted = 0.0
    for unit in range(4):
        gap = sum(real[i, unit] for i in range(6)) / 6 - sum(generated[i, unit] for i in range(3)) / 3
        wanted += float(gap) ** 2 / 4
    assert float(feature_matching(real, generated)) == pytest.approx(wanted, rel=1e-12)
    assert float(feature_matching(real, real.flip(0))) == pytest.approx(0.0, abs=1e-24)


def transcribed(f, h, gamma=0.001, beta=2.0):
    """L_DMR, L_ME, L_MAC with Z = N (N - 1), L_MAC with Z = sum alpha, by loops over pairs."""
    n, width, high = len(f), f.shape[1], h.shape[1]
    s = [[v / (abs(v) + gamma) for v in row] for row in f.tolist()]
    b = [[(v > 0) - (v < 0) for v in row] for row in h.tolist()]
    distance = correlation = total = 0.0
    for k in range(n):
        for j in range(n):
            if k == j:
                continue
            bb = sum(x * y for x, y in zip(b[k], b[j], strict=True))
            ss = sum(x * y for x, y in zip(s[k], s[j], strict=True))
            alpha = math.exp(-abs(bb) / (high * beta))
            distance += abs(bb / high - ss / width) / (n * (n - 1))
            correlation += alpha * abs(ss) / width
            total += alpha
    balance = sum((sum(s[i][u] for i in range(n)) / n) ** 2 for u in range(width)) / width
    return distance, balance, correlation / (n * (n - 1)), correlation / total


def test_the_regularizers_are_the_published_ones():
    f, h = draws((7, 5), (7, 11), seed=1)
    f, h = 0.01 * f, h.clone()
    h[0, 0] = h[3, 2] = 0.0
    soft, signs = soft_sign(f), hard_sign(h)
    found = (
        distance_matching(signs, soft),
        balance_loss(soft),
        weighted_correlation(signs, soft),
        weighted_correlation(signs, soft, normalised=True),
    )
    assert [float(v) for v in found] == pytest.approx(transcribed(f, h), rel=1e-6)


def test_one_item_has_no_pairs():
    soft, signs = soft_sign(torch.ones(1, 4)), torch.ones(1, 6)
    assert float(distance_matching(signs, soft)) == 0.0
    assert float(weighted_correlation(signs, soft)) == 0.0
    assert float(weighted_correlation(signs, soft, normalised=True)) == 0.0


def test_codes_that_are_as_good_as_can_be():
    """Distances kept to the bit, bits balanced, unrelated items orthogonal."""
    signs = torch.tensor([[1.0, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])
    assert float(distance_matching(signs.repeat(1, 5), signs)) == 0.0
    assert float(weighted_correlation(signs.repeat(1, 5), signs)) == 0.0
    assert float(balance_loss(torch.cat([signs, -signs]))) == 0.0
    assert float(balance_loss(signs)) == 0.25


@given(st.integers(0, 10_000), st.integers(2, 9), st.integers(1, 12))
def test_what_does_not_change_the_regularizers(seed, n, width):
    """The order of the items, of the units, and which side of a unit is called 1."""
    f, h = draws((n, width), (n, 6), seed=seed)
    rows = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    units = torch.randperm(width, generator=torch.Generator().manual_seed(seed))
    flips = 1.0 - 2.0 * (torch.arange(width) % 2)

    def values(f, h):
        soft, signs = soft_sign(f), hard_sign(h)
        return torch.stack(
            [distance_matching(signs, soft), balance_loss(soft), weighted_correlation(signs, soft)]
        )

    torch.testing.assert_close(values(f, h), values(f[rows][:, units] * flips, h[rows]))
    assert (values(f, h) >= 0).all()
    assert (values(f, h)[1:] <= 1).all()


def test_half_precision_of_the_network_does_not_reach_the_terms():
    f, h = (t.float() for t in draws((8, 16), (8, 32)))
    soft, signs = soft_sign(f), hard_sign(h)
    with torch.autocast("cpu", torch.bfloat16):
        inside = distance_matching(signs, soft)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, distance_matching(signs, soft))
    assert discriminator_loss(f[:, :2].bfloat16(), h[:, :2].bfloat16()).dtype == torch.float32


def test_sampled_bits_are_signs_with_the_gradient_of_their_mean():
    v = torch.tensor([[-2.0, 0.0, 0.5, 3.0]]).repeat(20_000, 1).requires_grad_()
    bits = sampled_bits(v, torch.Generator().manual_seed(0))
    torch.testing.assert_close(bits.detach().abs(), torch.ones(20_000, 4))
    shares = [float(s) for s in (bits.detach() > 0).double().mean(0)]
    assert shares == pytest.approx([1 / (1 + math.exp(-t)) for t in (-2.0, 0.0, 0.5, 3.0)], abs=0.015)
    bits.sum().backward()
    expected = torch.tensor([0.5 * (1 - math.tanh(0.5 * t) ** 2) for t in (-2.0, 0.0, 0.5, 3.0)])
    torch.testing.assert_close(v.grad[0], expected)


def test_decorrelation_counts_pairs_of_bits():
    (soft,) = draws((6, 4))
    wanted = 0.0
    for k in range(4):
        for j in range(4):
            if j != k:
                wanted += (sum(float(soft[i, k] * soft[i, j]) for i in range(6)) / 6) ** 2 / 12
    assert float(decorrelation_loss(soft)) == pytest.approx(wanted, rel=1e-12)
    assert float(decorrelation_loss(torch.ones(5, 3))) == 1.0
    assert float(decorrelation_loss(torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]]))) == 0.0
