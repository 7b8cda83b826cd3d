"""DPSOM: the published loss, where its gradients go, its targets, what it learns, and what it refuses."""

from __future__ import annotations

import math
import signal

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.models.dpsom import DPSOM, DPSOMModule, JointTask
from somscope.nets.variational import VariationalAutoencoder
from somscope.training import Feed

QUICK = {
    "hidden": (16,),
    "latent_dim": 3,
    "device": "cpu",
    "random_state": 0,
    "verbose": False,
    "batch_size": 50,
}
WEIGHTS = {"likelihood": 1.0, "kl": 0.5, "hardening": 20.0, "map": 0.25}


def untrained(likelihood="bernoulli", rows=3, columns=4):
    net = VariationalAutoencoder(6, (8,), 3, generator=torch.Generator().manual_seed(0))
    module = DPSOMModule(
        net, Lattice(rows, columns, toroidal=True), likelihood=likelihood, alpha=10.0, prior=0.5
    ).double()
    with torch.no_grad():
        module.prototypes.normal_(generator=torch.Generator().manual_seed(1))
    return module


def items(n=7):
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(2)).double()


def seeded(function, *args):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return function(*args)


def test_the_posterior_is_a_gaussian_with_a_full_covariance():
    module = untrained()
    x = items()
    mean, factor = module.net.posterior(x)
    hidden = torch.nn.functional.leaky_relu(module.net.encoder[0](x), 0.2)
    raw = hidden @ module.net.encoder[2].weight.T + module.net.encoder[2].bias
    torch.testing.assert_close(mean, raw[:, :3])
    torch.testing.assert_close(module.encode(x), mean)
    for i in range(7):
        values = iter(raw[i, 3:])
        for row in range(3):
            for column in range(3):
                wanted = next(values) if column <= row else torch.tensor(0.0).double()
                if row == column:
                    wanted = torch.log(1 + torch.exp(wanted)) + 1e-5
                torch.testing.assert_close(factor[i, row, column], wanted)
    drawn = torch.cat([seeded(module.draw, x[:1].repeat(20_000, 1))[0]])
    covariance = factor[0] @ factor[0].T
    torch.testing.assert_close(drawn.mean(0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), covariance, atol=0.05, rtol=0)


def published_loss(module, x, z, target):
    """DPSOM_model.py of the authors, item by item, for codes z that were drawn."""
    mean, factor = module.net.posterior(x)
    logits = module.net.outputs(z)
    total = 0.0
    m = module.prototypes
    rows, columns = module.lattice.rows, module.lattice.columns
    for i in range(len(x)):
        p = 1 / (1 + torch.exp(-logits[i]))
        total = total - (x[i] * torch.log(p) + (1 - x[i]) * torch.log(1 - p)).sum()
        posterior = torch.distributions.MultivariateNormal(mean[i], scale_tril=factor[i])
        normal = torch.distributions.MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
        total = total + 0.5 * torch.distributions.kl_divergence(posterior, normal)
        kernel = 1e-7 + 1 / (1 + ((z[i] - m) ** 2).sum(1) / 10.0) ** 5.5
        q = kernel / kernel.sum()
        total = total + 20.0 * (target[i] * torch.log(target[i] / q)).sum()
        for k in range(len(m)):
            r, c = divmod(k, columns)
            around = ((r + 1) % rows, c), ((r - 1) % rows, c), (r, (c + 1) % columns), (r, (c - 1) % columns)
            total = total - 0.25 * q[k] * sum(torch.log(q[a * columns + b]) for a, b in around)
    return total / len(x)


def test_the_loss_is_the_published_one():
    module, x = untrained(), items()
    z, _ = seeded(module.draw, x)
    target = torch.rand(7, 12, generator=torch.Generator().manual_seed(3)).double().softmax(1)
    found = seeded(module.loss, x, target, WEIGHTS)
    assert float(found.total.detach()) == pytest.approx(
        float(published_loss(module, x, z, target).detach()), rel=1e-6
    )
    assert list(found.terms) == ["likelihood", "kl", "hardening", "map"]


def test_the_map_moves_prototypes_alone_and_the_hardening_both():
    module, x = untrained(), items()
    terms = seeded(module.loss, x, torch.full((7, 12), 1 / 12).double(), WEIGHTS).terms
    weight, prototypes = module.net.encoder[0].weight, module.prototypes
    reached = {
        name: tuple(
            g is not None
            for g in torch.autograd.grad(term, [weight, prototypes], retain_graph=True, allow_unused=True)
        )
        for name, term in terms.items()
    }
    assert reached == {
        "likelihood": (True, False), "kl": (True, False), "hardening": (True, True), "map": (False, True)
    }  # fmt: skip
    first = seeded(module.prototype_loss, x)
    assert torch.autograd.grad(first.total, [weight, prototypes], allow_unused=True)[0] is None


def test_the_target_is_that_of_the_whole_data_set():
    module = untrained().float()
    module.target = torch.zeros(9, 12)
    x = items(9).float().numpy()
    module.block = 4
    task = JointTask(module, 1e-3, WEIGHTS)
    task.at_epoch(0, Feed(x, torch.device("cpu")), None)
    target = module.target
    torch.testing.assert_close(target.sum(1), torch.ones(9))
    with torch.no_grad():
        module.net.posterior = lambda items: (module.net.mean(items), torch.zeros(len(items), 3, 3))
        task.at_epoch(0, Feed(x, torch.device("cpu")), None)
        q = module.assignments(module.encode(torch.from_numpy(x)))
    sharp = q**2 / q.sum(0)
    torch.testing.assert_close(module.target, sharp / sharp.sum(1, keepdim=True))


def test_moving_along_the_torus_changes_nothing():
    module, moved = untrained(), untrained()
    with torch.no_grad():
        moved.prototypes.copy_(module.prototypes.view(3, 4, 3).roll((1, 2), (0, 1)).reshape(12, 3))
    target = torch.rand(7, 12, generator=torch.Generator().manual_seed(3)).double().softmax(1)
    other = target.view(7, 3, 4).roll((1, 2), (1, 2)).reshape(7, 12)
    a, b = seeded(module.loss, items(), target, WEIGHTS), seeded(moved.loss, items(), other, WEIGHTS)
    torch.testing.assert_close(a.total, b.total)


def test_it_learns_groups(blobs):
    x, labels = blobs
    settings = {"grid": (3, 3), "learning_rate": 5e-3, "pretrain_epochs": 40, **QUICK}
    few = DPSOM(som_epochs=1, n_epochs=1, **{**settings, "pretrain_epochs": 1}).fit(x)
    many = DPSOM(som_epochs=3, n_epochs=40, **settings).fit(x)
    errors = [np.square(m.decoded_prototypes_[m.labels_] - x).mean() / x.var() for m in (few, many)]
    assert errors[0] > 0.9
    assert errors[1] < 0.6
    assert normalized_mutual_info_score(labels, many.labels_) > 0.8
    assert many.likelihood_ == "gaussian"
    assert "gaussian: items are not all in 0 .. 1" in many.chosen_["likelihood"]
    assert many.module_.target is None
    assert list(dict.fromkeys(many.history_["phase"])) == ["autoencoder", "prototypes", "joint"]


def test_pixels_are_probabilities(pictures, tmp_path):
    model = DPSOM(
        grid=(2, 3), pretrain_epochs=30, som_epochs=2, n_epochs=20, learning_rate=5e-3, **QUICK
    ).fit(pictures)
    assert model.likelihood_ == "bernoulli"
    decoded = model.decoded_prototypes_
    assert decoded.min() > 0.0
    assert decoded.max() < 1.0
    flat = pictures.reshape(120, -1) / 255
    assert np.square(model.decode(model.encode(pictures)) - flat).mean() < 0.4 * flat.var()
    again = DPSOM.load(model.save(tmp_path))
    assert again.likelihood_ == "bernoulli"
    np.testing.assert_array_equal(again.decoded_prototypes_, decoded)


def test_legacy_outputs_are_leaky(pictures):
    settings = {**QUICK, "grid": (2, 2), "pretrain_epochs": 1, "som_epochs": 1, "n_epochs": 1}
    net = DPSOM(legacy=True, **settings).fit(pictures).module_.net
    plain = VariationalAutoencoder(64, (16,), 3)
    plain.load_state_dict(net.state_dict())
    z = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(net.outputs(z), torch.nn.functional.leaky_relu(plain.outputs(z), 0.2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"likelihood": "bernoulli"}, "takes items in 0 .. 1"),
        ({"likelihood": "poisson"}, "allowed: auto, bernoulli, gaussian"),
        ({"alpha": 0.0}, "alpha=0.0; allowed: a number above 0"),
        ({"gamma": -1.0}, "gamma=-1.0"),
        ({"prior": math.nan}, "prior=nan"),
        ({"latent_dim": 0}, "latent_dim=0"),
        ({"latent_dim": 10**6}, "the posterior of latent_dim,=.*more than 2\\^31"),
        ({"hidden": 5}, r"hidden=5; allowed"),
        ({"hidden": (8, 0)}, r"hidden=\(8, 0\); allowed"),
        ({"som_epochs": 0}, "som_epochs=0"),
        ({"grid": (3, 4), "lattice": "hexagonal"}, "even number of rows"),
    ],
    ids=str,
)
def test_parameters_that_are_refused(blobs, options, message):
    with pytest.raises(InputError, match=message):
        DPSOM(**{**QUICK, **options}).fit(blobs[0])


def test_interrupted_before_there_are_prototypes_it_lays_a_map_on_the_codes(blobs):
    model = DPSOM(
        grid=(2, 3), hidden=(8,), latent_dim=2, pretrain_epochs=5, device="cpu", random_state=0, verbose=False
    )
    make = model._phases

    def with_interrupt(*args):
        phases = make(*args)
        losses = phases[0].task.losses

        def interrupted(batch, step):
            if step == 3:
                assert not phases[0].task.module.prototypes.any()
                signal.raise_signal(signal.SIGINT)
            return losses(batch, step)

        phases[0].task.losses = interrupted
        return phases

    model._phases = with_interrupt
    model.fit(blobs[0])
    assert model.stop_reason_ == "interrupted"
    codes = model.encode(blobs[0])
    nearest = model.transform(blobs[0]).min(1).mean()
    assert nearest < 0.7 * np.linalg.norm(codes - codes.mean(0), axis=1).mean()
