"""ConvDESOM: DESOM on convolutions; which images it takes, what it learns, and that it is kept in files."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import normalized_mutual_info_score

from somscope.data.collection import Collection
from somscope.errors import InputError
from somscope.models.conv_desom import ConvDESOM
from somscope.models.desom import DESOM

QUICK = {"filters": (4, 6), "latent_dim": 3, "grid": (2, 2), "batch_size": 30, "device": "cpu", "random_state": 0,
         "verbose": False}  # fmt: skip


@pytest.fixture(scope="module")
def fitted(pictures):
    return ConvDESOM(n_steps=150, finish_steps=30, learning_rate=5e-3, **QUICK).fit(pictures)


def test_it_learns_where_the_bars_are(fitted, pictures):
    few = ConvDESOM(n_steps=1, finish="none", **QUICK).fit(pictures)
    scores = [normalized_mutual_info_score(np.arange(120) % 4, m.labels_) for m in (few, fitted)]
    assert scores[0] < 0.7
    assert scores[1] > 0.9
    flat = pictures.reshape(120, -1) / 255
    assert np.square(fitted.decode(fitted.encode(pictures)) - flat).mean() < 0.2 * flat.var()
    assert fitted.decoded_prototypes_.shape == (4, 64)


def test_images_in_all_their_forms(fitted, pictures):
    collection = Collection(name="c", kind="images", features=pictures)
    flat = (pictures.reshape(120, -1) / np.float32(255)).astype(np.float32)
    for same in (collection, flat):
        assert np.array_equal(fitted.predict(same), fitted.labels_)
    settings = {**QUICK, "n_steps": 3, "finish_steps": 2}
    given = ConvDESOM(image_shape=(8, 8, 1), **settings).fit(flat)
    np.testing.assert_allclose(given.prototypes_, ConvDESOM(**settings).fit(pictures).prototypes_, atol=1e-4)


def test_legacy_has_the_same_loss_but_for_the_distance(pictures):
    """The convolutional model shares all but the net with the dense one."""
    legacy = ConvDESOM(**{**QUICK, "grid": (2, 3), "legacy": True, "n_steps": 5}).fit(pictures)
    assert float(legacy.module_.squared_lattice[0, 5]) == 1 + 4 + 4  # |0 - 5| // 3 + |0 - 5 mod 3| = 1 + 2
    assert legacy.n_iter_ == 5


def test_it_comes_back_from_its_file_and_goes_out_as_onnx(fitted, pictures, tmp_path):
    again = ConvDESOM.load(fitted.save(tmp_path / "map"))
    np.testing.assert_array_equal(again.transform(pictures), fitted.transform(pictures))
    assert again.image_shape_ == (8, 8, 1)
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(
        str(fitted.export_onnx(tmp_path / "m.onnx")), providers=["CPUExecutionProvider"]
    )
    flat = (pictures.reshape(120, -1) / np.float32(255)).astype(np.float32)
    latent, unit, distance = session.run(None, {"items": flat})
    units, distances = fitted.best_units(flat, k=1)
    np.testing.assert_allclose(latent, fitted.encode(flat), atol=1e-5)
    np.testing.assert_allclose(distance, distances[:, 0], atol=1e-5)
    assert np.array_equal(unit, units[:, 0])


def test_all_of_desoms_parameters_are_there():
    ours, dense = (inspect.signature(cls).parameters for cls in (ConvDESOM, DESOM))
    assert set(dense) - set(ours) == {"hidden"}
    assert set(ours) - set(dense) == {"filters", "image_shape"}
    assert all(ours[name].default == dense[name].default for name in set(ours) & set(dense))
    model = ConvDESOM(filters=[3], grid="2x2")
    assert clone(model).get_params() == model.get_params()
    assert model.filters == [3]


def test_items_are_encoded_in_little_memory(fitted):
    wide = ConvDESOM(filters=(64,), image_shape=(64, 64, 3))
    wide.n_features_in_, wide.image_shape_, wide.lattice_ = 64 * 64 * 3, (64, 64, 3), fitted.lattice_
    with torch.device("meta"):
        module = wide._module(None)
    assert module.block * 64 * 64 * 64 <= 2**24


@pytest.mark.parametrize(
    ("options", "side", "message"),
    [
        ({}, 7, "a side of 7 pixels cannot be halved 2 times"),
        ({"filters": ()}, 8, "at least one convolution"),
        ({"filters": (0,)}, 8, "filters="),
        ({"image_shape": (8, 8)}, 8, "allowed: .height, width, channels., or None"),
        ({"image_shape": (4, 16, 1)}, 8, "do not agree"),
        ({"latent_dim": 0}, 8, "latent_dim=0"),
    ],
    ids=str,
)
def test_what_is_refused(pictures, options, side, message):
    with pytest.raises(InputError, match=message):
        ConvDESOM(**{**QUICK, **options}).fit(np.ascontiguousarray(pictures[:, :side]))


def test_flat_items_need_a_shape(blobs):
    with pytest.raises(InputError, match="ConvDESOM needs images"):
        ConvDESOM(**QUICK).fit(blobs[0])
    with pytest.raises(InputError, match="has 64 values, an item 20"):
        ConvDESOM(image_shape=(8, 8, 1), **QUICK).fit(blobs[0])
