"""What every deep clusterer keeps: scikit-learn's rules, labels out of the losses, resuming, files, clear refusals."""

from __future__ import annotations

import json
import pickle
import signal
from functools import cache

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from models.clusters import CLUSTERS
from somscope.errors import InputError, RunError
from somscope.models.dec import DEC
from somscope.models.deep_map import DeepMap
from somscope.models.table import CLUSTERERS, MAPS, model_class

EVERY = pytest.mark.parametrize("make", CLUSTERS.values(), ids=CLUSTERS.keys())


# These set n_clusters=1, which is refused; `test_what_those_checks_ask` asks the same of two clusters.
ONE_CLUSTER = dict.fromkeys(
    (
        "check_dont_overwrite_parameters",
        "check_methods_subset_invariance",
        "check_fit2d_1sample",
        "check_fit2d_1feature",
        "check_fit2d_predict1d",
    ),
    "the check sets n_clusters=1, of which there is nothing to learn",
)
CLASSIFIER = dict.fromkeys(
    ("check_estimator_sparse_array", "check_estimator_sparse_matrix"),
    "the check takes whatever has predict_proba for a classifier",
)


@parametrize_with_checks(
    [make() for make in CLUSTERS.values()],
    expected_failed_checks=lambda estimator: (
        ONE_CLUSTER | (CLASSIFIER if hasattr(estimator, "predict_proba") else {})
    ),
)
def test_rules_of_scikit_learn(estimator, check):
    check(estimator)


@EVERY
def test_what_those_checks_ask(make, blobs):
    items = blobs[0]
    model = make(n_clusters=2)
    parameters = model.get_params()
    public = {name for name in vars(model) if not name.endswith("_")}
    model.fit(items[:, :1])
    assert model.get_params() == parameters
    assert {name for name in vars(model) if not name.endswith("_")} == public
    parts = [items[i : i + 1, :1] for i in range(20)]
    np.testing.assert_array_equal(np.concatenate([model.predict(p) for p in parts]), model.labels_[:20])
    distances = np.concatenate([model.transform(p) for p in parts])
    np.testing.assert_allclose(distances, model.transform(items[:20, :1]), atol=1e-5)
    np.testing.assert_array_equal(model.predict(sparse.csr_matrix(items[:, :1])), model.labels_)
    with pytest.raises(InputError, match="1D array"):
        model.predict(items[0, :1])
    with pytest.raises(InputError, match="n_clusters=2: X has 1 sample"):
        make(n_clusters=2).fit(items[:1])


def weights(model):
    return model.module_.state_dict()


def same(model, other):
    assert weights(model).keys() == weights(other).keys()
    for name, tensor in weights(model).items():
        assert torch.equal(tensor, weights(other)[name]), name


@pytest.fixture(scope="module")
def whole(blobs):
    """The uninterrupted training of each clusterer, made once."""
    return cache(lambda make: make().fit(blobs[0]))


@pytest.fixture(scope="module", params=CLUSTERS.values(), ids=CLUSTERS.keys())
def fitted(request, blobs):
    return request.param(n_clusters=6, hidden=(32,), pretrain_epochs=60).fit(blobs[0])


def test_what_a_fitted_clusterer_answers(fitted, blobs):
    items, labels = blobs
    codes, distances = fitted.encode(items), fitted.transform(items)
    wanted = np.sqrt(((codes[:, None].astype(np.float64) - fitted.cluster_centers_) ** 2).sum(2))
    np.testing.assert_allclose(distances, wanted, atol=1e-5)
    own = fitted.predict_proba(items).argmax(1) if hasattr(fitted, "predict_proba") else wanted.argmin(1)
    assert np.array_equal(fitted.labels_, own)
    assert np.array_equal(fitted.predict(items), fitted.labels_)
    assert np.array_equal(fitted.hits_, np.bincount(fitted.labels_, minlength=6))
    assert fitted.inertia_ == pytest.approx(wanted[np.arange(300), own].mean(), abs=1e-5)
    assert fitted.decoded_prototypes_.shape == (6, 20)
    assert fitted.decode(codes).shape == (300, 20)
    assert fitted.n_iter_ == fitted.history_["step"][-1]
    assert fitted.stop_reason_ == "completed"
    assert not isinstance(fitted, DeepMap)
    assert not fitted.module_._remembered
    shuffled = np.random.default_rng(0).permutation(fitted.labels_)
    assert adjusted_rand_score(labels, shuffled) < 0.05 < 0.5 < adjusted_rand_score(labels, fitted.labels_)


def test_a_saved_clusterer_comes_back_bit_for_bit(fitted, blobs, tmp_path):
    again = type(fitted).load(fitted.save(tmp_path))
    assert set(vars(again)) == set(vars(fitted))
    same(again, fitted)
    for name, value in vars(fitted).items():
        if name != "module_":
            np.testing.assert_equal(getattr(again, name), value, err_msg=name)
    np.testing.assert_array_equal(again.transform(blobs[0]), fitted.transform(blobs[0]))
    described = json.loads((tmp_path / "model.json").read_text())
    described["parameters"]["n_clusters"] = 5
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(RunError, match=f"not a whole description of a {fitted.model_name} clustering"):
        type(fitted).load(tmp_path)


def test_a_clusterer_survives_a_pickle(fitted, blobs):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(blobs[0]), fitted.transform(blobs[0]))


def test_the_exported_model_is_the_model(fitted, blobs, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    path = fitted.export_onnx(tmp_path / "clusterer.onnx")
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    latent, unit, distance = session.run(["latent", "unit", "distance"], {"items": blobs[0]})
    np.testing.assert_allclose(latent, fitted.encode(blobs[0]), atol=1e-4)
    np.testing.assert_allclose(distance, fitted.best_units(blobs[0], k=1)[1][:, 0], atol=1e-4)
    assert np.array_equal(unit, fitted.labels_)


@EVERY
def test_labels_never_reach_a_loss_and_the_global_state_stays(make, blobs, whole):
    alone = whole(make)
    state = torch.random.get_rng_state()
    numpy_state = np.random.get_state()[1].copy()  # noqa: NPY002
    same(alone, make().fit(blobs[0], blobs[1]))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    other = make(random_state=1).fit(blobs[0])
    assert not np.array_equal(alone.cluster_centers_, other.cluster_centers_)


@EVERY
@pytest.mark.parametrize(("phase", "at"), [(0, 3), (-1, 12)])
def test_interrupted_and_resumed_is_never_interrupted(make, phase, at, blobs, tmp_path, whole):
    wanted = whole(make)
    model = make(checkpoints=tmp_path / "checkpoints")
    phases = model._phases

    def with_interrupt(*args):
        made = phases(*args)
        task = [p for p in made if p.n_epochs != 0][phase].task
        losses = task.losses

        def interrupted(batch, step):
            if step == at:
                signal.raise_signal(signal.SIGINT)
            return losses(batch, step)

        task.losses = interrupted
        return made

    model._phases = with_interrupt
    model.fit(blobs[0])
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_ < wanted.n_iter_
    assert model.cluster_centers_.any()
    again = make(checkpoints=tmp_path / "checkpoints", resume=True).fit(blobs[0])
    assert again.stop_reason_ == "completed"
    assert again.n_iter_ == wanted.n_iter_
    assert again.n_reseeded_ == wanted.n_reseeded_
    assert getattr(again, "n_updates_", 0) == getattr(wanted, "n_updates_", 0)
    np.testing.assert_array_equal(again.labels_, wanted.labels_)
    same(again, wanted)


@EVERY
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[:2], r"n_clusters=6: X has 2 sample\(s\), which is fewer"),
        (lambda x: np.repeat(x[:4], 50, axis=0), "n_clusters=6: only 4 of the 200 items are different"),
        (lambda x: np.ones_like(x), "all 300 items are equal"),
        (lambda x: np.where(np.arange(20) == 3, np.nan, x), "NaN"),
        (lambda x: np.where(np.arange(20) == 3, np.inf, x), "infinity"),
        (lambda x: x[:, :0], "0 feature"),
        (lambda x: x.reshape(300, 4, 5), r"shape \(300, 4, 5\)"),
    ],
    ids=["few", "repeated", "equal", "nan", "inf", "none", "3-d"],
)
def test_items_that_are_refused(make, blobs, spoil, message):
    with pytest.raises(InputError, match=message):
        make(n_clusters=6).fit(spoil(blobs[0]))


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("dec", {"n_clusters": 1}, "n_clusters=1; allowed: a whole number from 2"),
        ("dec", {"n_clusters": 2.0}, "n_clusters=2.0"),
        ("dec", {"tol": 1.0}, "tol=1.0 is a share of the items; allowed: from 0 to below 1"),
        ("dec", {"update_interval": 0}, "update_interval=0; allowed: a whole number from 1"),
        ("dec", {"normalise": "yes"}, "normalise='yes'; allowed: True or False"),
        ("dec", {"hidden": (0,)}, "hidden="),
        ("idec", {"gamma": -1.0}, "gamma=-1.0; allowed: a number from 0"),
        ("aec", {"weight": -1.0}, "weight=-1.0; allowed: a number from 0"),
        ("dcn", {"weight": float("nan")}, "weight=nan"),
        ("dkm", {"alpha": "rising"}, "alpha='rising'; allowed: 'auto', 'annealed', a number above 0"),
        ("dkm", {"alpha": 0.0}, "alpha=0.0; allowed: a number above 0"),
        ("dkm", {"n_epochs": 0}, "n_epochs=0"),
        ("ae-kmeans", {"pretrain_epochs": -1}, "pretrain_epochs=-1; allowed: a whole number from 0"),
        ("dcn", {"batch_norm": True, "batch_size": 299}, "leaves a batch of one of the 300 items"),
        ("ae-kmeans", {"autoencoder": 5}, "autoencoder=5; allowed: None or a folder"),
        ("vade", {"checkpoints": 5}, "checkpoints=5; allowed: None or a folder"),
        ("ae-kmeans", {"training": {"clip": 1}}, "name in training='clip' is not known"),
    ],
)
def test_choices_that_are_refused(name, wrong, message, blobs):
    with pytest.raises(InputError, match=message):
        CLUSTERS[name](**wrong).fit(blobs[0])


def test_questions_that_are_refused(fitted, blobs):
    with pytest.raises(InputError, match="k=7: a clustering of 6 clusters has 1 to 6 best clusters"):
        fitted.best_units(blobs[0], k=7)
    with pytest.raises(InputError, match="codes of this clustering: 2"):
        fitted.decode(np.zeros((2, 3)))


def test_a_constant_feature_is_only_a_feature(blobs):
    items = np.concatenate([blobs[0], np.full((300, 1), 3.0, np.float32)], axis=1)
    model = CLUSTERS["ae-kmeans"](pretrain_epochs=100).fit(items)
    np.testing.assert_allclose(model.decoded_prototypes_[:, -1], 3.0, atol=0.5)


def test_images_are_pixels_over_255_and_normalised(pictures):
    model = CLUSTERS["dec"]().fit(pictures)
    flat = (pictures.reshape(len(pictures), -1) / 255.0).astype(np.float32)
    assert model.image_shape_ == (8, 8, 1)
    assert float(model.module_.scale) == pytest.approx(1 / np.sqrt((flat.astype(np.float64) ** 2).mean()))
    assert float(CLUSTERS["dec"](normalise=False).fit(pictures).module_.scale) == 1.0
    np.testing.assert_allclose(model.encode(pictures), model.encode(flat), atol=1e-5)
    # Normalised items make the same training in whatever unit they are measured.
    small, large = (CLUSTERS["dec"]().fit(flat * unit) for unit in (1.0, 1024.0))
    np.testing.assert_allclose(large.cluster_centers_, small.cluster_centers_, rtol=1e-3, atol=1e-4)


def test_the_table_knows_them():
    assert not MAPS.keys() & CLUSTERERS.keys()
    for name in CLUSTERERS:
        assert model_class(name).model_name == name
    assert model_class("dec") is DEC
