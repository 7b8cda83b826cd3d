"""ContrastiveSOM: what it learns, groups and uncertainty, collapse, and trainings that go on from others."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from models.contrastive import QUICK, ROWS, STEPS, signs, texts
from somscope.errors import InputError, RunError
from somscope.maps.som import SOM
from somscope.measures.clustering import accuracy, purity
from somscope.measures.units import unit_perplexity
from somscope.models import contrastive_module
from somscope.models.contrastive_som import ContrastiveSOM


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
