"""ContrastiveSOM: what it learns, groups and uncertainty, collapse, and what it chooses from the items."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from somscope.data import open_collection
from somscope.data.augment import AUGMENTATIONS
from somscope.errors import InputError, RunError
from somscope.maps.som import SOM
from somscope.measures.clustering import accuracy, purity
from somscope.measures.units import unit_perplexity
from somscope.models import contrastive_module
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.runs.features import feature_matrix

QUICK = {
    "grid": (3, 4),
    "latent_dim": 8,
    "hidden": (32,),
    "network": "small",  # fewer than 500 images are not learned from unless it is asked for
    "device": "cpu",
    "verbose": False,
    "random_state": 0,
}
ROWS = {**QUICK, "network": "dense"}
STEPS = {"n_steps": 250, "joint_steps": 50, "decoder_steps": 400, "batch_size": 64, "learning_rate": 0.003}


def signs(n: int = 400, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(n, 16, 16, 1) four signs, moved, turned and written thinly or thickly, so that pixels say little; and which."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    kinds = rng.integers(0, 4, n)
    images = np.zeros((n, 16, 16, 1), np.uint8)
    for i, kind in enumerate(kinds):
        angle, thick = rng.uniform(-0.25, 0.25), rng.uniform(0.08, 0.16)
        u, v = x - rng.uniform(-0.2, 0.2), y - rng.uniform(-0.2, 0.2)
        u, v = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
        length = np.maximum(np.abs(u), np.abs(v)) < 0.6
        lines = (
            np.abs(np.hypot(u, v) - 0.45) < thick,  # ring
            ((np.abs(u) < thick) | (np.abs(v) < thick)) & length,  # plus
            (np.abs(u) < thick) & length,  # bar
            ((np.abs(v - 0.4) < thick) | (np.abs(v + 0.4) < thick)) & length,  # equals
        )
        images[i, ..., 0] = 255 * lines[kind]
    return images, kinds


@pytest.fixture(scope="module")
def drawn() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    return signs()


@pytest.fixture(scope="module")
def trained(drawn) -> ContrastiveSOM:
    return ContrastiveSOM(**QUICK, **STEPS, n_clusters=4, final_radius=None).fit(drawn[0])


def test_it_learns_what_pixels_do_not_say(trained, drawn):
    images, _kinds = drawn
    others, their_kinds = signs(300, seed=1)
    pixels = SOM(grid=(3, 4), device="cpu", random_state=0, verbose=False).fit(
        images.reshape(len(images), -1)
    )
    before = ContrastiveSOM(**QUICK, **{**STEPS, "n_steps": 1, "joint_steps": 1, "decoder_steps": 1}).fit(
        images
    )
    raw = purity(their_kinds, pixels.best_units(others.reshape(300, -1), k=1)[0][:, 0])
    bad = purity(their_kinds, before.best_units(others, k=1)[0][:, 0])
    good = purity(their_kinds, trained.best_units(others, k=1)[0][:, 0])
    assert bad < 0.7
    assert good > 0.86
    assert good > raw + 0.15


def test_groups_are_neighbouring_units_and_what_predict_says(trained, drawn, tmp_path):
    images, kinds = drawn
    groups, units = trained.unit_clusters_, trained.best_units(images, k=1)[0][:, 0]
    assert sorted(set(groups)) == [0, 1, 2, 3]
    assert np.array_equal(trained.predict(images), groups[units])
    assert np.array_equal(trained.labels_, groups[units])
    assert np.array_equal(trained.hits_, np.bincount(units, minlength=12))
    near = trained.lattice_.adjacency()
    for group in range(4):  # each is one piece of the lattice
        members = np.flatnonzero(groups == group)
        reached = {members[0]}
        for _ in members:
            reached |= {m for m in members if near[m, list(reached)].any()}
        assert reached == set(members)
    assert accuracy(kinds, trained.labels_) > 0.95
    again = ContrastiveSOM.load(trained.save(tmp_path))
    assert np.array_equal(again.unit_clusters_, groups)
    np.testing.assert_array_equal(again.predict(images), trained.predict(images))
    np.testing.assert_array_equal(again.uncertainty(images), trained.uncertainty(images))
    assert again.augmentation_ == trained.augmentation_ == "digits"
    assert again.network_ == "small"


def test_the_uncertainty_is_the_entropy_of_the_groups(trained, drawn):
    images, _ = drawn
    squared = trained.transform(images[:20]).astype(np.float64) ** 2
    p = np.exp(-squared / (2 * trained.sharpness))
    p /= p.sum(1, keepdims=True)
    shares = np.stack([p[:, trained.unit_clusters_ == g].sum(1) for g in range(4)], 1)
    wanted = -(shares * np.log(shares)).sum(1) / np.log(4)
    np.testing.assert_allclose(trained.uncertainty(images[:20]), wanted, atol=1e-4)


def test_two_signs_over_each_other_are_less_certain(trained):
    (one, kinds), (other, others) = signs(300, seed=2), signs(300, seed=3)
    both = np.maximum(one, other)[kinds != others]
    either = trained.uncertainty(np.concatenate([one, both]))
    assert either.min() >= 0
    assert either.max() <= 1
    assert roc_auc_score(np.repeat([0, 1], [len(one), len(both)]), either) > 0.6


def test_prototypes_are_pictures(trained, drawn):
    images, _ = drawn
    units = trained.best_units(images, k=1)[0][:, 0]
    flat = images.reshape(len(images), -1) / 255.0
    shown = trained.decoded_prototypes_
    assert shown.min() >= 0
    assert shown.max() <= 1
    errors = np.stack([np.mean((flat - picture) ** 2, axis=1) for picture in shown], axis=1)
    own = errors[np.arange(len(flat)), units]
    assert own.mean() < 0.95 * errors.mean()
    assert own.mean() < np.mean((flat - flat.mean(0)) ** 2)


def test_the_decoder_teaches_the_encoder_nothing(drawn):
    images = drawn[0][:100]
    steps = {"n_steps": 3, "joint_steps": 2, "batch_size": 64}
    short, long = (ContrastiveSOM(**QUICK, **steps, decoder_steps=d).fit(images) for d in (1, 9))
    ours, theirs = short.module_.state_dict(), long.module_.state_dict()
    same = [name for name in ours if torch.equal(ours[name], theirs[name])]
    assert {name for name in ours if not name.startswith("decoder")} <= set(same)
    assert not any(name.startswith("decoder") and "weight" in name for name in same)


def test_similar_items_teach_what_no_views_do():
    words, topics = texts(600)
    steps = {"grid": (2, 3), "augmentation": "text", "joint_steps": 0, "decoder_steps": 0, "batch_size": 128}

    def shared(neighbours: int, n_steps: int) -> float:
        model = ContrastiveSOM(**{**ROWS, **steps, "neighbours": neighbours, "n_steps": n_steps}).fit(words)
        return purity(topics, model.labels_)

    before, alone, similar = shared(20, 1), shared(0, 150), shared(20, 150)
    assert similar > alone + 0.1
    assert similar > before + 0.1


def test_neighbours_of_images_are_asked_for(drawn):
    images = drawn[0][:80]
    steps = {"n_steps": 5, "joint_steps": 2, "decoder_steps": 1, "batch_size": 40}
    codes = {
        k: ContrastiveSOM(**QUICK, **steps, augmentation="digits", neighbours=k).fit(images).encode(images)
        for k in (None, 0, 5)
    }
    np.testing.assert_array_equal(codes[None], codes[0])
    assert not np.allclose(codes[5], codes[0], atol=0.1)


@pytest.mark.parametrize("phase", [0, 2, 3])
def test_killed_and_resumed_is_never_killed(drawn, tmp_path, phase):
    images = drawn[0][:150]
    steps = {"n_steps": 8, "joint_steps": 8, "decoder_steps": 8, "batch_size": 32, "neighbours": 5}
    whole = ContrastiveSOM(**QUICK, **steps).fit(images)
    options = {"checkpoint_steps": 5, "checkpoint_minutes": None, "log_steps": 4}
    model = ContrastiveSOM(**QUICK, **steps, checkpoints=tmp_path, training=options)
    phases = model._phases

    def killed(*given):
        made = phases(*given)
        task, losses = made[phase].task, made[phase].task.losses

        def stop(batch, step):
            if step == 6:
                raise MemoryError
            return losses(batch, step)

        task.losses = stop
        return made

    model._phases = killed
    with pytest.raises(MemoryError):
        model.fit(images)
    again = ContrastiveSOM(**QUICK, **steps, checkpoints=tmp_path, training=options, resume=True).fit(images)
    for name, tensor in whole.module_.state_dict().items():
        assert torch.equal(tensor, again.module_.state_dict()[name]), name
    np.testing.assert_array_equal(again.labels_, whole.labels_)


def attracting(first, second, temperature):
    """All views come together, those of different items, too."""
    views = torch.nn.functional.normalize(torch.cat([first, second]), dim=1)
    return (1.0 - views @ views.T).mean()


def test_a_collapsed_encoder_is_trained_again_and_then_reported(drawn, monkeypatch):
    images = drawn[0][:200]
    steps = {"n_steps": 50, "joint_steps": 2, "decoder_steps": 1, "batch_size": 64, "learning_rate": 0.02}
    monkeypatch.setattr(contrastive_module, "nt_xent_loss", attracting)
    once = ContrastiveSOM(**QUICK, **steps).fit(images)
    assert [w.partition(",")[0] for w in once.warnings_] == ["the encoder has collapsed"]
    assert "trained again" in once.warnings_[0]
    assert once.encode(images).var(0).sum() > 0.2
    assert once.n_iter_ == 50 + 50 + 2 + 1
    monkeypatch.setattr(contrastive_module, "_SPREAD", 0.0)
    twice = ContrastiveSOM(**QUICK, **steps).fit(images)
    assert any("collapsed again" in w for w in twice.warnings_)
    assert twice.encode(images).var(0).sum() < 0.1


def test_without_joint_training_the_map_is_a_batch_som_on_the_codes(drawn):
    images = drawn[0][:150]
    model = ContrastiveSOM(**QUICK, n_steps=30, joint_steps=0, batch_size=64).fit(images)
    codes = model.encode(images)
    som = SOM(grid=(3, 4), radius=0.35, device="cpu", random_state=0, verbose=False).fit(codes)
    assert model.inertia_ == pytest.approx(som.inertia_, rel=0.1)
    assert model.n_iter_ == 30 + 9


def test_last_passes_bring_the_prototypes_to_the_items(drawn):
    images = drawn[0][:150]
    steps = {"n_steps": 3, "joint_steps": 3, "decoder_steps": 1, "batch_size": 64}
    learned, near, wide = (
        ContrastiveSOM(**QUICK, **steps, final_radius=r).fit(images) for r in (None, 0.2, 3.0)
    )
    np.testing.assert_array_equal(near.encode(images), learned.encode(images))
    assert near.inertia_ < learned.inertia_
    assert near.inertia_ < wide.inertia_
    assert wide.u_matrix_.mean() < near.u_matrix_.mean()


def test_only_trainings_with_the_same_settings_are_taken_over(blobs, tmp_path):
    how = {**ROWS, "n_steps": 4}
    ContrastiveSOM(**how).fit(blobs[0]).save(tmp_path / "passed")
    with pytest.raises(InputError, match="has had its last passes"):
        ContrastiveSOM(**how, start=tmp_path / "passed").fit(blobs[0])
    ContrastiveSOM(**how, final_radius=None).fit(blobs[0]).save(tmp_path / "whole")
    ContrastiveSOM(**how, joint_steps=0).fit(blobs[0]).save(tmp_path / "encoder")
    taken = ContrastiveSOM(**how, start=tmp_path / "whole").fit(blobs[0])
    np.testing.assert_array_equal(taken.prototypes_, ContrastiveSOM(**how).fit(blobs[0]).prototypes_)
    assert taken.n_iter_ == 0
    assert ContrastiveSOM(**how, keep=0.1, start=tmp_path / "encoder").fit(blobs[0]).n_iter_ > 0
    with pytest.raises(InputError, match=r"has keep 0.3; this model has 0.1; a start with joint_steps=0"):
        ContrastiveSOM(**how, keep=0.1, start=tmp_path / "whole").fit(blobs[0])
    with pytest.raises(InputError, match="has neighbours 5; this model has 2"):
        ContrastiveSOM(**how, neighbours=2, start=tmp_path / "encoder").fit(blobs[0])
    with pytest.raises(InputError, match="has decoder_steps 2; this model has 3; a start with joint_steps=0"):
        ContrastiveSOM(**{**how, "decoder_steps": 3}, start=tmp_path / "whole").fit(blobs[0])
    for change in (
        {"grid": (3, 3)},
        {"latent_dim": 4},
        {"hidden": (16,)},
        {"n_steps": 5},
        {"augmentation": "text"},
    ):
        with pytest.raises(InputError, match="this model has"):
            ContrastiveSOM(**{**how, **change}, start=tmp_path / "encoder").fit(blobs[0])


def test_a_collapsed_start_is_reported_and_kept(blobs, tmp_path):
    """There is nothing to train it again with: first weights in its place would be no better."""
    point = ContrastiveSOM(**ROWS, n_steps=1, joint_steps=0).fit(blobs[0])
    *_, weights, bias = point.module_.encoder.parameters()
    weights.data.mul_(0.05)
    bias.data.fill_(1.0)
    codes = point.encode(blobs[0])
    assert 0.0 < codes.var(0).sum() < 0.04
    model = ContrastiveSOM(**ROWS, n_steps=1, start=point.save(tmp_path)).fit(blobs[0])
    assert [w.partition(":")[0] for w in model.warnings_] == ["the encoder has collapsed again"]
    assert model.n_iter_ == 2  # one of both together, one of the decoder
    np.testing.assert_allclose(model.encode(blobs[0]), codes, atol=0.05)
    weights.data.zero_()
    with pytest.raises(InputError, match="all 300 items got the same code"):
        ContrastiveSOM(**ROWS, n_steps=1, start=point.save(tmp_path)).fit(blobs[0])


def test_rounds_have_units_used_alike(drawn):
    images = drawn[0]
    steps = {"n_steps": 1, "joint_steps": 60, "decoder_steps": 0, "batch_size": 64, "learning_rate": 0.003}
    even, uneven = (
        ContrastiveSOM(**QUICK, **steps, sinkhorn_rounds=n, final_radius=None).fit(images) for n in (3, 0)
    )
    assert unit_perplexity(even.labels_, 12) > unit_perplexity(uneven.labels_, 12) + 1


def test_an_encoder_that_has_not_collapsed_is_trained_once(trained):
    assert not any("collapsed, its codes" in w for w in trained.warnings_)
    assert trained.n_iter_ == STEPS["n_steps"] + STEPS["joint_steps"] + STEPS["decoder_steps"]


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


def texts(n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Three topics, of whose 60 words each text holds four: two texts of a topic may have no word in common."""
    rng = np.random.default_rng(0)
    topics = np.repeat([0, 1, 2], n // 3)
    words = np.zeros((n, 180), np.float32)
    for row, topic in enumerate(topics):
        words[row, 60 * topic + rng.choice(60, 4, replace=False)] = 1.0
        words[row, rng.choice(180, 1)] = 1.0
    return words / np.linalg.norm(words, axis=1, keepdims=True), topics


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


def test_it_says_that_it_was_not_trained_or_got_nothing(trained, drawn):
    for method in ("predict", "uncertainty", "best_units"):
        with pytest.raises(NotFittedError, match="not fitted yet"):
            getattr(ContrastiveSOM(), method)(drawn[0])
        with pytest.raises(InputError, match="0 sample"):
            getattr(trained, method)(drawn[0][:0])


def test_a_file_of_images_without_their_shape_is_refused(trained, tmp_path):
    file = trained.save(tmp_path / "map") / "model.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "image_shape": None}))
    with pytest.raises(RunError, match="network='small' is for images, and image_shape is missing"):
        ContrastiveSOM.load(tmp_path / "map")


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
