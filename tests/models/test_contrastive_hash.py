"""ContrastiveHash: its loss, what each term is for, what it learns, a kill and a resume, files, and refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from sklearn.base import clone

from models.coders import digits, killed, neighbours_alike
from somscope.data.augment import AUGMENTATIONS
from somscope.errors import InputError, RunError
from somscope.models.contrastive_hash import ContrastiveHash, ContrastiveHashModule, ContrastiveHashTask

QUICK = {
    "bits": 16,
    "latent_dim": 16,
    "n_epochs": 2,
    "batch_size": 50,
    "augmentation": "digits",
    "device": "cpu",
    "random_state": 0,
    "verbose": False,
}


@pytest.fixture(scope="module")
def images():
    return digits()[0][:300]


@pytest.fixture(scope="module")
def fitted(images):
    return ContrastiveHash(**QUICK).fit(images)


def generator():
    return torch.Generator().manual_seed(3)


def contrast(first, second, temperature):
    """NT-Xent by loops over the views."""
    views = [[v / math.sqrt(sum(w * w for w in row)) for v in row] for row in [*first, *second]]
    n, total = len(first), 0.0
    for i in range(2 * n):
        alike = [
            math.exp(sum(a * b for a, b in zip(views[i], row, strict=True)) / temperature) for row in views
        ]
        total -= math.log(alike[(i + n) % (2 * n)] / (sum(alike) - alike[i])) / (2 * n)
    return total


def test_the_loss_is_its_formula():
    net = ContrastiveHashModule((16, 16, 1), 8, latent_dim=6, generator=generator()).eval()
    views = torch.rand(8, 1, 16, 16, generator=generator())
    latent = net.encoder(views).detach()
    values = net.code(latent).detach().double().tolist()
    drawn = torch.rand(8, 8, generator=generator()).tolist()
    bits = [
        [1.0 if u < 1 / (1 + math.exp(-v)) else -1.0 for u, v in zip(us, vs, strict=True)]
        for us, vs in zip(drawn, values, strict=True)
    ]
    soft = [[2 / (1 + math.exp(-v)) - 1 for v in row] for row in values]
    projected = net.projector(latent).detach().double().tolist()
    together = 0.0
    for k in range(8):
        for j in range(8):
            if j != k:
                together += (sum(row[k] * row[j] for row in soft) / 8) ** 2 / 56
    wanted = {
        "codes": contrast(bits[:4], bits[4:], 0.3),
        "features": contrast(projected[:4], projected[4:], 0.3),
        "balance": sum((sum(row[k] for row in soft) / 8) ** 2 for k in range(8)) / 8,
        "decorrelation": together,
    }
    found = net.loss(views, {"features": 0.5, "balance": 0.2, "decorrelation": 0.1}, generator())
    assert {n: float(t.detach()) for n, t in found.terms.items()} == pytest.approx(wanted, rel=1e-4)
    total = wanted["codes"] + 0.5 * wanted["features"] + 0.2 * wanted["balance"] + 0.1 * together
    assert float(found.total.detach()) == pytest.approx(total, rel=1e-4)


def test_both_views_are_of_the_same_images(images):
    net = ContrastiveHashModule((16, 16, 1), 8, latent_dim=6, generator=generator())
    task = ContrastiveHashTask(net, lambda x, g: x.float(), {}, 1e-3, 1)
    seen = []
    net.loss = lambda views, weights, g: seen.append(views) or net.__class__.loss(net, views, weights, g)

    class Engine:
        generator = torch.Generator().manual_seed(0)

        def autocast(self):
            return torch.autocast("cpu", enabled=False)

        def step(self, loss):
            loss.backward()

    class batch:
        items = torch.from_numpy(images[:5].reshape(5, -1))

    task.update(batch, 0, Engine())
    expected = torch.from_numpy(images[:5, ..., 0]).float()
    assert torch.equal(seen[0][:5, 0], expected)
    assert torch.equal(seen[0][5:, 0], expected)
    missing = [n for n, p in net.named_parameters() if p.grad is None]
    assert not missing


def test_it_learns_to_find_what_is_alike(images):
    y = digits()[1][:300]
    random = np.random.default_rng(0).integers(0, 256, (300, 2), dtype=np.uint8)
    assert neighbours_alike(random, y) < 0.15
    short, long = (ContrastiveHash(**{**QUICK, "latent_dim": 32, "n_epochs": n}).fit(images) for n in (1, 20))
    assert neighbours_alike(short.encode(images), y) < 0.3
    assert neighbours_alike(long.encode(images), y) > 0.65
    assert long.effective_bits_ == 16


def codes_with(images, balance, decorrelation):
    """(300, 16) bits of -1 and 1."""
    model = ContrastiveHash(**{**QUICK, "n_epochs": 12, "balance": balance, "decorrelation": decorrelation})
    return np.where(model.fit(images).project(images) >= 0, 1.0, -1.0)


def test_what_each_term_is_for(images):
    """Switched off, balance leaves bits that are the same for most images, and decorrelation bits that say the same."""

    def unbalanced(bits):
        return float(np.square(bits.mean(0)).mean())

    def correlated(bits):
        return float((np.square(bits.T @ bits / len(bits)).sum() - 16) / (16 * 15))

    neither, balanced, both = (
        codes_with(images, *weights) for weights in ((0.0, 0.0), (1.0, 0.0), (1.0, 10.0))
    )
    assert unbalanced(balanced) < 0.06
    assert unbalanced(neither) > 1.5 * unbalanced(balanced)
    assert correlated(both) < 0.13
    assert correlated(balanced) > 1.5 * correlated(both)


def test_codes_are_packed_signs_of_single_images(fitted, images):
    codes = fitted.encode(images)
    assert codes.shape == (300, 2)
    np.testing.assert_array_equal(np.packbits(fitted.project(images) >= 0, axis=1), codes)
    np.testing.assert_array_equal(fitted.encode(images[7:8]), codes[7:8])
    assert fitted.chosen_ == {"network": "small: the training runs on a CPU"}


@pytest.mark.parametrize(("network", "channels"), [("small", 3), ("resnet10", 1)])
def test_networks_and_colours(network, channels, images):
    x = images[:20].repeat(channels, 3)
    options = {**QUICK, "network": network, "augmentation": "auto", "n_epochs": 1, "batch_size": 10}
    model = ContrastiveHash(**options).fit(x)
    assert model.encode(x).shape == (20, 2)
    assert model._settings()["augmentation"] in AUGMENTATIONS
    assert "augmentation" in model.chosen_


def test_labels_and_global_random_states_change_nothing(fitted, images):
    state = torch.random.get_rng_state()
    again = clone(fitted).fit(images, np.arange(300))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert again.fingerprint == fitted.fingerprint
    assert clone(fitted).set_params(random_state=1).fit(images).fingerprint != fitted.fingerprint


def test_killed_and_resumed_is_never_killed(fitted, images, tmp_path):
    how = killed(ContrastiveHash, ContrastiveHashTask, QUICK, images, tmp_path, at=9, every=4)
    resumed = ContrastiveHash(**QUICK, **how).fit(images)
    assert resumed.n_iter_ == fitted.n_iter_ == 12
    for name, tensor in fitted.module_.state_dict().items():
        assert torch.equal(tensor, resumed.module_.state_dict()[name]), name


def test_saved_and_loaded(fitted, images, tmp_path):
    loaded = ContrastiveHash.load(fitted.save(tmp_path))
    np.testing.assert_array_equal(loaded.encode(images), fitted.encode(images))
    assert loaded.fingerprint == fitted.fingerprint
    assert loaded.get_params() == fitted.get_params()
    described = json.loads((tmp_path / "model.json").read_text())
    described["state"]["network"] = "vgg"
    (tmp_path / "model.json").write_text(json.dumps(described))
    with pytest.raises(RunError, match="network='vgg' is not known; allowed: small, resnet10, resnet18"):
        ContrastiveHash.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 20}, "bits=20; allowed: a positive multiple of 8"),
        ({"network": "vgg"}, "network='vgg' is not known; allowed: auto, small, resnet10, resnet18"),
        (
            {"augmentation": "vectors"},
            "augmentation='vectors' is not known; allowed: auto, digits, objects, photos",
        ),
        ({"batch_size": 1}, "batch_size=1; allowed: a whole number from 2"),
        ({"temperature": 0.0}, "temperature=0.0; allowed: a number above 0"),
        ({"balance": -1}, "balance=-1; allowed: a number from 0"),
        ({"latent_dim": 0}, "latent_dim=0; allowed: a whole number from 1"),
    ],
    ids=str,
)
def test_what_is_refused(options, message, images):
    with pytest.raises(InputError, match=message):
        ContrastiveHash(**{**QUICK, **options}).fit(images)
