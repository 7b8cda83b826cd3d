"""What every deep map keeps: scikit-learn's rules, labels out of the losses, files, ONNX, and clear refusals."""

from __future__ import annotations

import pickle
import signal
from functools import cache
from typing import ClassVar

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from models.zoo import PARTICULAR, ZOO
from somscope.data.collection import Collection
from somscope.errors import InputError, RunError

MODELS = pytest.mark.parametrize("make", ZOO.values(), ids=ZOO.keys())


@parametrize_with_checks([make() for name, make in ZOO.items() if name not in PARTICULAR])
def test_rules_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module", params=ZOO.values(), ids=ZOO.keys())
def fitted(request, blobs):
    return request.param(grid=(2, 3)).fit(blobs[0])


@pytest.fixture(scope="module")
def whole(blobs):
    """The uninterrupted training of each map, made once."""
    return cache(lambda make: make().fit(blobs[0]))


def weights(model):
    return model.module_.state_dict()


@MODELS
def test_labels_never_reach_a_loss(make, blobs, whole):
    items, labels = blobs
    alone, given, shuffled = whole(make), *(make().fit(items, y) for y in (labels, np.roll(labels, 7)))
    for name, tensor in weights(alone).items():
        assert torch.equal(tensor, weights(given)[name]), name
        assert torch.equal(tensor, weights(shuffled)[name]), name


@MODELS
def test_a_seed_makes_a_training_and_the_global_state_stays(make, blobs):
    state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (make(random_state=s).fit(blobs[0]) for s in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert np.array_equal(first.prototypes_, second.prototypes_)
    assert not np.array_equal(first.prototypes_, other.prototypes_)


@MODELS
@pytest.mark.parametrize("phase", [0, -1])
def test_interrupted_and_resumed_is_never_interrupted(make, phase, blobs, tmp_path, whole):
    wanted = whole(make)
    model = make(checkpoints=tmp_path / "checkpoints")
    phases = model._phases

    def with_interrupt(*args):
        made = phases(*args)
        task = made[phase].task
        losses = task.losses

        def interrupted(batch, step):
            if step == 3:
                signal.raise_signal(signal.SIGINT)
            return losses(batch, step)

        task.losses = interrupted
        return made

    model._phases = with_interrupt
    model.fit(blobs[0])
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_ < wanted.n_iter_
    assert np.isfinite(model.transform(blobs[0])).all()
    assert model.prototypes_.any()
    again = make(checkpoints=tmp_path / "checkpoints", resume=True).fit(blobs[0])
    assert again.stop_reason_ == "completed"
    assert again.n_iter_ == wanted.n_iter_
    for name, tensor in weights(wanted).items():
        assert torch.equal(tensor, weights(again)[name]), name
    np.testing.assert_array_equal(again.labels_, wanted.labels_)


def test_another_model_does_not_go_on_with_a_training(blobs, tmp_path):
    model = ZOO["desom"](checkpoints=tmp_path, n_steps=np.int64(5), decay=_halves).fit(blobs[0])
    for changed, message in (
        ({"gamma": 0.5}, r"model gamma was 0.001 and is 0.5$"),
        ({"learning_rate": 0.01}, r"model learning_rate was 0.001 and is 0.01$"),
        ({"temperature": (3.0, 1.0)}, "model temperature 0 was 10.0 and is 3.0; model temperature 1 was"),
        ({"decay": "linear"}, r"model decay was '.*_halves' and is 'linear'$"),
        ({"grid": (3, 1)}, "model grid 0 was 1 and is 3"),
    ):
        with pytest.raises(RunError, match=message):
            clone(model).set_params(resume=True, **changed).fit(blobs[0])
    again = clone(model).set_params(resume=True, n_steps=5, grid="1x3", verbose=None).fit(blobs[0])
    np.testing.assert_array_equal(again.prototypes_, model.prototypes_)


def _halves(t, first, last):
    return first * 0.5**t


def test_resumed_without_a_seed_it_keeps_the_one_that_it_had(blobs, tmp_path):
    first = ZOO["desom"](random_state=None, checkpoints=tmp_path).fit(blobs[0])
    again = clone(first).set_params(resume=True).fit(blobs[0])
    np.testing.assert_array_equal(again.prototypes_, first.prototypes_)
    other = ZOO["desom"](random_state=None).fit(blobs[0])
    assert not np.array_equal(other.prototypes_, first.prototypes_)


def test_ctrl_c_after_the_last_step_loses_nothing(blobs, monkeypatch):
    model = ZOO["desom"]()
    whole = clone(model).fit(blobs[0])
    describe = model._describe
    monkeypatch.setattr(model, "_describe", lambda: (signal.raise_signal(signal.SIGINT), describe()))
    model.fit(blobs[0])
    assert model.stop_reason_ == "completed"
    np.testing.assert_array_equal(model.labels_, whole.labels_)


def test_options_of_the_training_can_be_given(blobs, tmp_path):
    class Rows:
        rows: ClassVar[list] = []

        def log(self, phase, step, values):
            self.rows.append((phase, step, values["loss"]))

        def close(self):
            pass

    options = {"log_steps": 10, "loggers": [Rows()], "checkpoint_steps": 15, "checkpoint_minutes": None}
    model = ZOO["desom"](checkpoints=tmp_path / "c", training=options).fit(blobs[0])
    assert model.history_["step"] == [10, 20, 30, 40]
    assert [step for _, step, _ in Rows.rows] == [10, 20, 30, 40]
    assert sorted(p.name for p in (tmp_path / "c").glob("step-*")) == ["step-000000030", "step-000000040"]
    assert clone(model).get_params()["training"].keys() == options.keys()
    again = type(model).load(model.save(tmp_path / "map"))  # loggers are nothing that a file can hold
    assert again.training is None
    other = blobs[0] + np.float32(0.01)
    resumed = clone(model).set_params(resume=True)
    with pytest.raises(RunError, match="training option other_data=True"):
        resumed.fit(other)
    assert resumed.set_params(training={**options, "other_data": True}).fit(other).n_iter_ == 40
    for wrong, message in (
        ({"clip_norm": 1.0}, "name in training='clip_norm' is not known; allowed: checkpoint_steps"),
        ({"log_steps": 0}, "log_steps=0"),
        ("often", "training='often'; allowed: None, or a dictionary"),
    ):
        with pytest.raises(InputError, match=message):
            ZOO["desom"](training=wrong).fit(blobs[0])


def test_what_a_fitted_map_answers(fitted, blobs):
    items, labels = blobs
    n_units = fitted.lattice_.n_units
    codes, distances = fitted.encode(items), fitted.transform(items)
    wanted = np.sqrt(((codes[:, None].astype(np.float64) - fitted.prototypes_) ** 2).sum(2))
    np.testing.assert_allclose(distances, wanted, atol=1e-6)
    units, near = fitted.best_units(items, k=n_units)
    assert units.dtype == np.int64
    assert (np.diff(near, axis=1) >= 0).all()
    assert (np.sort(units, axis=1) == np.arange(n_units)).all()
    np.testing.assert_allclose(near[:, 0], wanted.min(1), atol=1e-6)
    assert np.array_equal(units[:, 0], fitted.predict(items))
    assert np.array_equal(fitted.labels_, fitted.predict(items))
    assert np.array_equal(fitted.hits_, np.bincount(fitted.labels_, minlength=n_units))
    assert fitted.inertia_ == pytest.approx(fitted.quantization_error(items))
    assert fitted.score(items) == -fitted.quantization_error(items)
    assert fitted.prototypes_.shape == (n_units, codes.shape[1])
    assert fitted.decoded_prototypes_.shape == (n_units, 20)
    decoded = fitted.module_.decode_prototypes(torch.from_numpy(fitted.prototypes_))
    np.testing.assert_array_equal(decoded.numpy(), fitted.decoded_prototypes_)
    assert fitted.u_matrix_.shape == (2, 3)
    assert fitted.label_units(items, labels).shares.shape == (n_units, 6)
    assert len(fitted.get_feature_names_out()) == n_units
    assert fitted.n_iter_ == fitted.history_["step"][-1]
    assert fitted.stop_reason_ == "completed"


@MODELS
def test_arrays_tensors_sparse_matrices_and_collections_are_one(make, blobs):
    items = np.round(blobs[0], 2)
    model = make().fit(items)
    for same in (torch.from_numpy(items), items.astype(np.float64), sparse.csr_matrix(items)):
        np.testing.assert_array_equal(clone(model).fit(same).prototypes_, model.prototypes_)
    collection = Collection(name="c", kind="vectors", features=items)
    np.testing.assert_array_equal(clone(model).fit(collection).prototypes_, model.prototypes_)


@MODELS
def test_pixels_are_divided_by_255(make, pictures):
    flat = (pictures.reshape(len(pictures), -1) / np.float32(255)).astype(np.float32)
    short = {"image_shape": (8, 8, 1), "n_epochs": 2}  # of convolutions, which take long
    model = make(**{name: value for name, value in short.items() if name in make().get_params()})
    images = clone(model).fit(pictures)
    assert images.image_shape_ == (8, 8, 1)
    np.testing.assert_allclose(images.encode(pictures), images.encode(flat), atol=1e-5)
    collection = Collection(name="c", kind="images", features=pictures)
    np.testing.assert_array_equal(clone(model).fit(collection).prototypes_, images.prototypes_)
    tensor = torch.from_numpy(pictures)
    np.testing.assert_array_equal(clone(model).fit(tensor).prototypes_, images.prototypes_)
    for same in (collection, tensor, tensor.flatten(1), pictures.reshape(len(pictures), -1)):
        np.testing.assert_array_equal(images.transform(same), images.transform(pictures))
    with pytest.raises(InputError, match="divide by 255"):
        images.predict(flat * 255)
    with pytest.raises(InputError, match=r"shape \(8, 8, 1\) and type uint8"):
        images.predict(pictures[0])


@MODELS
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[:2], "6 units for 2 items"),
        (lambda x: x[:1], "sample"),
        (lambda x: np.ones_like(x), "all 300 items are equal"),
        (lambda x: np.where(np.arange(20) == 3, np.nan, x), "NaN"),
        (lambda x: np.where(np.arange(20) == 3, np.inf, x), "infinity"),
        (lambda x: np.full_like(x, 1e300, dtype=np.float64) * np.arange(20), "infinity"),
        (lambda x: x[:, :0], "0 feature"),
        (lambda x: x.reshape(300, 4, 5), r"shape \(300, 4, 5\)"),
        (lambda x: np.array([["a"] * 20] * 300), "could not convert|dtype"),
        (lambda x: x[0], "1D array"),
    ],
    ids=["few", "one", "equal", "nan", "inf", "large", "none", "3-d", "text", "1-d"],
)
def test_items_that_are_refused(make, blobs, spoil, message):
    with pytest.raises(InputError, match=message):
        make(grid=(2, 3)).fit(spoil(blobs[0]))


def test_questions_that_are_refused(fitted, blobs):
    items = blobs[0]
    with pytest.raises(InputError, match="expecting 20 features"):
        fitted.predict(items[:, :5])
    with pytest.raises(InputError, match="NaN"):
        fitted.encode(np.full((2, 20), np.nan))
    with pytest.raises(InputError, match="k=7: a map of 6 units"):
        fitted.best_units(items, k=7)
    with pytest.raises(InputError, match="codes of this map"):
        fitted.decode(np.zeros((2, fitted.prototypes_.shape[1] + 1)))
    with pytest.raises(InputError, match="NaN"):
        fitted.decode(np.full_like(fitted.prototypes_, np.nan))


def test_codes_that_cannot_be_written_to_are_decoded(fitted):
    """Such as those of a memory map, or of another process: PyTorch would warn of them."""
    codes = fitted.prototypes_.copy()
    codes.flags.writeable = False
    np.testing.assert_array_equal(fitted.decode(codes), fitted.decode(fitted.prototypes_))


def test_a_saved_map_comes_back_bit_for_bit(fitted, blobs, tmp_path):
    assert fitted.save(tmp_path / "new" / "map") == tmp_path / "new" / "map"
    state = torch.random.get_rng_state()
    again = type(fitted).load(tmp_path / "new" / "map")
    assert torch.equal(torch.random.get_rng_state(), state)
    assert set(vars(again)) == set(vars(fitted))
    for name, value in vars(fitted).items():
        if name != "module_":
            np.testing.assert_equal(getattr(again, name), value, err_msg=name)
    for name, tensor in weights(fitted).items():
        assert torch.equal(tensor, weights(again)[name])
    np.testing.assert_array_equal(again.transform(blobs[0]), fitted.transform(blobs[0]))
    assert sorted(p.name for p in (tmp_path / "new" / "map").iterdir()) == ["model.json", "model.safetensors"]


def test_whole_numbers_of_numpy_are_whole_numbers(blobs, tmp_path):
    given = {"latent_dim": 3, "n_steps": 4, "finish_steps": 2, "batch_size": 16, "hidden": (8, 4)}
    numpy = {n: tuple(map(np.int64, v)) if n == "hidden" else np.int64(v) for n, v in given.items()}
    model, same = (ZOO["desom"](**options).fit(blobs[0]) for options in (given, numpy))
    np.testing.assert_array_equal(same.prototypes_, model.prototypes_)
    again = type(model).load(same.save(tmp_path))
    assert (again.n_steps, again.hidden) == (4, (8, 4))


def test_a_map_survives_a_pickle(fitted, blobs):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(blobs[0]), fitted.transform(blobs[0]))


def test_the_exported_model_is_the_model(fitted, blobs, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    path = fitted.export_onnx(tmp_path / "made" / "map.onnx")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for items in (blobs[0], blobs[0][:1]):  # any number of items
        latent, unit, distance = session.run(["latent", "unit", "distance"], {"items": items})
        units, distances = fitted.best_units(items, k=1)
        np.testing.assert_allclose(latent, fitted.encode(items), atol=1e-5)
        np.testing.assert_allclose(distance, distances[:, 0], atol=1e-5)
        assert np.array_equal(unit, units[:, 0])
    assert [p.name for p in path.parent.iterdir()] == ["map.onnx"]


def test_export_says_what_it_needs(fitted, tmp_path, monkeypatch):
    monkeypatch.setattr("somscope.models.onnx_file.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"onnx and onnxscript: pip install 'somscope\[onnx\]'"):
        fitted.export_onnx(tmp_path / "map.onnx")
    assert not list(tmp_path.iterdir())


def test_parameters_stay_as_they_were_given(blobs):
    grid = [2, 2]
    model = ZOO["desom"](grid=grid)
    assert clone(model).get_params() == model.get_params()
    assert model.fit(blobs[0]).grid is grid
