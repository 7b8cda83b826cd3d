"""What the models with a mixture share: its start, assignments by density, empty components, and killed trainings."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from somscope.models.deep_neural_map import DeepNeuralMap
from somscope.models.mixture import MixtureModule, MixtureTask
from somscope.models.vade import VaDE
from somscope.models.wamic import WaMiC
from somscope.nets.dense import DenseAutoencoder
from somscope.training import Feed

QUICK = {
    "latent_dim": 2,
    "hidden": (8,),
    "device": "cpu",
    "verbose": False,
    "random_state": 0,
    "batch_size": 64,
}
MAKE = {
    "vade": lambda **o: VaDE(**{"n_clusters": 3, "pretrain_epochs": 6, "n_epochs": 4, **QUICK, **o}),
    "wamic": lambda **o: WaMiC(
        **{"n_clusters": 3, "pretrain_epochs": 6, "n_epochs": 4, "critic": (8,), **QUICK, **o}
    ),
    "deep-neural-map": lambda **o: DeepNeuralMap(
        **{"grid": (2, 3), "pretrain_epochs": 3, "n_epochs": 4, **QUICK, **o}
    ),
}
MIXTURES = pytest.mark.parametrize("make", [MAKE["vade"], MAKE["wamic"]], ids=["vade", "wamic"])


class Warnings:
    def __init__(self):
        self.seen = []

    def warn(self, message):
        self.seen.append(message)


def module(n_clusters=3):
    net = DenseAutoencoder(4, (5,), 2, generator=torch.Generator().manual_seed(0))
    return MixtureModule(net, n_clusters, 2)


def clouds(n=60):
    """(n, 2) codes in three clouds of unlike widths."""
    rng = np.random.default_rng(0)
    group = np.arange(n) % 3
    centres, widths = np.array([[0, 0], [6, 0], [0, 8]]), np.array([1.0, 0.3, 2.0])
    return (centres[group] + widths[group, None] * rng.standard_normal((n, 2))).astype(np.float32), group


def test_the_start_is_scikit_learns_mixture():
    codes, _ = clouds()
    mine = module()
    mine.start(codes, seed=4)
    known = GaussianMixture(3, covariance_type="diag", n_init=5, random_state=4).fit(codes.astype(np.float64))
    order = np.argsort(known.means_[:, 0])
    np.testing.assert_allclose(mine.prototypes.detach(), known.means_[order], rtol=1e-5)
    np.testing.assert_allclose(mine.log_variances.detach().exp(), known.covariances_[order], rtol=1e-5)
    np.testing.assert_allclose(mine.logits.detach().softmax(0), known.weights_[order], rtol=1e-5)
    joint = mine.joint(torch.from_numpy(codes)).detach()
    np.testing.assert_allclose(joint.logsumexp(1), known.score_samples(codes), rtol=1e-4)
    np.testing.assert_allclose(joint.softmax(1), known.predict_proba(codes)[:, order], atol=1e-5)


def test_items_belong_by_density_and_not_by_distance():
    """A code nearer to the mean of a narrow component belongs to the wide one beside it."""
    mine = module(2)
    with torch.no_grad():
        mine.prototypes.copy_(torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
        mine.log_variances.copy_(torch.tensor([[0.01, 0.01], [4.0, 4.0]]).log())
    code = torch.tensor([[1.5, 0.0]])
    squared = mine.squared_distances(code)
    assert squared.argmin(1).item() == 0
    assert mine.costs(code, squared).argmin(1).item() == 1


def test_an_empty_component_begins_anew_where_the_mixture_explains_least():
    codes, _ = clouds()
    codes[17] = [-9.0, -9.0]
    mine = module(4)
    with torch.no_grad():
        mine.prototypes.copy_(torch.tensor([[0.0, 0.0], [6.0, 0.0], [0.0, 8.0], [500.0, 500.0]]))
        mine.logits.copy_(torch.tensor([0.5, 0.2, 0.3, 1e-6]).log())
    before = mine.prototypes.detach().clone()
    task, engine = MixtureTask(mine, seed=0), Warnings()
    task.reseed(torch.from_numpy(codes), engine)
    assert torch.equal(mine.prototypes[:3].detach(), before[:3])
    np.testing.assert_array_equal(mine.prototypes[3].detach(), codes[17])
    np.testing.assert_allclose(
        mine.log_variances[3].detach(), mine.log_variances[:3].detach().exp().mean(0).log()
    )
    np.testing.assert_allclose(mine.logits[3].detach().exp(), 1 / 3, rtol=1e-5)
    assert int(mine.n_reseeded) == 1
    assert "n_reseeded_ counts" in engine.seen[0]
    task.reseed(torch.from_numpy(codes), engine)  # now it has an item
    assert int(mine.n_reseeded) == 1


@MIXTURES
def test_components_without_items_in_an_epoch_are_reseeded_counted_and_warned_of(make, blobs, caplog):
    model = make(n_epochs=3)
    phases = model._phases

    def with_a_component_far_away(*args):
        made = phases(*args)
        task = made[1].task
        begin = task.begin

        def away(feed, engine):
            begin(feed, engine)
            with torch.no_grad():
                task.module.prototypes[1] += 1e3

        task.begin = away
        return made

    model._phases = with_a_component_far_away
    model.fit(blobs[0])
    assert model.n_reseeded_ >= 1
    assert (model.hits_ > 0).all()
    assert any("without items" in warning for warning in model.warnings_)
    assert "without items" in caplog.text
    assert make().fit(blobs[0]).n_reseeded_ == 0


def test_the_epochs_items_are_counted(blobs):
    mine = module(3)
    with torch.no_grad():
        mine.prototypes.copy_(torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 900.0]]))
    task = MixtureTask(mine, seed=0)
    x = np.random.default_rng(0).random((40, 4), dtype=np.float32)
    mine.won[:] = torch.tensor([20.0, 20.0, 0.0])
    task.at_epoch(0, Feed(x, torch.device("cpu")), Warnings())  # before the first epoch nothing was counted
    assert int(mine.n_reseeded) == 0
    mine.won[:] = torch.tensor([20.0, 20.0, 0.0])
    task.at_epoch(1, Feed(x, torch.device("cpu")), Warnings())
    assert int(mine.n_reseeded) >= 1
    assert not mine.won.any()


@MIXTURES
def test_probabilities_and_the_mixture(make, blobs):
    model = make(n_clusters=6).fit(blobs[0])
    p = model.predict_proba(blobs[0])
    assert p.shape == (300, 6)
    np.testing.assert_allclose(p.sum(1), 1.0)
    assert np.array_equal(p.argmax(1), model.labels_)
    assert np.array_equal(model.predict(blobs[0]), model.labels_)
    assert model.weights_.sum() == pytest.approx(1.0)
    codes = model.encode(blobs[0]).astype(np.float64)
    away = (codes[:, None] - model.cluster_centers_) ** 2 / model.variances_
    log_p = np.log(model.weights_) - 0.5 * (away + np.log(2 * np.pi * model.variances_)).sum(2)
    wanted = np.exp(log_p - log_p.max(1, keepdims=True))
    np.testing.assert_allclose(p, wanted / wanted.sum(1, keepdims=True), atol=1e-5)


@MIXTURES
def test_interrupted_before_there_is_a_mixture_it_has_one(make, blobs):
    model = make()
    phases = model._phases

    def with_interrupt(*args):
        made = phases(*args)
        losses = made[0].task.losses

        def interrupted(batch, step):
            if step == 3:
                signal.raise_signal(signal.SIGINT)
            return losses(batch, step)

        made[0].task.losses = interrupted
        return made

    model._phases = with_interrupt
    model.fit(blobs[0])
    assert model.stop_reason_ == "interrupted"
    codes = model.encode(blobs[0])
    known = GaussianMixture(3, covariance_type="diag", n_init=5, random_state=0).fit(codes.astype(np.float64))
    mine = model.module_.joint(torch.from_numpy(codes)).logsumexp(1).mean()
    assert float(mine) > known.score(codes) - 0.5


class Killed(BaseException):
    """Ends a training as SIGKILL does: nothing is written on the way out."""


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("at", [(0, 7), (1, 3), (1, 9), (1, 14)], ids=str)
def test_a_killed_training_goes_on_to_the_same_bits(name, at, blobs, tmp_path):
    """Checkpoints every 4 steps, with 5 steps an epoch: targets, counts and mixtures of the epoch are in them."""
    training = {"checkpoint_steps": 4, "checkpoint_minutes": None}
    whole = MAKE[name]().fit(blobs[0])
    model = MAKE[name](checkpoints=tmp_path / "c", training=training)
    phases = model._phases

    def with_kill(*args):
        made = phases(*args)
        losses = made[at[0]].task.losses

        def killed(batch, step):
            if step == at[1]:
                raise Killed
            return losses(batch, step)

        made[at[0]].task.losses = killed
        return made

    model._phases = with_kill
    with pytest.raises(Killed):
        model.fit(blobs[0])
    again = MAKE[name](checkpoints=tmp_path / "c", training=training, resume=True).fit(blobs[0])
    for key, tensor in whole.module_.state_dict().items():
        assert torch.equal(tensor, again.module_.state_dict()[key]), key
    np.testing.assert_array_equal(again.labels_, whole.labels_)
    assert again.n_iter_ == whole.n_iter_
