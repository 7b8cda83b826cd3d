"""The terms of VaDE's bound against a transcription of its formula, against Monte Carlo, and against densities."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import multivariate_normal

from somscope.objectives.mixture import (
    assignment_negentropy,
    code_cross_entropy,
    component_cross_entropy,
    joint_log_density,
    posterior_negentropy,
)
from somscope.objectives.reconstruction import bernoulli_loss


@pytest.fixture
def made():
    """Numbers of a small model, in float64: 5 items, 4 components, 3 dimensions."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    return {
        "z": draw(5, 3),
        "mean": draw(5, 3),
        "log_variance": 0.5 * draw(5, 3) - 1.0,
        "logits": draw(4),
        "means": 1.5 * draw(4, 3),
        "log_variances": 0.5 * draw(4, 3),
    }


def mixture(made):
    return made["logits"], made["means"], made["log_variances"]


def test_the_joint_density_is_that_of_the_components(made):
    found = joint_log_density(made["z"], *mixture(made))
    weights = made["logits"].exp() / made["logits"].exp().sum()
    for i, z in enumerate(made["z"].numpy()):
        for c in range(4):
            component = multivariate_normal(
                made["means"][c].numpy(), made["log_variances"][c].exp().diag().numpy()
            )
            wanted = math.log(float(weights[c])) + component.logpdf(z)
            assert float(found[i, c]) == pytest.approx(wanted, rel=1e-9)


def published_terms(made):
    """Appendix A of the paper and vae_loss of the authors, item by item in plain numbers, for the codes z."""
    weights = [math.exp(v) for v in made["logits"].tolist()]
    weights = [w / sum(weights) for w in weights]
    totals = {"code": 0.0, "component": 0.0, "posterior": 0.0, "assignment": 0.0}
    for i in range(5):
        p = []
        for c in range(4):
            log_p = math.log(weights[c])
            for j in range(3):
                variance = math.exp(made["log_variances"][c, j])
                log_p += -0.5 * math.log(2 * math.pi * variance)
                log_p -= float(made["z"][i, j] - made["means"][c, j]) ** 2 / (2 * variance)
            p.append(math.exp(log_p))
        gamma = [value / sum(p) for value in p]
        for c in range(4):
            for j in range(3):
                variance = math.exp(made["log_variances"][c, j])
                own = math.exp(made["log_variance"][i, j])
                away = float(made["mean"][i, j] - made["means"][c, j]) ** 2
                inner = math.log(2 * math.pi) + math.log(variance) + own / variance + away / variance
                totals["code"] += 0.5 * gamma[c] * inner
            totals["component"] -= gamma[c] * math.log(weights[c])
            totals["assignment"] += gamma[c] * math.log(gamma[c])
        for j in range(3):
            totals["posterior"] -= 0.5 * (1 + math.log(2 * math.pi) + float(made["log_variance"][i, j]))
    return {name: total / 5 for name, total in totals.items()}


def terms(made, z):
    log_gamma = joint_log_density(z, *mixture(made)).log_softmax(1)
    gamma = log_gamma.exp()
    return {
        "code": code_cross_entropy(
            gamma, made["mean"], made["log_variance"], made["means"], made["log_variances"]
        ),
        "component": component_cross_entropy(gamma, made["logits"]),
        "posterior": posterior_negentropy(made["log_variance"]),
        "assignment": assignment_negentropy(log_gamma),
    }


def test_the_terms_are_the_published_ones(made):
    found, wanted = terms(made, made["z"]), published_terms(made)
    for name, value in wanted.items():
        assert float(found[name]) == pytest.approx(value, rel=1e-9), name


def test_the_closed_forms_are_the_expectations(made):
    """Drawn codes and components against the closed forms; gamma is held, as it is in them."""
    n = 400_000
    generator = torch.Generator().manual_seed(1)
    gamma = joint_log_density(made["z"], *mixture(made)).softmax(1)[:1]
    mean, log_variance = made["mean"][:1], made["log_variance"][:1]
    z = mean + (0.5 * log_variance).exp() * torch.randn(n, 3, generator=generator, dtype=torch.float64)
    c = torch.multinomial(gamma[0], n, replacement=True, generator=generator)
    scale = (0.5 * made["log_variances"]).exp()
    drawn_code = -torch.distributions.Normal(made["means"][c], scale[c]).log_prob(z).sum(1).mean()
    drawn_component = -made["logits"].log_softmax(0)[c].mean()
    drawn_posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(z).sum(1).mean()
    drawn_assignment = gamma[0].log()[c].mean()
    found = (
        code_cross_entropy(gamma, mean, log_variance, made["means"], made["log_variances"]),
        component_cross_entropy(gamma, made["logits"]),
        posterior_negentropy(log_variance),
        assignment_negentropy(gamma.log()),
    )
    for closed, drawn in zip(
        found, (drawn_code, drawn_component, drawn_posterior, drawn_assignment), strict=True
    ):
        assert float(closed) == pytest.approx(float(drawn), abs=0.02)


def test_the_bound_is_the_log_likelihood_where_the_posterior_is_exact():
    """One component and a linear Gaussian model, whose posterior is known: the gap of the bound is zero."""
    generator = torch.Generator().manual_seed(2)
    a = torch.randn(4, 2, generator=generator, dtype=torch.float64)
    a = torch.linalg.qr(a).Q * 1.3  # orthogonal columns: the posterior's covariance is diagonal
    x = torch.randn(1, 4, generator=generator, dtype=torch.float64)
    noise = 0.5  # p(x | z) = N(A z, I / 2), p(z) = N(0, I)
    precision = 1.0 + 1.3**2 / noise
    mean, log_variance = x @ a / noise / precision, torch.full((1, 2), -math.log(precision)).double()
    z = mean + (0.5 * log_variance).exp() * torch.randn(400_000, 2, generator=generator, dtype=torch.float64)
    log_likelihood = torch.distributions.Normal(z @ a.T, noise**0.5).log_prob(x).sum(1).mean()
    zeros, one = torch.zeros(1, 2, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    bound = log_likelihood - (
        code_cross_entropy(one, mean, log_variance, zeros, zeros)
        + component_cross_entropy(one, torch.zeros(1, dtype=torch.float64))
        + posterior_negentropy(log_variance)
        + assignment_negentropy(one.log())
    )
    covariance = (a @ a.T + noise * torch.eye(4)).numpy()
    exact = multivariate_normal([0.0] * 4, covariance).logpdf(x[0].numpy())
    assert float(bound) == pytest.approx(exact, abs=0.01)


def test_far_codes_keep_finite_terms_and_gradients():
    """The authors add 1e-10 to densities that underflow; logarithms need no such floor."""
    z = torch.full((1, 10), 1e3, requires_grad=True)
    log_gamma = joint_log_density(z, torch.zeros(2), torch.randn(2, 10), torch.zeros(2, 10)).log_softmax(1)
    loss = assignment_negentropy(log_gamma) + component_cross_entropy(log_gamma.exp(), torch.zeros(2))
    assert torch.isfinite(torch.autograd.grad(loss, z)[0]).all()
    assert torch.isfinite(loss)


def test_the_order_of_components_changes_nothing(made):
    order = torch.tensor([2, 0, 3, 1])
    moved = {**made, **{n: made[n][order] for n in ("logits", "means", "log_variances")}}
    for name, value in terms(made, made["z"]).items():
        torch.testing.assert_close(terms(moved, made["z"])[name], value)


def test_terms_keep_their_digits_under_autocast(made):
    small = {name: value.float() for name, value in made.items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = terms(small, small["z"])
    for name, value in terms(made, made["z"]).items():
        assert float(found[name]) == pytest.approx(float(value), rel=1e-5), name


def test_the_likelihood_is_a_mean_over_items():
    logits, x = torch.randn(6, 3).double(), torch.rand(6, 3).double()
    p = 1 / (1 + (-logits).exp())
    wanted = -(x * p.log() + (1 - x) * (1 - p).log()).sum() / 6
    assert float(bernoulli_loss(logits, x)) == pytest.approx(float(wanted), rel=1e-9)
