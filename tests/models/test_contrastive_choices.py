"""ContrastiveSOM: what it chooses from the items, few images and texts, and choices that it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from models.contrastive import QUICK, ROWS, signs, texts
from somscope.data import open_collection
from somscope.data.augment import AUGMENTATIONS
from somscope.errors import InputError
from somscope.maps.som import SOM
from somscope.measures.clustering import purity
from somscope.models import contrastive_module
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.runs.features import feature_matrix


def test_what_is_chosen_follows_the_items(drawn, blobs):
    steps = {"n_steps": 1, "joint_steps": 1, "decoder_steps": 1}
    images = drawn[0][:60]
    colours = np.random.default_rng(0).integers(0, 256, (60, 34, 8, 3), dtype=np.uint8)
    many = np.random.default_rng(0).integers(0, 256, (500, 6, 6, 3), dtype=np.uint8)
    words = np.where(np.random.default_rng(0).random((60, 30)) < 0.1, 1.0, 0.0).astype(np.float32)
    for items, options, network, why in (
        (images, {"augmentation": "digits"}, "small", set()),
        (images, {"augmentation": "photos"}, "small", set()),
        (images, {"augmentation": "vectors"}, "small", {"neighbours"}),  # images without prior knowledge
        (images, {"augmentation": "vectors", "network": "dense"}, "dense", {"neighbours"}),
        (images, {"augmentation": "vectors", "neighbours": 2}, "small", set()),
        (images, {"network": "small"}, "small", {"augmentation"}),
        (images, {}, "gradients", {"network"}),
        (colours, {}, "gradients", {"network"}),
        (many[:499], {}, "gradients", {"network"}),
        (many, {}, "small", {"augmentation"}),
        (colours, {"augmentation": "photos"}, "medium", set()),
        (many, {"network": "gradients"}, "gradients", set()),
        (blobs[0], {}, "dense", {"augmentation", "neighbours"}),
        (words, {}, "lsa", {"network"}),
        (words, {"network": "dense"}, "dense", {"augmentation", "neighbours"}),
    ):
        how = {**QUICK, **steps, "grid": (2, 2), "network": "auto", **options}
        model = ContrastiveSOM(**how).fit(items)
        assert model.network_ == network
        assert model.augmentation_ == options.get("augmentation", model.augmentation_)
        assert set(model.chosen_) == why
        assert np.isfinite(model.decoded_prototypes_).all()
        assert model.decoded_prototypes_.shape == (4, items[0].size)
        assert (model.n_iter_ == 1) == (network in ("gradients", "lsa"))


def test_gradients_of_a_few_images_tell_more_than_pixels(drawn, tmp_path):
    images, kinds = drawn[0][:150], drawn[1][:150]
    others, theirs = signs(300, seed=1)
    how = {**QUICK, "network": "auto", "latent_dim": 32}
    model = ContrastiveSOM(**how, n_clusters=4, decoder_steps=100).fit(images)
    assert model.network_ == "gradients"
    pixels = SOM(grid=(3, 4), device="cpu", random_state=0, verbose=False).fit(images.reshape(150, -1) / 255)
    raw = purity(theirs, pixels.predict(others.reshape(300, -1) / 255))
    assert purity(theirs, model.best_units(others, k=1)[0][:, 0]) > raw + 0.1
    codes = model.encode(images)
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1.0, rtol=1e-4)
    again = ContrastiveSOM.load(model.save(tmp_path))
    np.testing.assert_array_equal(again.predict(others), model.predict(others))
    repeated = ContrastiveSOM(**how, n_clusters=4, decoder_steps=100).fit(images)
    np.testing.assert_array_equal(repeated.encode(images), codes)
    assert purity(kinds, model.labels_) > 0.5


def test_few_texts_are_mapped_in_their_latent_semantics():
    words, topics = texts(240)
    how = {**QUICK, "network": "auto", "grid": (2, 3), "latent_dim": 3, "decoder_steps": 20}
    model = ContrastiveSOM(**how).fit(words)
    assert model.network_ == "lsa"
    assert purity(topics, model.labels_) > 0.9
    wanted = words @ np.linalg.svd(words)[2][:3].T
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    codes = model.encode(words)
    np.testing.assert_allclose(codes @ codes.T, wanted @ wanted.T, atol=0.1)


@pytest.mark.parametrize(("n", "network"), [(60, "lsa"), (500, "dense")])
def test_texts_of_few_different_words_are_texts(tmp_path, n, network):
    words = np.random.default_rng(0).choice(["oil", "wheat", "gold", "rate", "tax", "ship"], (n, 4))
    (tmp_path / "texts.txt").write_text("\n".join(map(" ".join, words)) + "\n")
    stories = open_collection(tmp_path / "texts.txt")
    assert (feature_matrix(stories).toarray() == 0).mean() < 0.7  # too few zeros to tell a text by them
    steps = {"n_steps": 1, "decoder_steps": 1, "latent_dim": 3}
    model = ContrastiveSOM(**{**QUICK, **steps, "grid": (2, 2), "network": "auto"}).fit(stories)
    assert (model.augmentation_, model.network_) == ("text", network)


@pytest.mark.parametrize("value", [0, 255])
def test_images_of_one_colour_each_are_mapped_by_it(value):
    images = np.full((40, 9, 9, 3), value, np.uint8)
    images[..., 0] = np.arange(40)[:, None, None] * 6
    model = ContrastiveSOM(**{**QUICK, "network": "auto", "grid": 4, "decoder_steps": 1}).fit(images)
    units = model.best_units(images, k=1)[0][:, 0]
    steps = np.diff(units)
    assert (steps >= 0).all() or (steps <= 0).all()
    assert len(set(units)) == 4


def test_columns_count_alike_whatever_their_unit(blobs):
    items = blobs[0]
    units = np.logspace(-3, 3, items.shape[1]).astype(np.float32)
    steps = {"n_steps": 40, "joint_steps": 10, "decoder_steps": 40}
    model, same = (ContrastiveSOM(**ROWS, **steps).fit(x) for x in (items, items * units))
    assert purity(blobs[1], model.labels_) > 0.9
    assert np.mean(model.labels_ == same.labels_) > 0.95
    np.testing.assert_allclose(same.decoded_prototypes_.mean(0) / units, items.mean(0), atol=0.2)


def test_columns_are_measured_block_by_block(tmp_path, monkeypatch):
    """Of items in a file, too; a column that is constant, or nearly so, is not divided by next to nothing."""
    items = np.random.default_rng(0).normal([3.0, -1e6, 0.0, 0.0], [1.0, 10.0, 1e38, 0.0], (70, 4))
    items = items.astype(np.float32)
    items[0, 3] = 1e-44
    np.save(tmp_path / "items.npy", items)
    mapped = np.load(tmp_path / "items.npy", mmap_mode="r")
    monkeypatch.setattr(contrastive_module, "_BLOCK", 5 * items[0].nbytes)
    steps = {"n_steps": 1, "joint_steps": 1, "decoder_steps": 1}
    model = ContrastiveSOM(**{**ROWS, **steps, "grid": (2, 2)}).fit(mapped)
    np.testing.assert_allclose(model.module_.centre, items.mean(0, dtype=np.float64), rtol=1e-6, atol=1e-30)
    np.testing.assert_allclose(model.module_.width[:3], items.std(0, dtype=np.float64)[:3], rtol=1e-6)
    assert model.module_.width[3] == 1.0
    assert np.isfinite(model.prototypes_).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"augmentation": "letters"}, "augmentation='letters' is not known; allowed: auto, digits"),
        ({"network": "vgg"}, "network='vgg' is not known"),
        ({"n_steps": 0}, "n_steps=0"),
        ({"temperature": 0.0}, "temperature=0.0"),
        ({"radius": (0.1, 0.5)}, "radius"),
        ({"keep": -1.0}, "keep=-1.0"),
        ({"neighbours": -1}, "neighbours"),
        ({"n_clusters": 13}, "n_clusters=13; allowed: 1 to 12"),
        ({"n_clusters": 2.5}, "n_clusters=2.5"),
        ({"hidden": (0,)}, "hidden"),
        ({"final_radius": 0}, "final_radius=0"),
        ({"sinkhorn_rounds": -1}, "sinkhorn_rounds=-1; allowed: a whole number from 0"),
    ],
)
def test_choices_that_are_refused(drawn, options, message):
    with pytest.raises(InputError, match=message):
        ContrastiveSOM(**{**QUICK, **options}).fit(drawn[0][:50])


def test_images_are_no_rows_of_words(drawn):
    with pytest.raises(InputError, match="network='lsa' is not for images; allowed: gradients, small"):
        ContrastiveSOM(**{**QUICK, "network": "lsa"}).fit(drawn[0][:50])


def test_rows_have_no_views_of_images(blobs):
    for name, augmentation in AUGMENTATIONS.items():
        if name in ("digits", "objects", "photos"):
            assert type(augmentation).__name__ == "ImageAugmentation"
            with pytest.raises(InputError, match=f"augmentation='{name}' is for images"):
                ContrastiveSOM(**{**QUICK, "augmentation": name}).fit(blobs[0])
    with pytest.raises(InputError, match="network='small' is not for rows of numbers; allowed: dense, lsa"):
        ContrastiveSOM(**{**QUICK, "network": "small"}).fit(blobs[0])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((40, 8, 8, 3), 7, np.uint8), "all 40 items are equal"),
        (np.zeros((1, 8, 8, 3), np.uint8), "sample"),
        (np.arange(2 * 192, dtype=np.uint8).reshape(2, 8, 8, 3), "12 units for 2 items"),
    ],
    ids=["one colour", "one", "two"],
)
def test_images_that_make_no_map(images, message):
    with pytest.raises(InputError, match=message):
        ContrastiveSOM(**QUICK).fit(images)
