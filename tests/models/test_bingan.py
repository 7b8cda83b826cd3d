"""BinGAN: whose turn it is, what each regularizer is for, what it learns, a kill and a resume, files, and refusals."""

from __future__ import annotations

import json
import math
import pickle
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.utils import estimator_checks

from models.coders import digits, neighbours_alike
from somscope.codes import hamming_distances, unpack
from somscope.data.collection import Collection
from somscope.errors import InputError, RunError
from somscope.models.bingan import BinGAN, BinGANModule, BinGANTask
from somscope.objectives.binary import hard_sign
from somscope.training import Batch, Phase, TrainingOptions, train
from somscope.training.feed import Feed

QUICK = {
    "bits": 16,
    "width": 1 / 24,
    "n_epochs": 2,
    "batch_size": 20,
    "device": "cpu",
    "random_state": 0,
    "verbose": False,
}


@pytest.fixture(scope="module")
def images():
    return digits()[0][:60]


@pytest.fixture(scope="module")
def fitted(images):
    return BinGAN(**QUICK).fit(images)


def module(task="retrieval", variant="code", bits=8):
    generator = torch.Generator().manual_seed(0)
    return BinGANModule((16, 16, 1), bits, task, 1 / 24, variant=variant, generator=generator)


def transcribed(features, n, variant):
    """All terms of the discriminator's loss by loops; features of n real images, then of generated ones."""
    low, high, out = (part.double().tolist() for part in (features.low, features.high, features.output))
    mass = [sum(math.exp(v) for v in row) for row in out]
    adversarial = sum(-0.5 * math.log(z / (1 + z)) / n for z in mass[:n])
    adversarial += sum(-0.5 * math.log(1 / (1 + z)) / (len(mass) - n) for z in mass[n:])
    soft = [[v / (abs(v) + 0.001) for v in row] for row in low[:n]]
    at_zero = 1 if variant == "paper" else 0
    signs = [[at_zero if v == 0 else (1 if v > 0 else -1) for v in row] for row in high[:n]]
    distance = correlation = alphas = 0.0
    for k in range(n):
        for j in range(n):
            if j != k:
                bb = sum(a * b for a, b in zip(signs[k], signs[j], strict=True)) / len(signs[0])
                ss = sum(a * b for a, b in zip(soft[k], soft[j], strict=True)) / len(soft[0])
                alpha = math.exp(-abs(bb) / 2.0)
                distance += abs(bb - ss) / (n * (n - 1))
                correlation += alpha * abs(ss)
                alphas += alpha
    balance = sum((sum(row[u] for row in soft) / n) ** 2 for u in range(len(soft[0]))) / len(soft[0])
    z = alphas if variant == "paper" else n * (n - 1)
    return {
        "adversarial": adversarial,
        "distance": distance,
        "balance": balance,
        "correlation": correlation / z,
    }


@pytest.mark.parametrize("variant", ["code", "paper"])
@pytest.mark.parametrize("task", ["retrieval", "matching"])
def test_the_losses_are_their_formulas(task, variant, images):
    net = module(task, variant).eval()
    x = net.images(torch.from_numpy(images[:5].reshape(5, -1)).float() / 255)
    torch.testing.assert_close(x[:, 1], (torch.from_numpy(images[:5, ..., 0]).float() - 127.5) / 128)
    noise = torch.rand(4, 100, generator=torch.Generator().manual_seed(1))
    features = net.discriminator(torch.cat([x, net.generator(noise)]))
    found = net.discriminator_loss(x, noise, {"distance": 0.3, "balance": 0.2, "correlation": 0.1})
    wanted = transcribed(features, 5, variant)
    assert {n: float(t.detach()) for n, t in found.terms.items()} == pytest.approx(wanted, rel=1e-4)
    total = wanted["adversarial"] + 0.3 * wanted["distance"] + 0.2 * wanted["balance"]
    assert float(found.total.detach()) == pytest.approx(total + 0.1 * wanted["correlation"], rel=1e-4)
    matched = features.matched.detach()
    gap = [
        (float(matched[:5, u].mean()) - float(matched[5:, u].mean())) ** 2 for u in range(matched.shape[1])
    ]
    assert float(net.generator_loss(x, noise).detach()) == pytest.approx(sum(gap) / len(gap), rel=1e-4)


def test_the_high_layer_of_matching_differs_between_text_and_code():
    sizes = {v: module("matching", v).eval() for v in ("code", "paper")}
    x = torch.rand(2, 3, 16, 16)
    assert sizes["code"].discriminator(x).high.shape == (2, 5 * 2 * 2)
    assert sizes["paper"].discriminator(x).high.shape == (2, 5)


def test_regularizers_see_real_images_alone_and_gradients_go_where_they_should():
    net, draw = module(), torch.Generator().manual_seed(0)
    x, noise = torch.rand(6, 3, 16, 16, generator=draw), torch.rand(6, 100, generator=draw)
    weights = {"distance": 1.0, "balance": 1.0, "correlation": 1.0}
    terms = {
        n: net.eval().discriminator_loss(x, other, weights).terms
        for n, other in ((0, noise), (1, 0.01 * noise))
    }
    for name in ("distance", "balance", "correlation"):
        assert float(terms[0][name].detach()) == pytest.approx(float(terms[1][name].detach()), rel=1e-4)
    assert float(terms[0]["adversarial"].detach()) != pytest.approx(float(terms[1]["adversarial"].detach()))

    def reached(loss):
        named = dict(net.named_parameters())
        grads = torch.autograd.grad(
            loss, [p for p in named.values() if p.requires_grad], allow_unused=True, retain_graph=True
        )
        trained = [n for n, p in named.items() if p.requires_grad]
        return {n.split(".")[0] for n, g in zip(trained, grads, strict=True) if g is not None and g.any()}

    assert reached(net.discriminator_loss(x, noise, weights).total) == {"discriminator"}
    assert "generator" in reached(net.generator_loss(x, noise))


def test_discriminator_and_generator_take_turns(images):
    net, items = module(), images.reshape(len(images), -1)
    task = BinGANTask(net, items, 20, {"distance": 1.0}, 1e-3, seed=4)
    turns = []

    class Engine:
        device = torch.device("cpu")
        generator = torch.Generator().manual_seed(0)

        def autocast(self):
            return torch.autocast("cpu", enabled=False)

        def step(self, loss, name):
            turns.append(name)

    feed = Feed(items, Engine.device)
    losses = task.update(feed.batch(torch.arange(20)), 0, Engine())
    assert turns == ["discriminator", "generator"]
    assert set(losses.terms) == {"adversarial", "distance", "balance", "correlation", "feature_matching"}
    optimizers = task.optimizers()
    for name, optimizer in optimizers.items():
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        assert own == {id(p) for p in getattr(net, name).parameters() if p.requires_grad}
    # The generator's images of an epoch are all of them once, in an order of their own.
    batches = [torch.arange(start, start + 20) for start in (0, 20, 40)]
    rows = [task._others(Batch(feed.batch(b).items, b), step, Engine()) for step, b in enumerate(batches)]
    seen = [items.tolist().index((255 * row).round().int().tolist()) for row in torch.cat(rows)]
    assert sorted(seen) == list(range(60))
    assert seen != list(range(60))
    again = BinGANTask(net, items, 20, {}, 1e-3, seed=4)  # as after a resume
    assert torch.equal(again._others(Batch(rows[1], batches[1]), 1, Engine()), rows[1])
    later = task._others(Batch(rows[0], batches[0]), 3, Engine())
    assert not torch.equal(later, rows[0])


# What each regularizer is for


def regularized(distance, balance, correlation):
    """Bit balance, correlation of items and distance fidelity of a small net; 0 is best for all three."""
    items = digits()[0][:200].reshape(200, -1)
    generator = torch.Generator().manual_seed(0)
    net = BinGANModule((16, 16, 1), 16, width=1 / 16, generator=generator)
    for part in net.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    weights = {"distance": distance, "balance": balance, "correlation": correlation}
    task = BinGANTask(net, items, 50, weights, 2e-3, seed=0)
    train(
        [Phase("adversarial", task, n_epochs=12, batch_size=50)], items, TrainingOptions("cpu", verbose=False)
    )
    with torch.no_grad():
        features = net.discriminator(net.images(torch.from_numpy(items).float() / 255))
    bits, signs = hard_sign(features.low, "one"), hard_sign(features.high)
    pairs = torch.triu_indices(200, 200, 1)
    own = (bits @ bits.T / bits.shape[1])[pairs[0], pairs[1]]
    wanted = (signs @ signs.T / signs.shape[1])[pairs[0], pairs[1]]
    return {
        "balance": float(bits.mean(0).square().mean()),
        "correlation": float(own.abs().mean()),
        "distance": float((own - wanted).abs().mean()),
    }


@pytest.fixture(scope="module")
def all_on():
    return regularized(4.0, 4.0, 4.0)


@pytest.mark.parametrize(
    ("name", "weights"), [("balance", (4.0, 0.0, 4.0)), ("correlation", (4.0, 4.0, 0.0))]
)
def test_without_a_part_of_the_entropy_codes_are_worse(name, weights, all_on):
    off = regularized(*weights)
    assert all_on[name] < 0.5
    assert off[name] > 1.25 * all_on[name]


def test_without_distance_matching_distances_are_worse():
    on, off = regularized(4.0, 1.0, 1.0), regularized(0.0, 1.0, 1.0)
    assert on["distance"] < 0.15
    assert off["distance"] > 1.25 * on["distance"]


# The estimator


def test_it_learns_to_find_what_is_alike():
    x, y = (part[:300] for part in digits())
    random = np.random.default_rng(0).integers(0, 256, (300, 2), dtype=np.uint8)
    assert neighbours_alike(random, y) < 0.15
    settings = {"width": 1 / 12, "n_epochs": 8, "learning_rate": 1e-3, "random_state": 2}
    model = BinGAN(**{**QUICK, **settings}).fit(x)  # other seeds give 0.2 to 0.35
    assert neighbours_alike(model.encode(x), y) > 0.25
    assert model.effective_bits_ > 12


def test_presets_and_what_is_given_in_their_place():
    full = BinGAN(preset="full")._settings()
    assert full == {"width": 1, "n_epochs": 400, "batch_size": 25, "lambda_dmr": 0.05, "lambda_bre": 0.001}
    assert BinGAN(256, "matching", preset="full")._settings()["lambda_bre"] == 0.01
    assert BinGAN(preset="full", lambda_bre=0.0, n_epochs=7)._settings() == full | {
        "lambda_bre": 0,
        "n_epochs": 7,
    }
    assert BinGAN(device="cpu")._settings()["width"] == 0.25


def test_codes_are_packed_signs_of_single_images(fitted, images):
    codes = fitted.encode(images)
    assert codes.dtype == np.uint8
    assert codes.shape == (60, 2)
    values = fitted.project(images)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(unpack(codes, 16), values >= 0)
    np.testing.assert_array_equal(fitted.encode(images[7:8]), codes[7:8])
    np.testing.assert_array_equal(fitted.encode(Collection(name="c", kind="images", features=images)), codes)
    np.testing.assert_array_equal(fitted.encode(images.reshape(60, -1)), codes)
    np.testing.assert_array_equal(fitted.encode(torch.from_numpy(images)), codes)
    fitted.module_.block, block = 7, fitted.module_.block
    np.testing.assert_array_equal(fitted.encode(images), codes)
    fitted.module_.block = block
    assert fitted.history_["feature_matching"]
    assert fitted.chosen_ == {
        "preset": "cpu: the training runs on a CPU; width 0.0416667, 2 epochs in batches of 20"
    }
    assert hamming_distances(codes, codes).max() > 0


def test_matching_codes_of_patches(images):
    model = BinGAN(**{**QUICK, "bits": 256, "task": "matching", "n_epochs": 1}).fit(images)
    assert model.encode(images).shape == (60, 32)
    assert model.module_.discriminator.code is None


def test_generated_images_look_like_images(fitted):
    made = fitted.generate(5)
    assert made.shape == (5, 16, 16, 3)
    assert made.dtype == np.uint8
    np.testing.assert_array_equal(made, fitted.generate(5))
    assert not np.array_equal(made, fitted.generate(5, random_state=1))
    assert made.std() > 5
    with pytest.raises(InputError, match="n=1; allowed: a whole number from 2"):
        fitted.generate(1)


def test_labels_and_global_random_states_change_nothing(fitted, images):
    state = torch.random.get_rng_state()
    again = clone(fitted).fit(images, np.arange(60))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert again.fingerprint == fitted.fingerprint
    assert clone(fitted).set_params(random_state=1).fit(images).fingerprint != fitted.fingerprint


KILLED = """
import json, os, signal, sys
import numpy as np
from somscope.models.bingan import BinGAN, BinGANTask

update = BinGANTask.update

def update_and_die(self, batch, step, engine):
    if step == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, batch, step, engine)

BinGANTask.update = update_and_die
BinGAN(**json.loads(sys.argv[1]), checkpoints=sys.argv[2], training={"checkpoint_steps": 2}).fit(np.load(sys.argv[3]))
"""


def test_killed_and_resumed_is_never_killed(fitted, images, tmp_path):
    """Killed in the second epoch, with a checkpoint in the middle of it: noise, dropout and both orders go on."""
    np.save(tmp_path / "images.npy", images)
    arguments = [json.dumps(QUICK), str(tmp_path / "checkpoints"), str(tmp_path / "images.npy")]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    how = {"checkpoints": tmp_path / "checkpoints", "resume": True, "training": {"checkpoint_steps": 2}}
    resumed = BinGAN(**QUICK, **how).fit(images)
    assert resumed.n_iter_ == fitted.n_iter_ == 6
    for name, tensor in fitted.module_.state_dict().items():
        assert torch.equal(tensor, resumed.module_.state_dict()[name]), name
    assert resumed.fingerprint == fitted.fingerprint
    with pytest.raises(RunError, match="model n_epochs was 2 and is 3"):
        BinGAN(**{**QUICK, "n_epochs": 3}, **how).fit(images)


def test_saved_pickled_and_loaded(fitted, images, tmp_path):
    codes = fitted.encode(images)
    loaded = BinGAN.load(fitted.save(tmp_path / "model"))
    for other in (loaded, pickle.loads(pickle.dumps(fitted))):
        np.testing.assert_array_equal(other.encode(images), codes)
        assert other.fingerprint == fitted.fingerprint
        assert other.history_ == fitted.history_
        np.testing.assert_array_equal(other.generate(3), fitted.generate(3))
    assert loaded.image_shape_ == (16, 16, 1)
    assert loaded.get_params() == fitted.get_params()
    with_logger = clone(fitted).set_params(training={"loggers": [object()]})
    vars(with_logger).update({n: v for n, v in vars(fitted).items() if n.endswith("_") or n == "_built_from"})
    BinGAN.load(with_logger.save(tmp_path / "logged"))


def test_broken_files_are_refused(fitted, tmp_path):
    from hashlib import sha256

    fitted.save(tmp_path)
    described = json.loads((tmp_path / "model.json").read_text())
    arrays = load_file(tmp_path / "model.safetensors")

    def broken(state=None, arrays=arrays):
        save_file(arrays, tmp_path / "model.safetensors")
        text = {**described, "state": {**described["state"], **(state or {})}}
        text["sha256"] = sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()
        (tmp_path / "model.json").write_text(json.dumps(text))
        with pytest.raises(RunError) as error:
            BinGAN.load(tmp_path)
        return str(error.value)

    assert "weights that do not fit the model: discriminator" in broken({"width": 0.5})
    assert "width is 1000.0" in broken({"width": 1000.0})
    assert "width is 'wide'" in broken({"width": "wide"})
    assert "images of [16, 24, 1] do not have 256 features" in broken({"image_shape": [16, 24, 1]})
    assert "images of 10x10 pixels" in broken({"image_shape": [10, 10, 1]})
    name = "discriminator.code.scale"
    assert "not that of the arrays" in broken(arrays={**arrays, name: arrays[name] + 1})
    assert "not finite" in broken(arrays={**arrays, name: arrays[name] * np.float32(np.nan)})
    assert "weights that do not fit" in broken(arrays={n: a for n, a in arrays.items() if n != name})
    with pytest.raises(RunError, match="is missing"):
        BinGAN.load(tmp_path / "nowhere")


CHECKS = (
    "check_parameters_default_constructible",
    "check_no_attributes_set_in_init",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_repr",
    "check_estimator_cloneable",
)


@pytest.mark.parametrize("check", CHECKS)
def test_rules_of_scikit_learn_that_need_no_rows_of_numbers(check):
    getattr(estimator_checks, check)("BinGAN", BinGAN(**QUICK))


def floats(images):
    x = images.astype(np.float32)
    x[0, 0, 0] = np.nan
    return x


@pytest.mark.parametrize(
    ("options", "spoil", "message"),
    [
        ({"bits": 12}, None, "bits=12; allowed: a positive multiple of 8"),
        ({"task": "search"}, None, "task='search' is not known; allowed: retrieval, matching"),
        ({"preset": "gpu"}, None, "preset='gpu' is not known; allowed: auto, full, cpu"),
        ({"variant": "legacy"}, None, "variant='legacy' is not known; allowed: paper, code"),
        ({"width": 0.001}, None, "width=0.001; allowed: a number from 1/96 to 16"),
        ({"batch_size": 1}, None, "batch_size=1; allowed: a whole number from 2"),
        ({"n_epochs": 0}, None, "n_epochs=0; allowed: a whole number from 1"),
        ({"lambda_dmr": -1.0}, None, "lambda_dmr=-1.0; allowed: a number from 0"),
        ({"lambda_bre": math.nan}, None, "lambda_bre=nan; allowed: a number from 0"),
        ({"gamma": 0.0}, None, "gamma=0.0; allowed: a number above 0"),
        ({"precision": "fp16"}, None, "precision='fp16' is not known"),
        ({}, floats, r"BinGAN needs images: \(n, H, W, C\) uint8.* type float32"),
        ({}, lambda x: x.reshape(len(x), -1), "BinGAN needs images"),
        (
            {},
            lambda x: x[:, :12],
            "images of 12x16 pixels; BinGAN needs sides that are multiples of 8, from 16 on",
        ),
        ({}, lambda x: x.repeat(2, 3), r"images of 2 channels; BinGAN takes grey \(1\) and colour \(3\)"),
        ({}, lambda x: x[:1], r"X has 1 sample\(s\); a minimum of 2 is needed"),
    ],
)
def test_what_is_refused(options, spoil, message, images):
    with pytest.raises(InputError, match=message):
        BinGAN(**{**QUICK, **options}).fit(images if spoil is None else spoil(images))


def test_other_images_than_in_training_are_refused(fitted, images):
    with pytest.raises(
        InputError, match=r"images of \(16, 16, 3\); this coder was trained on images of \(16, 16, 1\)"
    ):
        fitted.encode(images.repeat(3, 3))
    with pytest.raises(InputError, match="X holds float64; needed: images"):
        fitted.encode(load_digits().data[:, :16].repeat(16, 1))


def test_constant_bits_are_reported(images, caplog):
    blank = np.full((40, 16, 16, 1), 90, np.uint8)
    model = BinGAN(**{**QUICK, "n_epochs": 1}).fit(blank)
    assert model.effective_bits_ == 0
    assert "16 of 16 bits are the same for all 40 training items: 0 effective bits" in model.warnings_
    assert "0 effective bits" in caplog.text


@pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU")
def test_on_a_gpu_in_bf16_no_step_waits(images):
    update = BinGANTask.update

    def watched(self, batch, step, engine):
        torch.cuda.set_sync_debug_mode("error" if step > 2 else "default")
        try:
            return update(self, batch, step, engine)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BinGANTask, "update", watched)
        how = {**QUICK, "device": "cuda", "precision": "bf16", "training": {"log_steps": 1000}}
        model = BinGAN(**how).fit(images)
    assert model.precision_ == "bf16"
    assert model.encode(images).shape == (60, 2)
