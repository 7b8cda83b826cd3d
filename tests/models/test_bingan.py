"""BinGAN: what it learns, presets, a kill and a resume, files, and refusals."""

from __future__ import annotations

import json
import math
import pickle

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from sklearn.base import clone
from sklearn.datasets import load_digits

from models.coders import digits, killed, neighbours_alike
from somscope.codes import hamming_distances, unpack
from somscope.data.collection import Collection
from somscope.errors import InputError, RunError
from somscope.models.bingan import BinGAN, BinGANTask

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


def test_it_learns_to_find_what_is_alike():
    x, y = (part[:300] for part in digits())
    random = np.random.default_rng(0).integers(0, 256, (300, 2), dtype=np.uint8)
    assert neighbours_alike(random, y) < 0.15
    settings = {"width": 1 / 12, "n_epochs": 8, "learning_rate": 1e-3}
    # One seed gives 0.2 to 0.35 and 7 to 16 bits, and another machine's rounding is another seed.
    models = [BinGAN(**{**QUICK, **settings, "random_state": seed}).fit(x) for seed in (0, 1, 3)]
    assert np.mean([neighbours_alike(model.encode(x), y) for model in models]) > 0.22
    assert max(model.effective_bits_ for model in models) > 12


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


def test_killed_and_resumed_is_never_killed(fitted, images, tmp_path):
    """Killed in the second epoch, with a checkpoint in the middle of it: noise, dropout and both orders go on."""
    how = killed(BinGAN, BinGANTask, QUICK, images, tmp_path, at=5, every=2)
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
