"""DESOM: the published training step by step, the slips of its code, and the map that the finish gives back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from models.transcriptions import keras_rate
from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.models.ae_som import AESOM
from somscope.models.conv_desom import ConvDESOM
from somscope.models.desom import DESOM, DESOMModule
from somscope.models.module import lattice_distances
from somscope.nets.dense import DenseAutoencoder

SMALL = {"hidden": (16, 8), "latent_dim": 3, "device": "cpu", "random_state": 0, "verbose": False}


def weights_of(model):
    return {name: w.clone() for name, w in model.module_.state_dict().items() if name != "counts"}


def same(a, b, **tolerance):
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], msg=name, **(tolerance or {"rtol": 0, "atol": 0}))


def published_training(net, prototypes, x, columns, gamma, n_steps, batch_size, interval):
    """DESOM.py and train.py of the authors, in plain loops: fixed batches, the short one too, and the grid slip."""
    w = [p.detach().clone().double().requires_grad_() for p in [*net.parameters(), prototypes]]
    first, second = [torch.zeros_like(p) for p in w], [torch.zeros_like(p) for p in w]
    units, at, losses = np.arange(len(prototypes)), 0, []
    for t in range(n_steps):
        batch = torch.from_numpy(x[at : at + batch_size]).double()
        at = 0 if at + batch_size >= len(x) else at + batch_size
        z = batch
        for i in range(3):
            z = z @ w[2 * i].T + w[2 * i + 1]
            z = torch.relu(z) if i < 2 else z
        y = z
        for i in range(3, 6):
            y = y @ w[2 * i].T + w[2 * i + 1]
            y = torch.relu(y) if i < 5 else y
        d = ((z[:, None] - w[-1]) ** 2).sum(2)
        best = d.argmin(1).numpy()
        grid = np.abs(best[:, None] - units) // columns + np.abs(best[:, None] % columns - units % columns)
        temperature = 10.0 * (0.1 / 10.0) ** (t / (n_steps - 1))
        pull = torch.from_numpy(np.exp(-(grid**2) / temperature**2))
        pull = pull if t % interval == 0 else 0.0 * pull
        loss = ((y - batch) ** 2).mean() + gamma * (pull * d).sum(1).mean()
        for p, g, m, v in zip(w, torch.autograd.grad(loss, w), first, second, strict=True):
            m.mul_(0.9).add_(0.1 * g)
            v.mul_(0.999).add_(0.001 * g**2)
            p.data -= keras_rate(t + 1) * m / (v.sqrt() + 1e-7)
        losses.append(float(loss.detach()))
    return [p.detach() for p in w], losses


@pytest.mark.parametrize("interval", [1, 3])
def test_legacy_is_the_published_training(sheet, interval):
    x = sheet[:100]  # 4 batches, the last one short
    settings = {"grid": (3, 4), "gamma": 0.01, "legacy": True, "n_steps": 9, "batch_size": 30, **SMALL}
    settings["update_interval"] = interval
    fitted = DESOM(**settings).fit(x)
    start = {}

    def keep(module):
        start["net"] = {n: p.clone() for n, p in module.net.state_dict().items()}

    model = DESOM(**settings)
    original = model._module
    model._module = lambda generator: (module := original(generator), keep(module))[0]
    phases = []
    original_phases = model._phases
    model._phases = lambda *a: phases.extend(original_phases(*a)) or phases
    model.fit(x)
    same(weights_of(model), weights_of(fitted))
    net = DenseAutoencoder(12, (16, 8), 3)
    net.load_state_dict(start["net"])
    rows = phases[0].task.rows
    assert len(set(rows.tolist())) == 12
    with torch.no_grad():
        prototypes = net.encode(torch.from_numpy(x)[rows])
    wanted, losses = published_training(net, prototypes, x, 4, 0.01, 9, 30, interval)
    module = fitted.module_
    for got, want in zip([*module.net.parameters(), module.prototypes], wanted, strict=True):
        np.testing.assert_allclose(got.numpy(), want.numpy(), atol=1e-6)
    assert fitted.history_["loss"] == pytest.approx([np.mean(losses)], rel=1e-5)
    assert losses[-1] < losses[0]


def test_the_slip_of_the_published_distance():
    """Facts that anyone can count: 1,568 of 4,096 pairs are 1 too near, and 98 are neighbours that are not."""
    lattice = Lattice(8, 8)
    right = lattice_distances(lattice, "manhattan").sqrt().numpy()
    legacy = lattice_distances(lattice, "legacy").sqrt().numpy()
    assert set(np.unique(right - legacy)) == {0.0, 1.0}
    assert int((right != legacy).sum()) == 1568
    assert int(((legacy == 1) & (right > 1)).sum()) == 98


@pytest.mark.parametrize("lattice", [Lattice(4, 6), Lattice(4, 6, toroidal=True), Lattice(4, 6, "hexagonal")])
def test_lattice_distances_by_hand(lattice):
    euclidean = lattice_distances(lattice, "euclidean").numpy()
    steps = lattice_distances(lattice, "manhattan").sqrt().numpy()
    np.testing.assert_allclose(euclidean, lattice.squared_distances(), rtol=1e-6)
    assert (steps.astype(int) == steps).all()
    assert (steps + 1e-5 >= np.sqrt(euclidean)).all()
    if lattice.shape == "rectangular":
        for a in range(24):
            for b in range(24):
                down, across = abs(a // 6 - b // 6), abs(a % 6 - b % 6)
                if lattice.toroidal:
                    down, across = min(down, 4 - down), min(across, 6 - across)
                assert steps[a, b] == down + across


def test_without_the_map_it_is_an_autoencoder(sheet):
    settings = {"grid": (3, 3), "batch_size": 64, "finish": "none", **SMALL}
    joint = DESOM(gamma=0.0, n_steps=20, **settings).fit(sheet)
    rare = DESOM(gamma=0.5, update_interval=100, n_steps=20, **settings).fit(sheet)
    assert joint.history_["loss"][-1] == joint.history_["reconstruction"][-1]
    plain = DenseAutoencoder(12, (16, 8), 3)
    captured = {}
    model = DESOM(gamma=0.0, n_steps=20, **settings)
    build = model._module
    model._module = lambda g: captured.setdefault("module", build(g))
    phases = model._phases

    def with_copy(module, *rest):
        plain.load_state_dict(module.net.state_dict())
        captured["phases"] = phases(module, *rest)
        return captured["phases"]

    model._phases = with_copy
    model.fit(sheet)
    from somscope.training.order import epoch_order

    seed = int(np.random.RandomState(0).randint(2**31 - 1))
    adam = torch.optim.Adam(plain.parameters())
    steps = 0
    for epoch in range(2):
        order = epoch_order(600, True, seed, 0, epoch)
        for start in range(0, 600, 64):
            x = torch.from_numpy(sheet)[order[start : start + 64]]
            adam.zero_grad()
            torch.nn.functional.mse_loss(plain.decode(plain.encode(x)), x).backward()
            adam.step()
            steps += 1
    assert steps == 20
    for got, want in zip(joint.module_.net.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(got, want.detach(), atol=1e-6, rtol=1e-5)
    assert not torch.equal(
        rare.module_.prototypes, joint.module_.prototypes
    )  # the first step had the map's loss


def test_turning_the_lattice_changes_nothing():
    generator = torch.Generator().manual_seed(0)
    net = DenseAutoencoder(6, (5,), 2, generator=generator)
    module = DESOMModule(net, Lattice(3, 4), 2)
    turned = DESOMModule(net, Lattice(3, 4), 2)
    with torch.no_grad():
        module.prototypes.normal_(generator=generator)
        turned.prototypes.copy_(module.prototypes.flip(0))  # by half a turn
    x = torch.rand(20, 6, generator=generator)
    a, b = (m.loss(x, 1.5, 0.1, 0.2) for m in (module, turned))
    torch.testing.assert_close(a.total, b.total)
    torch.testing.assert_close(
        module.loss(x.flip(0), 1.5, 0.1, 0.2).total, a.total
    )  # nor does the items' order
    assert set(a.terms) == {"reconstruction", "som", "order"}
    wanted = a.terms["reconstruction"] + 0.1 * a.terms["som"] + 0.2 * a.terms["order"]
    torch.testing.assert_close(a.total, wanted)


def test_no_gradient_goes_through_the_weights():
    generator = torch.Generator().manual_seed(0)
    module = DESOMModule(DenseAutoencoder(6, (5,), 2, generator=generator), Lattice(2, 2), 2)
    with torch.no_grad():
        module.prototypes.normal_(generator=generator)
    x = torch.rand(8, 6, generator=generator)
    z = module.encode(x).detach()
    module.loss(x, 1.0, 1.0).total.backward()
    squared = lattice_distances(Lattice(2, 2), "manhattan")
    d = ((z[:, None] - module.prototypes.detach()) ** 2).sum(2)
    w = torch.exp(-squared[d.argmin(1)])
    wanted = (2.0 * w[:, :, None] * (module.prototypes.detach() - z[:, None])).mean(0)
    torch.testing.assert_close(module.prototypes.grad, wanted)


def test_it_learns_groups(blobs):
    items, labels = blobs
    few, many = (
        DESOM(grid=(3, 3), n_steps=n, finish=finish, gamma=0.01, batch_size=64, **SMALL).fit(items)
        for n, finish in ((1, "none"), (300, "som"))
    )
    assert many.history_["reconstruction"][-1] < 0.5 * few.history_["reconstruction"][0]
    assert normalized_mutual_info_score(labels, few.labels_) < 0.7
    assert normalized_mutual_info_score(labels, many.labels_) > 0.85
    assert np.square(few.decode(few.encode(items)) - items).mean() > items.var()
    assert np.square(many.decode(many.encode(items)) - items).mean() < 0.7 * items.var()
    assert np.abs(many.decoded_prototypes_ - many.decode(many.prototypes_)).max() == 0


def test_the_finish_gives_the_map_its_order_back(sheet):
    settings = {"grid": (6, 6), "n_steps": 400, "batch_size": 64, "gamma": 0.01, **SMALL}
    before = DESOM(finish="none", **settings).fit(sheet)
    laid = DESOM(finish="som", **settings).fit(sheet)
    joint = DESOM(finish_steps=100, **settings).fit(sheet)
    assert before.topographic_error(sheet) > 0.15
    assert laid.topographic_error(sheet) < 0.10
    assert joint.topographic_error(sheet) < 0.05
    same(
        {n: w for n, w in weights_of(before).items() if n != "prototypes"},
        {n: w for n, w in weights_of(laid).items() if n != "prototypes"},
    )
    assert joint.history_["phase"][-1] == "finish"
    assert joint.n_iter_ == 500


def test_a_larger_final_radius_keeps_more_order(sheet):
    errors = [
        DESOM(grid=(7, 7), n_steps=150, batch_size=64, finish="som", final_radius=r, **SMALL).fit(sheet)
        for r in (0.1, 1.5)
    ]
    assert errors[0].topographic_error(sheet) > errors[1].topographic_error(sheet)
    assert errors[0].quantization_error(sheet) < errors[1].quantization_error(sheet)


@pytest.mark.parametrize(
    "options",
    [
        {"lattice": "hexagonal", "toroidal": True, "grid": (4, 3)},
        {"neighbourhood": "window", "decay": "linear", "temperature": (3.0, 1.0)},
        {"pretrain_epochs": 2, "batch_norm": True, "update_interval": 3},
        {"lattice_distance": "euclidean", "precision": "bf16", "grid": 5},
        {"grid": "auto"},
    ],
    ids=["hexagonal torus", "window", "pretrained", "chain in bf16", "automatic grid"],
)
def test_options(sheet, options):
    model = DESOM(
        **{"grid": (3, 4), "n_steps": 30, "finish_steps": 10, "batch_size": 64, **SMALL, **options}
    ).fit(sheet)
    assert model.stop_reason_ == "completed"
    assert np.isfinite(model.prototypes_).all()
    assert model.hits_.sum() == 600
    assert model.u_matrix_.shape == (model.lattice_.rows, model.lattice_.columns)
    assert model.transform(sheet).shape == (600, model.lattice_.n_units)
    assert ("grid" in model.chosen_) == (options.get("grid") == "auto")


def test_bf16_learns_what_fp32_learns(blobs):
    items, _ = blobs
    wide, narrow = (
        DESOM(grid=(3, 3), n_steps=200, finish="none", batch_size=64, precision=p, **SMALL).fit(items)
        for p in ("fp32", "bf16")
    )
    assert narrow.precision_ == "bf16"
    assert narrow.history_["reconstruction"][-1] == pytest.approx(
        wide.history_["reconstruction"][-1], rel=0.2
    )
    assert not np.array_equal(narrow.prototypes_, wide.prototypes_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"latent_dim": 0}, "latent_dim=0; allowed: a whole number from 1"),
        ({"latent_dim": 2.5}, "latent_dim=2.5"),
        ({"grid": (0, 4)}, "rows and columns must be at least 1"),
        ({"grid": "0x4"}, "at least 1"),
        ({"gamma": -1.0}, "gamma=-1.0; allowed: a number from 0"),
        ({"gamma": float("nan")}, "gamma=nan"),
        ({"n_steps": 0}, "n_steps=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"hidden": (0,)}, "hidden="),
        ({"latent_dim": 10**9}, r"hidden, with latent_dim,=.* more than 2\^31 weights"),
        ({"temperature": (1.0, 2.0)}, "it falls"),
        ({"temperature": (1.0, 0.0)}, "ends above 0"),
        ({"temperature": "hot"}, "allowed"),
        ({"decay": "slow"}, "decay='slow' is not known; allowed: exponential"),
        ({"neighbourhood": "bubble"}, "allowed: gaussian, window"),
        ({"lattice_distance": "legacy"}, "allowed: manhattan, euclidean"),
        ({"lattice": "round"}, "allowed: rectangular, hexagonal"),
        ({"toroidal": 2}, "toroidal=2; allowed: True or False"),
        ({"finish": "soon"}, "allowed: auto, none, som, joint"),
        ({"final_radius": 0.0}, "final_radius=0.0; allowed: a number above 0"),
        ({"update_interval": 0}, "update_interval=0"),
        ({"pretrain_epochs": -1}, "pretrain_epochs=-1"),
        ({"device": "tpu"}, "allowed: auto, cpu, cuda"),
        ({"precision": "fp64"}, "allowed: fp32, bf16, auto"),
        ({"autoencoder": 5}, "autoencoder=5; allowed: None or a folder"),
        ({"start": 5}, "start=5; allowed: None or a folder"),
        ({"legacy": True, "lattice": "hexagonal"}, "rectangular lattices"),
        ({"legacy": True, "toroidal": True}, "rectangular lattices"),
    ],
    ids=str,
)
def test_parameters_that_are_refused(sheet, options, message):
    with pytest.raises(InputError, match=message):
        DESOM(**{**SMALL, **options}).fit(sheet)


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 599, "n_steps": 4}, {"batch_size": 1}, {"pretrain_epochs": 1}]
)
def test_a_batch_of_one_item_is_refused_where_batches_are_normalised(sheet, wrong):
    """PyTorch refuses it, too, but after all the other batches."""
    how = {"grid": (3, 3), "n_steps": 2, "finish": "none", "batch_size": 599, **SMALL, **wrong}
    with pytest.raises(InputError, match="leaves a batch of one of the 600 items"):
        DESOM(batch_norm=True, **how).fit(sheet)
    assert DESOM(batch_norm=False, **how).fit(sheet).stop_reason_ == "completed"


def test_batches_of_one_item_that_do_not_come_are_not_refused(sheet):
    how = {"grid": (3, 3), "finish": "none", "batch_size": 599, "batch_norm": True, **SMALL}
    assert DESOM(n_steps=1, **how).fit(sheet).n_iter_ == 1
    with pytest.raises(InputError, match="batch of one"):
        DESOM(n_steps=2, **how).fit(sheet)


def test_a_batch_of_one_image_is_refused_where_planes_have_one_pixel():
    """Images of 8x8 pixels end at 1x1 after three halvings, those of 16x16 at 2x2."""
    how = {"grid": (2, 2), "n_steps": 2, "finish": "none", "batch_size": 32, "batch_norm": True}
    how |= {"pretrain_epochs": 0, "device": "cpu", "verbose": False}
    small, large = (np.random.default_rng(0).integers(0, 256, (33, n, n, 1), dtype=np.uint8) for n in (8, 16))
    with pytest.raises(InputError, match="leaves a batch of one of the 33 items"):
        ConvDESOM(**how).fit(small)
    assert ConvDESOM(**how).fit(large).stop_reason_ == "completed"
    assert ConvDESOM(**{**how, "batch_norm": False}).fit(small).stop_reason_ == "completed"


def test_a_finish_of_a_trained_model(sheet, tmp_path):
    """It is the one of the whole training, and only of a model of the same shape."""
    how = {"grid": (3, 3), "n_steps": 20, "finish_steps": 10, "pretrain_epochs": 1, **SMALL}
    DESOM(finish="none", **how).fit(sheet).save(tmp_path)
    for finish in ("som", "joint"):
        whole = DESOM(finish=finish, **how).fit(sheet)
        taken = DESOM(finish=finish, start=tmp_path, **how).fit(sheet)
        same(weights_of(taken), weights_of(whole))
        assert taken.n_iter_ < whole.n_iter_
    same(
        weights_of(DESOM(start=tmp_path, **{**how, "hidden": list(SMALL["hidden"])}).fit(sheet)),
        weights_of(taken),
    )
    for change in ({"grid": (3, 4)}, {"latent_dim": 2}, {"hidden": (16,)}, {"toroidal": True}):
        with pytest.raises(InputError, match="this model has"):
            DESOM(start=tmp_path, **{**how, **change}).fit(sheet)
    with pytest.raises(InputError, match="n_features_in"):
        DESOM(start=tmp_path, **how).fit(sheet[:, 1:])
    with pytest.raises(InputError, match="finish must be"):
        DESOM(start=tmp_path, finish="none", **how).fit(sheet)


def test_a_trained_autoencoder_takes_the_place_of_pretraining(sheet, tmp_path):
    how = {"grid": (3, 3), "n_steps": 20, "finish": "none", "pretrain_epochs": 2, "batch_size": 64, **SMALL}
    AESOM((2, 2), method="batch", pretrain_epochs=2, batch_size=64, **SMALL).fit(sheet).save(tmp_path)
    whole = DESOM(**how).fit(sheet)
    taken = DESOM(autoencoder=tmp_path, **how).fit(sheet)
    same(weights_of(taken), weights_of(whole))
    assert set(taken.history_["phase"]) == {"joint"}
    with pytest.raises(InputError, match="does not fit"):
        DESOM(autoencoder=tmp_path, **{**how, "latent_dim": 2}).fit(sheet)
