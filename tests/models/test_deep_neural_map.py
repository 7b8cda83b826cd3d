"""Deep Neural Maps: its loss, whose turn it is, targets of the full set, what it learns, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from somscope.errors import InputError
from somscope.maps.batch import batch_step
from somscope.maps.lattice import Lattice
from somscope.measures.clustering import purity
from somscope.models.deep_neural_map import DeepNeuralMap, DeepNeuralMapModule, TurnsTask
from somscope.nets.dense import DenseAutoencoder
from somscope.training import Feed, Phase, TrainingOptions, train

QUICK = {"hidden": (16,), "latent_dim": 3, "device": "cpu", "random_state": 0, "verbose": False}


def untrained(alpha=1.0):
    net = DenseAutoencoder(6, (8,), 3, generator=torch.Generator().manual_seed(0))
    module = DeepNeuralMapModule(net, Lattice(2, 3), 3, alpha)
    with torch.no_grad():
        module.prototypes.normal_(generator=torch.Generator().manual_seed(1))
    return module


def items(n=40):
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_the_loss_is_the_published_one(alpha):
    """Reconstruction and KL(p || q) item by item."""
    module, x = untrained(alpha).double(), items(7).double()
    target = torch.rand(7, 6, generator=torch.Generator().manual_seed(3)).double().softmax(1)
    found = module.loss(x, target, 0.3)
    z, m = module.encode(x), module.prototypes
    error = ((module.decode(z) - x) ** 2).sum() / (7 * 6)
    hardening = 0.0
    for i in range(7):
        kernel = [(1 + ((z[i] - m[k]) ** 2).sum() / alpha) ** (-(alpha + 1) / 2) for k in range(6)]
        q = [1e-7 + value for value in kernel]
        q = [value / sum(q) for value in q]
        hardening = hardening + sum(target[i, k] * torch.log(target[i, k] / q[k]) for k in range(6)) / 7
    torch.testing.assert_close(found.total, error + 0.3 * hardening)
    assert list(found.terms) == ["reconstruction", "hardening"]


def test_the_map_takes_its_turn_before_the_epoch_and_the_network_in_its_steps():
    module, x = untrained(), items().numpy()
    task = TurnsTask(module, len(x), np.array([1.2, 0.4]), 0.1, 1e-2, seed=0)
    feed = Feed(x, torch.device("cpu"))
    before = module.prototypes.detach().clone()
    task.at_epoch(1, feed, None)
    with torch.no_grad():
        codes = module.encode(torch.from_numpy(x))
        wanted = before.numpy()
        for _ in range(5):
            wanted, _, _ = batch_step(wanted, codes.numpy(), module.lattice, 0.4)
        np.testing.assert_allclose(module.prototypes, wanted, atol=1e-6)
        kernel = 1e-7 + 1 / (1 + torch.cdist(codes, module.prototypes) ** 2)
        q = kernel / kernel.sum(1, keepdim=True)
        p = q**2 / q.sum(0)  # of the full set: of a batch it would be another one
        torch.testing.assert_close(module.target, p / p.sum(1, keepdim=True), rtol=1e-4, atol=1e-6)
        part = q[:7] ** 2 / q[:7].sum(0)
        part = part / part.sum(1, keepdim=True)
        assert float((part - module.target[:7]).abs().max()) > 0.01
    (optimizer,) = task.optimizers().values()
    learned = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert learned == {id(p) for p in module.net.parameters()}


def test_prototypes_stay_within_an_epoch():
    module, x = untrained(), items().numpy()
    task = TurnsTask(module, len(x), np.full(2, 0.7), 0.1, 1e-2, seed=0)
    seen = []
    losses = task.losses

    def watched(batch, step):
        seen.append(module.prototypes.detach().clone())
        return losses(batch, step)

    task.losses = watched
    train([Phase("turns", task, n_epochs=2, batch_size=10)], x, TrainingOptions(device="cpu", verbose=False))
    assert all(torch.equal(a, seen[0]) for a in seen[:4])
    assert all(torch.equal(a, seen[4]) for a in seen[4:])
    assert not torch.equal(seen[0], seen[4])


def test_it_learns_digits():
    """Poor after one epoch of everything; a map whose units hold one digit, and that keeps its order, at the end."""
    x, y = load_digits(return_X_y=True)
    x = (x[:600] / 16).astype(np.float32)
    settings = {**QUICK, "grid": (5, 5), "hidden": (64, 32), "latent_dim": 5, "batch_size": 64}
    few = DeepNeuralMap(pretrain_epochs=1, n_epochs=1, **settings).fit(x)
    many = DeepNeuralMap(pretrain_epochs=60, n_epochs=40, **settings).fit(x)
    purities = [purity(y[:600], m.labels_) for m in (few, many)]
    assert purities[0] < 0.5
    assert purities[1] > 0.75
    errors = [np.square(m.decoded_prototypes_[m.labels_] - x).mean() / x.var() for m in (few, many)]
    assert errors[0] > 0.6
    assert errors[1] < 0.4
    assert many.topographic_error(x) < 0.15
    assert list(dict.fromkeys(many.history_["phase"])) == ["autoencoder", "turns"]
    assert "target" not in many.module_.state_dict()


def test_the_hardening_makes_belonging_clear(blobs):
    settings = {**QUICK, "grid": (2, 3), "pretrain_epochs": 20, "n_epochs": 40, "batch_size": 30}
    soft, hard = (DeepNeuralMap(gamma=gamma, **settings).fit(blobs[0]) for gamma in (0.0, 1.0))
    clear = []
    for model in (soft, hard):
        q = model.module_.assignments(torch.from_numpy(model.encode(blobs[0])))
        clear.append(float(q.max(1).values.mean()))
    assert clear[0] < 0.6
    assert clear[1] > clear[0] + 0.1


def test_images_go_through_convolutions(pictures):
    settings = {**QUICK, "grid": (2, 2), "net": "conv", "filters": (4, 4), "latent_dim": 2}
    model = DeepNeuralMap(pretrain_epochs=2, n_epochs=2, **settings).fit(pictures)
    assert model.decoded_prototypes_.shape == (4, 64)
    with pytest.raises(InputError, match="net='conv' needs images"):
        DeepNeuralMap(**settings).fit(pictures.reshape(120, -1).astype(np.float32))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"net": "unet"}, "allowed: dense, conv"),
        ({"alpha": 0.0}, "alpha=0.0; allowed: a number above 0"),
        ({"gamma": -1.0}, "gamma=-1.0"),
        ({"radius": (0.5, 1.5)}, r"radius=\(0.5, 1.5\); it falls"),
        ({"radius": 0}, "radius=0"),
        ({"n_epochs": 0}, "n_epochs=0"),
        ({"filters": (0,)}, "filters="),
    ],
    ids=str,
)
def test_parameters_that_are_refused(blobs, options, message):
    with pytest.raises(InputError, match=message):
        DeepNeuralMap(**{**QUICK, **options}).fit(blobs[0])


def test_the_map_takes_the_last_turn(monkeypatch):
    """It is one of the codes that the autoencoder ended with."""
    turns, follow = [], DeepNeuralMapModule.follow

    def watched(module, codes, radius):
        turns.append((codes.numpy().copy(), radius))
        follow(module, codes, radius)

    monkeypatch.setattr(DeepNeuralMapModule, "follow", watched)
    x = items().numpy()
    how = {**QUICK, "grid": (2, 3), "pretrain_epochs": 1, "n_epochs": 2, "learning_rate": 0.01}
    model = DeepNeuralMap(**how, radius=(1.0, 0.5)).fit(x)
    assert [radius for _, radius in turns] == pytest.approx([1.0, 0.5, 0.5])
    np.testing.assert_array_equal(turns[2][0], model.encode(x))
    assert np.abs(turns[2][0] - turns[1][0]).max() > 0.01
