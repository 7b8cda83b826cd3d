"""VaDE: the published loss, its schedule, what it learns from digits, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from somscope.errors import InputError
from somscope.measures.clustering import accuracy
from somscope.models.vade import LikelihoodTask, VaDE, VaDEModule, VaDETask
from somscope.nets.gaussian import DiagonalAutoencoder
from somscope.training.task import KerasAdam

QUICK = {
    "hidden": (16,),
    "latent_dim": 3,
    "device": "cpu",
    "random_state": 0,
    "verbose": False,
    "batch_size": 50,
}


def untrained(likelihood="bernoulli"):
    generator = torch.Generator().manual_seed(0)
    net = DiagonalAutoencoder(6, (8,), 3, generator=generator)
    module = VaDEModule(net, 4, 3, likelihood).double()
    with torch.no_grad():
        for weight in (module.prototypes, module.log_variances, module.logits, net.log_variance.weight):
            weight.normal_(generator=generator)
    return module


def items(n=7):
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(2)).double()


def seeded(function, *args):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return function(*args)


def published_loss(module, x, z):
    """vae_loss of the authors' VaDE.py, item by item, for drawn codes; their latent_dim^2 log 2 pi taken once."""
    mean, log_variance = module.net.posterior(x)
    outputs = module.net.decode(z)
    pi, u, lam = module.logits.softmax(0), module.prototypes, module.log_variances.exp()
    total = 0.0
    for i in range(len(x)):
        p_c_z = []
        for c in range(4):
            log_p = torch.log(pi[c])
            for j in range(3):
                log_p = log_p - 0.5 * torch.log(2 * math.pi * lam[c, j])
                log_p = log_p - (z[i, j] - u[c, j]) ** 2 / (2 * lam[c, j])
            p_c_z.append(torch.exp(log_p))
        p_c_z = torch.stack(p_c_z)
        gamma = p_c_z / p_c_z.sum()
        if module.likelihood == "bernoulli":
            p = 1 / (1 + torch.exp(-outputs[i]))
            total = total - (x[i] * torch.log(p) + (1 - x[i]) * torch.log(1 - p)).sum()
        else:
            total = total + ((outputs[i] - x[i]) ** 2).sum()
        for c in range(4):
            for j in range(3):
                inner = torch.log(lam[c, j]) + torch.exp(log_variance[i, j]) / lam[c, j]
                inner = inner + (mean[i, j] - u[c, j]) ** 2 / lam[c, j]
                total = total + 0.5 * gamma[c] * inner
            total = total - gamma[c] * torch.log(pi[c]) + gamma[c] * torch.log(gamma[c])
        total = total - 0.5 * (log_variance[i] + 1).sum()
    return total / len(x)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_the_loss_and_its_gradient_are_the_published_ones(likelihood):
    module, x = untrained(likelihood), items()
    mean, log_variance = module.net.posterior(x)
    z = mean + (0.5 * log_variance).exp() * seeded(torch.randn_like, mean)
    found, wanted = seeded(module.loss, x), published_loss(module, x, z)
    torch.testing.assert_close(found.total, wanted)
    assert list(found.terms) == ["likelihood", "code", "component", "posterior", "assignment"]
    weights = dict(module.named_parameters())
    mine = torch.autograd.grad(found.total, list(weights.values()))
    theirs = torch.autograd.grad(wanted, list(weights.values()))
    for name, a, b in zip(weights, mine, theirs, strict=True):
        torch.testing.assert_close(a, b, msg=name)
    assert module.units.shape == (7,)


def test_the_bound_is_below_the_likelihood():
    """-L against log p(x) by importance sampling: a bound that is not tight, and never above."""
    module, x = untrained(), items(1)
    with torch.no_grad():
        bound = -seeded(lambda: torch.stack([module.loss(x).total for _ in range(400)]).mean())
        mean, log_variance = module.net.posterior(x)
        n = 40_000
        z = mean + (0.5 * log_variance).exp() * seeded(torch.randn, n, 3).double()
        log_q = torch.distributions.Normal(mean, (0.5 * log_variance).exp()).log_prob(z).sum(1)
        logits = module.net.decode(z)
        p = logits.sigmoid()
        log_p = (x * p.log() + (1 - x) * (1 - p).log()).sum(1)
        evidence = (log_p + module.joint(z).logsumexp(1) - log_q).logsumexp(0) - math.log(n)
    assert float(bound) < float(evidence)
    assert float(bound) > float(evidence) - 5.0


def test_the_schedule_is_the_authors():
    task = VaDETask(untrained().float(), 0, 2e-3, 0.9, 10)
    (optimizer,) = task.optimizers().values()
    assert isinstance(optimizer, KerasAdam)
    assert optimizer.param_groups[0]["eps"] == 1e-4
    rate = 2e-3
    factor = task.schedules()["adam"].factor
    for epoch in range(400):
        if epoch % 10 == 0 and epoch:
            rate = max(rate * 0.9, 2e-4)
        assert 2e-3 * factor(epoch) == pytest.approx(rate)
    assert task.schedules()["adam"].by == "epoch"
    assert 2e-3 * factor(219) > 2e-4 == pytest.approx(2e-3 * factor(220))


def test_posteriors_begin_narrow_beside_the_components():
    module = untrained().float()
    with torch.no_grad():
        module.net.log_variance.weight.zero_()
    codes = np.random.default_rng(0).standard_normal((200, 3)).astype(np.float32) * [1.0, 30.0, 0.01]
    module.start(codes, 0)
    _, log_variance = module.net.posterior(items().float())
    wanted = 0.1 * module.log_variances.exp().mean(0)
    torch.testing.assert_close(log_variance.exp(), wanted.expand(7, 3))
    assert not module.logits.any()


def test_the_autoencoder_learns_by_means_alone():
    module, x = untrained(), items()
    first = LikelihoodTask(module, 1e-3).losses(type("B", (), {"items": x})(), 0).total
    torch.testing.assert_close(first, module.likelihood_loss(module.encode(x), x))
    (optimizer,) = LikelihoodTask(module.float(), 1e-3).optimizers().values()
    learned = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert not learned & {id(p) for p in module.net.log_variance.parameters()}


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits(return_X_y=True)
    return (x[:700] / 16).astype(np.float32), y[:700]


def test_it_learns_digits(digits):
    x, y = digits
    settings = {**QUICK, "hidden": (64, 64), "latent_dim": 5}
    few = VaDE(pretrain_epochs=1, n_epochs=1, **settings).fit(x)
    many = VaDE(pretrain_epochs=60, n_epochs=30, **settings).fit(x)
    scores = [accuracy(y, model.labels_) for model in (few, many)]
    assert scores[0] < 0.5
    assert scores[1] > 0.65
    joint = [
        v for v, phase in zip(many.history_["loss"], many.history_["phase"], strict=True) if phase == "joint"
    ]
    assert joint[-1] < joint[0]
    decoded = many.decoded_prototypes_
    assert (decoded > 0).all()
    assert (decoded < 1).all()
    assert many.likelihood_ == "bernoulli"
    assert "items are all in 0 .. 1" in many.chosen_["likelihood"]
    assert many.stop_reason_ == "completed"


def test_gaussian_items_in_groups(blobs):
    x, labels = blobs
    settings = {**QUICK, "n_clusters": 6, "hidden": (32,)}
    few = VaDE(pretrain_epochs=1, n_epochs=1, **settings).fit(5 * x)
    many = VaDE(pretrain_epochs=80, n_epochs=20, **settings).fit(5 * x)
    assert many.likelihood_ == "gaussian"
    errors = [
        np.square(m.decoded_prototypes_[m.labels_] - 5 * x).mean() / (25 * x.var()) for m in (few, many)
    ]
    assert errors[0] > 0.7
    assert errors[1] < 0.35
    assert accuracy(labels, many.labels_) > 0.9
    assert float(many.predict_proba(5 * x).max(1).mean()) > 0.95


def test_the_likelihood_is_kept_in_the_file(pictures, tmp_path):
    model = VaDE(n_clusters=4, pretrain_epochs=2, n_epochs=2, **QUICK).fit(pictures)
    again = VaDE.load(model.save(tmp_path))
    assert again.likelihood_ == "bernoulli"
    np.testing.assert_array_equal(again.decoded_prototypes_, model.decoded_prototypes_)
    np.testing.assert_array_equal(again.predict_proba(pictures), model.predict_proba(pictures))
    np.testing.assert_array_equal(again.variances_, model.variances_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 1}, "n_clusters=1; allowed: a whole number from 2"),
        ({"likelihood": "bernoulli"}, "takes items in 0 .. 1"),
        ({"likelihood": "poisson"}, "allowed: auto, bernoulli, gaussian"),
        ({"learning_rate": 0.0}, "learning_rate=0.0; allowed: a number above 0"),
        ({"decay": -0.5}, "decay=-0.5"),
        ({"decay": 1.5}, "decay=1.5; allowed: a number above 0, at most 1"),
        ({"decay_epochs": 0}, "decay_epochs=0"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"n_epochs": 1.5}, "n_epochs=1.5"),
        ({"n_clusters": 301}, r"n_clusters=301: X has 300 sample\(s\), which is fewer"),
    ],
    ids=str,
)
def test_parameters_that_are_refused(blobs, options, message):
    with pytest.raises(InputError, match=message):
        VaDE(**{**QUICK, **options}).fit(blobs[0])
