"""DC-SOMRL: its loss and gradient against the formulas, what it learns, and that its map survives kills and files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from somscope.errors import InputError, RunError
from somscope.maps.somrl import SOMRL
from somscope.maps.somrl_layer import SOMRLLayer, SOMRLRule
from somscope.models.dc_somrl import DCSOMRL, DCSOMRLModule
from somscope.nets.dense import DenseAutoencoder

QUICK = {
    "latent_dim": 4, "hidden": (32,), "batch_size": 32, "n_epochs": 40, "learning_rate_net": 5e-3, "random_state": 0,
    "device": "cpu", "verbose": False, "threshold": 0.98, "reconstruction": "mean",
}  # fmt: skip


@pytest.fixture(scope="module")
def fitted(blobs):
    return DCSOMRL(**QUICK).fit(blobs[0])


@parametrize_with_checks([DCSOMRL(**QUICK), DCSOMRL(**{**QUICK, "standardise": None, "repel_rate": 0.0})])
def test_rules_of_scikit_learn(estimator, check):
    check(estimator)


def module(through=False, **changes):
    rule = SOMRLRule(**{"threshold": 0.9, **changes})
    net = DenseAutoencoder(5, (7,), 3, generator=torch.Generator().manual_seed(0))
    return DCSOMRLModule(net, SOMRLLayer(3, 10, rule, through=through), 0.4, 2.0, "activated", "sum")


def test_the_loss_is_the_formula():
    made, items = module(), torch.rand(40, 5, generator=torch.Generator().manual_seed(1)) * 6.0
    made.loss(items[:20], 0.3)
    losses = made.loss(items[20:], 0.3)
    z = 1 / (1 + torch.exp(-made.net.encode((items[20:] - 0.4) / 2)))
    x = made.net.decode(z)
    reconstruction = sum((((items[20 + i] - 0.4) / 2 - x[i]) ** 2).sum() for i in range(20)) / 20
    # The same batch again, for a layer of its own: what it leaves is what the loss is measured by.
    layer = SOMRLLayer(3, 10, made.layer.rule)
    layer.step(torch.sigmoid(made.net.encode((items[:20] - 0.4) / 2)))
    before = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    layer.step(z)
    clustering, activated = 0.0, 0
    for code in z:
        alive = before["alive"].nonzero().squeeze(1)
        w, c = before["relevances"][alive], before["centres"][alive]
        active = w.sum(1) / (w.sum(1) + (w * (code - c) ** 2).sum(1) + 1e-7)
        if active.max() >= 0.9:
            winner, activated = alive[active.argmax()], activated + 1
            clustering += (layer.relevances[winner] * (code - layer.centres[winner]) ** 2).sum() / 20
    assert activated > 0
    torch.testing.assert_close(losses.terms["reconstruction"], reconstruction)
    torch.testing.assert_close(losses.terms["clustering"], clustering)
    torch.testing.assert_close(losses.total, reconstruction + 0.3 * clustering)


def test_other_readings_of_the_loss():
    items = torch.rand(40, 5, generator=torch.Generator().manual_seed(1)) * 6.0
    made = {}
    for attracted, reconstruction in (("activated", "sum"), ("all", "mean")):
        net = DenseAutoencoder(5, (7,), 3, generator=torch.Generator().manual_seed(0))
        each = DCSOMRLModule(
            net, SOMRLLayer(3, 10, SOMRLRule(threshold=0.9)), 0.4, 2.0, attracted, reconstruction
        )
        each.loss(items[:20], 0.3)
        made[attracted] = each, each.loss(items[20:], 0.3).terms
    torch.testing.assert_close(made["all"][1]["reconstruction"] * 5, made["activated"][1]["reconstruction"])
    module_, terms = made["all"]
    layer = module_.layer
    w, c = layer.relevances[layer.alive], layer.centres[layer.alive]
    expected = 0.0
    for code in module_.encode(items[20:]):
        weighted = (w * (code - c) ** 2).sum(1)
        expected += weighted[(w.sum(1) / (w.sum(1) + weighted + 1e-7)).argmax()] / 20
    torch.testing.assert_close(terms["clustering"], expected)


def test_disturbed_is_what_matters_least():
    layer = SOMRLLayer(3, 2, SOMRLRule(threshold=0.9))
    layer.centres[:], layer.alive[:] = torch.tensor([[0.2, 0.2, 0.2], [0.8, 0.8, 0.8]]), True
    layer.relevances[:] = torch.tensor([[0.2, 0.9, 0.55], [1.0, 1.0, 1.0]])  # the second was never updated
    made = DCSOMRLModule(DenseAutoencoder(5, (7,), 3), layer, disturb=0.4)  # of 3 dimensions: one
    codes = torch.cat([torch.full((500, 3), 0.25), torch.full((500, 3), 0.75)]).requires_grad_()
    given = made._disturbed(codes)
    assert torch.equal(given[:, 1:], codes[:, 1:])
    assert torch.equal(given[500:], codes[500:])
    drawn = given[:500, 0]
    assert 0.0 <= drawn.min() < 0.02 < 0.98 < drawn.max() < 1.0
    given.sum().backward()
    assert torch.equal(codes.grad == 0.0, given != codes)  # what is drawn teaches the encoder nothing
    made.disturb = 0.7
    assert torch.equal(made._disturbed(codes)[:, 1], codes[:, 1])
    items = torch.rand(40, 5, generator=torch.Generator().manual_seed(1))
    with pytest.MonkeyPatch.context() as patch:
        seen = []
        patch.setattr(made, "_disturbed", lambda codes: codes + 0.01)
        patch.setattr(made.net, "decode", lambda codes: seen.append(codes) or torch.zeros(len(codes), 5))
        patch.setattr(layer, "step", lambda codes, total: seen.append(codes) or stepped(layer, codes, total))
        stepped = type(layer).step
        made.loss(items, 0.3)
    for given in seen:
        torch.testing.assert_close(given, made.encode(items) + 0.01)


@pytest.mark.parametrize("through", [False, True])
def test_the_gradient_of_the_map_reaches_the_encoder_alone(through):
    made, items = module(through), torch.rand(30, 5, generator=torch.Generator().manual_seed(1))
    made.loss(items, 1.0)
    made.loss(items, 1.0).terms["clustering"].backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in made.net.encoder.parameters())
    assert all(weight.grad is None for weight in made.net.decoder.parameters())
    assert not any(buffer.requires_grad for buffer in made.layer.buffers())


def test_centres_that_let_the_gradient_through_weaken_it():
    gradients = []
    for through in (False, True):
        made, items = (
            module(through, repel_rate=0.0),
            torch.rand(1, 5, generator=torch.Generator().manual_seed(1)),
        )
        made.loss(items, 1.0)
        with torch.no_grad():
            made.layer.centres += 0.01
        made.loss(items, 1.0).terms["clustering"].backward()
        gradients.append(made.net.encoder[0].weight.grad)
    rate = made.layer.rule.learning_rate
    torch.testing.assert_close(gradients[1], gradients[0] * (1 - rate))


def test_without_the_map_it_is_an_autoencoder(blobs):
    """Two roads: alpha = 0 trains what plain descent on the reconstruction trains, and the map is one of its codes."""
    model = DCSOMRL(**{**QUICK, "alpha": 0.0, "n_epochs": 2, "standardise": None, "threshold": 0.9999}).fit(
        blobs[0]
    )
    other = DCSOMRL(**{**QUICK, "alpha": 0.0, "n_epochs": 2, "standardise": None, "threshold": 0.5}).fit(
        blobs[0]
    )
    for one, two in zip(model.module_.net.parameters(), other.module_.net.parameters(), strict=True):
        assert torch.equal(one, two)
    codes = model.encode(blobs[0])
    assert codes.min() > 0
    assert codes.max() < 1
    assert model.n_units_ > other.n_units_ == 1


def test_a_pretrained_network_keeps_apart_what_a_new_one_puts_into_one_unit(blobs):
    loose = {**QUICK, "alpha": 1.0, "threshold": 0.9, "repel_rate": 0.0, "gamma": 6.0}
    new = DCSOMRL(**loose).fit(blobs[0])
    assert new.n_units_ == 1
    assert any("collapsed" in warning for warning in new.warnings_)
    pretrained = DCSOMRL(**loose, pretrain_epochs=20).fit(blobs[0])
    assert adjusted_rand_score(blobs[1], pretrained.labels_) > 0.9
    assert set(pretrained.history_["phase"]) == {"autoencoder", "joint"}
    assert pretrained.n_iter_ == new.n_iter_ * 60 // 40
    with pytest.raises(InputError, match="pretrain_epochs=-1"):
        DCSOMRL(**loose, pretrain_epochs=-1).fit(blobs[0])


def test_it_finds_groups_and_its_codes_come_to_their_units(fitted, blobs):
    items, labels = blobs
    short = DCSOMRL(**{**QUICK, "n_epochs": 1, "batch_size": 300}).fit(items)
    assert adjusted_rand_score(labels, short.labels_) < 0.3
    assert adjusted_rand_score(labels, fitted.labels_) > 0.85
    assert 6 <= fitted.n_units_ <= 12
    assert fitted.history_["reconstruction"][-1] < 0.2 * fitted.history_["reconstruction"][0]
    noisy = items + np.random.default_rng(3).normal(0, 0.15, items.shape).astype(np.float32)
    free, drawn = (DCSOMRL(**{**QUICK, "alpha": alpha}).fit(noisy) for alpha in (0.0, 0.5))
    assert drawn.n_units_ < free.n_units_  # and nearer to the fewer units there are
    assert drawn.inertia_ < free.inertia_
    near = np.abs(items - fitted.decoded_prototypes_[fitted.labels_]).mean()
    assert near < 0.5 * np.abs(items - items.mean(0)).mean()


def test_its_map_is_the_map_of_its_codes(fitted, blobs):
    """A SOMRL with these units says the same of the codes."""
    codes = fitted.encode(blobs[0])
    som = SOMRL(threshold=0.98, scale="none", n_epochs=1).fit(codes)
    som.centres_, som.relevances_, som.n_units_ = fitted.prototypes_, fitted.relevances_, fitted.n_units_
    np.testing.assert_array_equal(fitted.predict(blobs[0]), som.predict(codes))
    np.testing.assert_array_equal(fitted.predict(blobs[0], noise=True), som.predict(codes, noise=True))
    np.testing.assert_allclose(fitted.transform(blobs[0]), som.transform(codes), atol=1e-5)
    odd = fitted.predict(np.concatenate([blobs[0], 30 * blobs[0][:5]]), noise=True)
    assert (odd[:-5] >= 0).mean() > 0.8
    assert (odd[-5:] == -1).any()
    assert fitted.connections_.shape == (fitted.n_units_, fitted.n_units_)
    assert not fitted.connections_.diagonal().any()
    assert fitted.relevances_.shape == fitted.prototypes_.shape == (fitted.n_units_, 4)
    assert fitted.relevances_.min() > 0
    assert fitted.relevances_.max() <= 1
    assert (fitted.hits_ > 0).all()


KILLED = """
import json, os, signal, sys
import numpy as np
from somscope.models.dc_somrl import DCSOMRL, DCSOMRLTask

update = DCSOMRLTask.update

def update_and_die(self, batch, step, engine):
    if step == 137:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, batch, step, engine)

DCSOMRLTask.update = update_and_die
options = json.loads(sys.argv[1])
options["hidden"] = tuple(options["hidden"])
DCSOMRL(**options, checkpoints=sys.argv[2], training={"checkpoint_steps": 25}).fit(np.load(sys.argv[3]))
"""


def test_killed_and_resumed_is_never_killed(fitted, blobs, tmp_path):
    np.save(tmp_path / "items.npy", blobs[0])
    arguments = [json.dumps(QUICK), str(tmp_path / "checkpoints"), str(tmp_path / "items.npy")]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    resumed = DCSOMRL(
        **QUICK, checkpoints=tmp_path / "checkpoints", resume=True, training={"checkpoint_steps": 25}
    )
    resumed.fit(blobs[0])
    own, other = fitted.module_.state_dict(), resumed.module_.state_dict()
    assert own.keys() == other.keys()
    for name, tensor in own.items():
        assert torch.equal(tensor, other[name]), name
    np.testing.assert_array_equal(fitted.labels_, resumed.labels_)
    assert resumed.history_["units"] == fitted.history_["units"]
    assert resumed.n_iter_ == fitted.n_iter_


def test_ctrl_c_keeps_the_map(blobs, monkeypatch):
    losses = DCSOMRLModule.loss
    steps = []

    def loss(self, *args):
        steps.append(1)
        if len(steps) == 60:
            signal.raise_signal(signal.SIGINT)
        return losses(self, *args)

    monkeypatch.setattr(DCSOMRLModule, "loss", loss)
    model = DCSOMRL(**QUICK).fit(blobs[0])
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_ == 60
    assert model.n_units_ >= 1
    assert np.isfinite(model.transform(blobs[0])).all()


def test_a_saved_map_comes_back_bit_for_bit(fitted, blobs, tmp_path):
    loaded = DCSOMRL.load(fitted.save(tmp_path / "map"))
    assert loaded.get_params() == fitted.get_params()
    for name in ("prototypes_", "relevances_", "connections_", "decoded_prototypes_", "labels_", "hits_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(fitted, name))
    np.testing.assert_array_equal(loaded.predict(blobs[0], noise=True), fitted.predict(blobs[0], noise=True))
    np.testing.assert_array_equal(loaded.encode(blobs[0]), fitted.encode(blobs[0]))
    description = json.loads((tmp_path / "map" / "model.json").read_text())
    description["n_units"] += 1
    (tmp_path / "map" / "model.json").write_text(json.dumps(description))
    with pytest.raises(RunError, match="not a whole description"):
        DCSOMRL.load(tmp_path / "map")


def test_the_exported_model_is_the_model(fitted, blobs, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(fitted.export_onnx(tmp_path / "map.onnx")))
    codes, units, distances = session.run(None, {"items": blobs[0]})
    np.testing.assert_allclose(codes, fitted.encode(blobs[0]), atol=1e-5)
    np.testing.assert_array_equal(units, fitted.labels_)
    # sqrt(1 / ac - 1) of an activation in float32, whose last digit is 6e-8, is off by up to 4e-4 near 0.
    np.testing.assert_allclose(distances, fitted.best_units(blobs[0], 1)[1][:, 0], atol=5e-4)


def test_images_are_standardised(pictures):
    model = DCSOMRL(**{**QUICK, "n_epochs": 3}).fit(pictures)
    values = pictures / 255.0
    assert model.image_shape_ == (8, 8, 1)
    assert float(model.module_.shift) == pytest.approx(values.mean())
    assert float(model.module_.scale) == pytest.approx(values.std())
    assert "standardise" in model.chosen_
    given = DCSOMRL(**{**QUICK, "n_epochs": 1, "standardise": (0.1307, 0.3081)}).fit(pictures)
    assert float(given.module_.shift) == pytest.approx(0.1307)
    assert given.chosen_ == {}


def test_a_full_map_and_one_that_dies_out_say_so(blobs):
    full = DCSOMRL(**{**QUICK, "threshold": 0.99999, "max_units": 5, "n_epochs": 2}).fit(blobs[0])
    assert any("the map was full" in warning for warning in full.warnings_)
    share = (full.predict(blobs[0], noise=True) == -1).mean()
    assert share > 0.5
    assert any(w.startswith(f"{share:.0%} of the items activate no unit") for w in full.warnings_)
    dead = DCSOMRL(
        **{
            **QUICK,
            "threshold": 0.9999999,
            "max_units": 1,
            "life_decay": 1.0,
            "restored": "activated",
            "n_epochs": 2,
        }
    ).fit(blobs[0])
    assert any("died out" in warning for warning in dead.warnings_)
    assert dead.n_units_ == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"alpha": -1}, "alpha=-1"),
        ({"threshold": 2.0}, "threshold=2.0"),
        ({"repel": "mean"}, "allowed: distance, dimension, literal"),
        ({"detach_centres": 1}, "detach_centres=1"),
        ({"disturb": -0.1}, "disturb=-0.1"),
        ({"disturb": 1}, "disturb=1; allowed: .* below 1"),
        ({"standardise": "min-max"}, "standardise='min-max'"),
        ({"standardise": (0.0, 0.0)}, r"standardise=\(0.0, 0.0\)"),
        ({"max_units": 0}, "max_units=0"),
        ({"hidden": (0,)}, "hidden"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, said, blobs):
    with pytest.raises(InputError, match=said):
        DCSOMRL(**{**QUICK, **changes}).fit(blobs[0])


def test_items_that_are_refused(blobs):
    for spoiled, said in (
        (np.full((9, 3), 2.0), "equal"),
        (np.where(blobs[0] > 1, np.nan, blobs[0]), r"NaN.* first in row 2, column \d+"),
    ):
        with pytest.raises(InputError, match=said):
            DCSOMRL(**QUICK).fit(spoiled)
