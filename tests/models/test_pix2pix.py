"""pix2pix: the recipe step by step, the jitter, the pool, files, resuming, what it learns, and what it refuses."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn.base import clone

from somscope import Pix2Pix
from somscope.data import Pairs, open_collection
from somscope.errors import InputError, RunError
from somscope.models.pictures import jitter, to_bytes, to_planes, with_channels
from somscope.models.pix2pix_module import Pix2PixModule, linear_decay
from somscope.nets.patchgan import PixelGAN
from somscope.nets.unet import UNet
from somscope.training.order import epoch_order, seed_for

PLAIN = {
    "filters": 4,
    "discriminator_filters": 4,
    "n_layers": 2,
    "device": "cpu",
    "random_state": 0,
    "verbose": False,
}
QUICK = {**PLAIN, "n_epochs": 2, "n_decay_epochs": 0, "batch_size": 4}


def disks(n, side=16, seed=0):
    """Outlines (n, s, s, 1), and the disks (n, s, s, 3) inside them, of three colours that go with the size."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    centre = rng.uniform(0.35, 0.65, (n, 2, 1, 1)) * side
    radius = rng.uniform(0.15, 0.4, (n, 1, 1)) * side
    away = np.hypot(y - centre[:, 0], x - centre[:, 1])
    edges = np.where(np.abs(away - radius) < 0.7, 0, 255).astype(np.uint8)[..., None]
    size = np.digitize(radius[..., None] / side, [0.23, 0.32])
    colours = np.array([[200, 40, 40], [40, 180, 60], [50, 60, 220]])[size[:, 0, 0, 0]][:, None, None]
    return edges, np.where((away < radius)[..., None], colours, 255).astype(np.uint8)


def plain_loss(scores, real, objective):
    if objective == "vanilla":
        return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, float(real)))
    if objective == "lsgan":
        return F.mse_loss(scores, torch.full_like(scores, float(real)))
    return -scores.mean() if real else scores.mean()


def plain_recipe(net, judge, pairs, seed, objective, n_steps):
    """The published training step, written out: batches of one, D then G, two Adams."""
    adam_g, adam_d = (torch.optim.Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.999)) for m in (net, judge))
    rows = []
    order = epoch_order(len(pairs), True, seed, 0, 0).tolist()
    torch.manual_seed(seed_for(seed, 2**32 - 2, 0))
    for i in order[:n_steps]:
        a, b = (
            torch.from_numpy(half[i][None]).permute(0, 3, 1, 2).float() / 127.5 - 1 for half in pairs.halves
        )
        made = net(a)
        fake = plain_loss(judge(torch.cat([a, made], 1).detach()), False, objective)
        real = plain_loss(judge(torch.cat([a, b], 1)), True, objective)
        loss_d = (fake + real) * 0.5
        row = {"discriminator_fake": fake.item(), "discriminator_real": real.item()}
        if objective == "wgangp":
            share = torch.rand(1, 1)[..., None, None]
            between = share * torch.cat([a, b], 1) + (1 - share) * torch.cat([a, made], 1).detach()
            between.requires_grad_()
            (slope,) = torch.autograd.grad(judge(between).mean(), between, create_graph=True)
            penalty = (slope.flatten().norm() - 1) ** 2
            row["discriminator_penalty"] = penalty.item()
            loss_d = loss_d + 10 * penalty
        adam_d.zero_grad()
        loss_d.backward()
        adam_d.step()
        for p in judge.parameters():
            p.requires_grad_(False)
        gan = plain_loss(judge(torch.cat([a, made], 1)), True, objective)
        l1 = F.l1_loss(made, b)
        adam_g.zero_grad()
        (gan + 100 * l1).backward()
        adam_g.step()
        for p in judge.parameters():
            p.requires_grad_(True)
        rows.append(row | {"gan": gan.item(), "l1": l1.item(), "loss": gan.item() + 100 * l1.item()})
    return rows


class Halves:
    def __init__(self, *halves):
        self.halves = halves

    def __len__(self):
        return len(self.halves[0])


@pytest.mark.parametrize(
    ("objective", "norm"), [("vanilla", "batch"), ("lsgan", "instance"), ("wgangp", "none")]
)
def test_three_steps_are_those_of_the_recipe(objective, norm):
    a, b = disks(3, 32)
    options = {"generator": "unet_32", "n_epochs": 1, "n_decay_epochs": 0, "enlarge": 1.0, "flip": False,
               "objective": objective, "norm": norm, "training": {"log_steps": 1}, **PLAIN}  # fmt: skip
    model = Pix2Pix(**options).fit(a, b)
    again = Pix2Pix(**options)
    again.image_size_, seed = (32, 32), again._seed()
    again.architecture_ = again._architecture(1, 3)
    module = again._module(torch.Generator().manual_seed(seed))
    module.train()
    rows = plain_recipe(module.generator, module.discriminator, Halves(a, b), seed, objective, 3)
    for at, row in enumerate(rows):
        for name, value in row.items():
            assert model.history_[name][at] == pytest.approx(value, rel=1e-4, abs=1e-6), (name, at)
    start = again._module(torch.Generator().manual_seed(seed)).state_dict()
    nets = {"generator": model.module_, "discriminator": model.discriminator_}
    made = {f"{part}.{name}": v for part, net in nets.items() for name, v in net.state_dict().items()}
    for name, wanted in module.state_dict().items():
        if not name.startswith("pool"):
            # A bias before instance norm does nothing: Adam makes whole steps of the rounding errors in its gradient.
            idle = norm == "instance" and name.endswith(".bias")
            torch.testing.assert_close(made[name], wanted, rtol=1e-4, atol=1.3e-3 if idle else 2e-6, msg=name)
            assert name.endswith(("bias", "running_mean")) or not torch.equal(start[name], wanted), name


def test_the_schedule():
    factors = [linear_decay(epoch, 100, 100) for epoch in range(200)]
    assert factors[:100] == [1.0] * 100
    steps = np.diff([1.0, *factors[100:], 0.0])
    np.testing.assert_allclose(steps, -1 / 101)  # in even steps to 0, which is not trained with
    assert [linear_decay(e, 1, 0) for e in range(1)] == [1.0]
    a, b = disks(4)
    model = Pix2Pix(**{**QUICK, "n_epochs": 1, "n_decay_epochs": 3, "training": {"log_steps": 1}}).fit(a, b)
    wanted = [2e-4 * f for f in (1, 3 / 4, 2 / 4, 1 / 4)]
    assert model.history_["learning_rate.generator"] == pytest.approx(wanted)
    assert model.history_["learning_rate.discriminator"] == pytest.approx(wanted)


def test_the_jitter_is_pillows_bicubic_cut_and_mirrored():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 16, 24, 2)).astype(np.uint8)
    found = jitter(torch.from_numpy(images), 286 / 256, True, torch.Generator().manual_seed(5)).numpy()
    draws = torch.Generator().manual_seed(5)
    top, left = (torch.randint(0, most + 1, (6, 1), generator=draws).flatten().tolist() for most in (2, 3))
    mirrored = (torch.rand((6, 1), generator=draws) < 0.5).flatten().tolist()
    assert len(set(top)) > 1
    assert len(set(left)) > 1
    assert len(set(mirrored)) > 1
    for i in range(6):
        for c in range(2):
            large = Image.fromarray(images[i, ..., c]).resize((27, 18), Image.Resampling.BICUBIC)
            cut = large.crop((left[i], top[i], left[i] + 24, top[i] + 16))
            cut = cut.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored[i] else cut
            assert np.abs(np.asarray(cut).astype(int) - found[i, ..., c]).max() <= 1
    same = jitter(torch.from_numpy(images), 1.0, False, torch.Generator())
    assert np.array_equal(same.numpy(), images)
    turned = jitter(torch.from_numpy(images), 1.0, True, torch.Generator().manual_seed(1)).numpy()
    kinds = [np.array_equal(turned[i], images[i]) for i in range(6)]
    assert not all(kinds)
    assert all(np.array_equal(turned[i], images[i] if k else images[i, :, ::-1]) for i, k in enumerate(kinds))


def test_bytes_and_planes():
    pixels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16, 1)
    planes = to_planes(pixels)
    assert planes.shape == (1, 1, 16, 16)
    assert to_planes(torch.zeros((2, 4, 5, 3), dtype=torch.uint8)).is_contiguous()  # faster, on a CPU
    torch.testing.assert_close(planes.flatten(), torch.arange(256.0) / 255 * 2 - 1, rtol=0, atol=1e-6)
    x = torch.tensor([-1.0, -0.999, 0.0, 0.5, 1.0]).reshape(1, 1, 1, 5)
    assert to_bytes(x).flatten().tolist() == [0, 0, 127, 191, 255]  # cut off: 127.5 is 127
    colours = np.random.default_rng(0).integers(0, 256, (2, 5, 4, 3)).astype(np.uint8)
    wanted = np.stack([np.asarray(Image.fromarray(one).convert("L")) for one in colours])[..., None]
    assert np.array_equal(with_channels(colours, 1, "source"), wanted)
    assert np.array_equal(with_channels(wanted, 3, "source"), np.repeat(wanted, 3, 3))


def test_the_pool():
    module = Pix2PixModule(UNet(1, 1, 2, 2), PixelGAN(2, 2), pool_shape=(6, 2, 1, 1))
    draws = torch.Generator().manual_seed(0)
    seen, held = [], {}
    for step in range(200):
        pairs = (
            torch.full((2, 2, 1, 1), 0.0) + torch.tensor([2.0 * step, 2.0 * step + 1])[:, None, None, None]
        )
        given = module.from_pool(pairs, draws)
        before = sorted(held)
        numbers = given[:, 0, 0, 0].tolist()
        held = {*module.pool[: int(module.pool_count), 0, 0, 0].tolist()}
        if step < 3:
            assert torch.equal(given, pairs)
        else:
            old = [n not in pairs[:, 0, 0, 0] for n in numbers]
            seen += old
            assert all(n in before for n, is_old in zip(numbers, old, strict=True) if is_old)
            assert len(held) == 6  # nothing is held twice, nothing is lost but what was given
            assert {*before, *pairs[:, 0, 0, 0].tolist()} == held | {*numbers}
    assert np.mean(seen) == pytest.approx(0.5, abs=0.08)


def test_it_learns_to_colour():
    a, b = disks(96)
    few, many = (
        Pix2Pix(**{**QUICK, "filters": 8, "n_epochs": n, "batch_size": 8, "learning_rate": 2e-3, "flip": False,
                   "enlarge": 1.0, "dropout": False}).fit(a, b)
        for n in (1, 14)
    )  # fmt: skip
    new_a, new_b = disks(40, seed=1)
    errors = [np.abs(m.transform(new_a).astype(float) - new_b).mean() for m in (few, many)]
    mean = np.abs(b.mean(0) - new_b).mean()
    assert errors[0] > 0.9 * mean
    assert errors[1] < 0.65 * mean


def test_direction_and_domains():
    a, b = disks(8)
    model = Pix2Pix("BtoA", domain_names=("edges", "disks"), **QUICK).fit(a, b)
    assert (model.architecture_.in_channels, model.architecture_.out_channels) == (3, 1)
    assert model.transform(b).shape == a.shape
    other = Pix2Pix("AtoB", **QUICK).fit(b, a)  # the same pairs the other way round
    assert np.array_equal(other.transform(b), model.transform(b))
    collections = [open_collection(x) for x in (a, b)]
    pairs = Pairs(*collections, names=tuple(str(i) for i in range(8)))
    assert np.array_equal(Pix2Pix("BtoA", **QUICK).fit(pairs).transform(collections[1]), model.transform(b))


def test_modes_of_use():
    a, b = disks(8, 32)
    model = Pix2Pix(**{**QUICK, "generator": "unet_64"}).fit(a, b)  # the fifth of six levels has dropout
    plain = model.transform(a)
    one = np.concatenate([model.transform(x[None]) for x in a])
    assert np.abs(plain.astype(int) - one).max() <= 1  # other sums, other roundings, nothing else
    draws = [model.transform(a, mode="official", seed=seed) for seed in (0, 0, 1)]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])
    assert np.array_equal(draws[0][:3], model.transform(a[:3], mode="official"))
    assert not np.array_equal(model.transform(a, mode="eval"), plain)
    state = torch.random.get_rng_state()
    model.transform(a, mode="official")
    assert torch.equal(state, torch.random.get_rng_state())
    with pytest.raises(InputError, match="mode='train' is not known; allowed: deterministic, official, eval"):
        model.transform(a, mode="train")


def test_files(tmp_path):
    a, b = disks(8)
    model = Pix2Pix(**{**QUICK, "random_state": np.random.RandomState(0), "checkpoints": tmp_path / "c"}).fit(
        a, b
    )
    model.save(tmp_path / "model")
    loaded = Pix2Pix.load(tmp_path / "model")
    for mode in ("deterministic", "official", "eval"):
        assert np.array_equal(loaded.transform(a, mode=mode), model.transform(a, mode=mode))
    assert (loaded.architecture_, loaded.image_size_) == (model.architecture_, (16, 16))
    assert (loaded.history_, loaded.checkpoints) == (model.history_, None)
    path = model.export_official(tmp_path / "latest_net_G.pth")
    read = Pix2Pix.from_official(path)
    assert np.array_equal(read.transform(a), model.transform(a))
    assert read.architecture_ == model.architecture_
    assert read.notes_[0].startswith(
        "inferred from the keys: unet_16, batch norm, 4 filters, 1 to 3 channels"
    )
    read.save(tmp_path / "read")
    assert np.array_equal(Pix2Pix.load(tmp_path / "read").transform(a), model.transform(a))
    assert np.array_equal(pickle.loads(pickle.dumps(model)).transform(a), model.transform(a))
    copy = clone(model)
    assert copy.filters == 4
    assert not hasattr(copy, "module_")


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d["architecture"].update(name="unet_64"), "weights that do not fit"),
        (lambda d: d["architecture"].update(filters=10**9), "filters=1000000000"),
        (lambda d: d["parameters"].update(direction="up"), "direction='up'"),
        (lambda d: d["parameters"].update(nothing=1), "nothing"),
        (lambda d: d.pop("image_size"), "image_size"),
        (lambda d: d["fitted"].pop("history_"), "history_"),
        (lambda d: d.update(model="desom"), "does not describe"),
    ],
)
def test_descriptions_that_were_edited(tmp_path, edit, message):
    import json

    from somscope.models.pix2pix import _NAME

    assert _NAME == "pix2pix"
    a, b = disks(4)
    Pix2Pix(**QUICK).fit(a, b).save(tmp_path)
    described = json.loads((tmp_path / "model.json").read_text())
    edit(described)
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(RunError, match=message):
        Pix2Pix.load(tmp_path)


@pytest.mark.parametrize("pool_size", [0, 3])
def test_resumed_to_the_same_bits(tmp_path, pool_size, monkeypatch):
    a, b = disks(6)
    options = {**QUICK, "n_epochs": 2, "n_decay_epochs": 2, "batch_size": 2, "pool_size": pool_size}
    whole = Pix2Pix(**options).fit(a, b)
    steps = {"training": {"checkpoint_steps": 1}, "checkpoints": tmp_path}

    from somscope.models.pix2pix_module import Pix2PixTask

    update, done = Pix2PixTask.update, []

    def dies(self, batch, step, engine):
        if len(done) == 7:
            raise MemoryError
        done.append(step)
        return update(self, batch, step, engine)

    monkeypatch.setattr(Pix2PixTask, "update", dies)
    with pytest.raises(MemoryError):
        Pix2Pix(**options, **steps).fit(a, b)
    monkeypatch.undo()
    resumed = Pix2Pix(**options, **steps, resume=True).fit(a, b)
    for found, wanted in ((resumed.module_, whole.module_), (resumed.discriminator_, whole.discriminator_)):
        assert all(torch.equal(x, y) for x, y in zip(
            found.state_dict().values(), wanted.state_dict().values(), strict=True))  # fmt: skip
    assert resumed.n_iter_ == whole.n_iter_ == 12
    with pytest.raises(RunError, match=r"other settings: model l1 was 100\.0 and is 50\.0"):
        Pix2Pix(**options, **steps, l1=50.0, resume=True).fit(a, b)


def test_sizes_that_are_no_multiple_are_said_once(caplog):
    a, b = disks(4, 18)
    with caplog.at_level(logging.WARNING):
        model = Pix2Pix(**{**QUICK, "batch_size": 1, "n_epochs": 1}).fit(a, b)
    assert [r.getMessage() for r in caplog.records] == [
        "unet_16 takes sides that are multiples of 16 pixels, from 16: images of 18x18 are padded by repeating "
        "their edges, and cut back"
    ]
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert model.transform(np.zeros((3, 5, 70, 3), np.uint8)).shape == (3, 5, 70, 3)
    assert len(caplog.records) == 1


def test_after_batches_of_several_images_eval_is_the_mode_that_fits(caplog):
    a, b = disks(96)
    options = {**QUICK, "filters": 8, "n_epochs": 20, "batch_size": 16, "learning_rate": 2e-3, "flip": False,
               "enlarge": 1.0, "dropout": False}  # fmt: skip
    model = Pix2Pix(**options).fit(a, b)
    new_a, new_b = disks(40, seed=1)
    with caplog.at_level(logging.WARNING):
        together = model.transform(new_a, mode="eval")
        assert caplog.records == []
        alone = model.transform(new_a)
        model.transform(new_a, mode="official")
    assert [r.getMessage()[:60] for r in caplog.records] == [
        "trained in batches of 16, whose images batch norm took toget"
    ]
    errors = [np.abs(made.astype(float) - new_b).mean() for made in (together, alone)]
    assert errors[0] < errors[1]
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        Pix2Pix(**{**QUICK, "norm": "instance", "n_epochs": 1}).fit(a[:8], b[:8]).transform(a[:1])
    assert caplog.records == []  # its statistics are of each image in training too


@pytest.mark.parametrize("options", [{"generator": "resnet_1blocks"}, {"discriminator": "pixel"}])
def test_other_networks(options):
    a, b = disks(4)
    model = Pix2Pix(**{**QUICK, **options, "precision": "bf16"}).fit(a, b)
    assert model.transform(a).shape == b.shape
    assert set(model.history_) >= {"gan", "l1", "discriminator_real", "discriminator_fake", "loss"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"direction": "up"}, "direction='up' is not known; allowed: AtoB, BtoA"),
        ({"domain_names": ("a",)}, r"domain_names=\('a',\); allowed: two names"),
        ({"generator": "unet"}, "generator 'unet' is not known; allowed: unet_256"),
        ({"discriminator": "basic"}, "discriminator='basic' is not known; allowed: patch, pixel"),
        ({"objective": "hinge"}, "objective='hinge' is not known; allowed: vanilla, lsgan, wgangp"),
        ({"norm": "layer"}, "norm='layer'"),
        ({"enlarge": 0.5}, "enlarge=0.5; allowed: from 1"),
        ({"n_epochs": 0}, "n_epochs and n_decay_epochs are both 0"),
        ({"pool_size": 2}, "pool_size=2; allowed: 0, or at least batch_size=4"),
        ({"dropout": "no"}, "dropout='no'; allowed: True or False"),
        (
            {"n_layers": 3},
            "16 pixels are too small for a discriminator of patches with n_layers=3, which needs 24",
        ),
        ({"l1": -1}, "l1=-1"),
        ({"batch_size": 0}, "batch_size=0"),
    ],
)
def test_parameters_that_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        Pix2Pix(**{**QUICK, **options}).fit(*disks(4))


def test_images_that_are_refused():
    a, b = disks(4)
    fitted = Pix2Pix(**QUICK).fit(a, b)
    for call, message in (
        (lambda: Pix2Pix(**QUICK).fit(a), "y is missing"),
        (lambda: Pix2Pix(**QUICK).fit(a, b[:3]), r"A has images \(4, 16, 16\) and B \(3, 16, 16\)"),
        (lambda: Pix2Pix(**QUICK).fit(a / 255, b), "A images are float64 of shape"),
        (lambda: Pix2Pix(**QUICK).fit(a[:0], b[:0]), "none of them 0"),
        (lambda: fitted.transform(np.zeros((2, 8, 8, 4), np.uint8)), "4 channels; the generator takes 1"),
        (lambda: fitted.transform(np.zeros(3)), "source images are float64"),
    ):
        with pytest.raises(InputError, match=message):
            call()
