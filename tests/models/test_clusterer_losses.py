"""Each clusterer's loss and closed-form step against a transcription of its formula, and where its gradient goes."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.clusters import CLUSTERS
from somscope.errors import InputError
from somscope.models.aec import AEC, AECModule, AECTask
from somscope.models.clusterer_tasks import reseed
from somscope.models.dcn import DCNModule, DCNTask
from somscope.models.dec import DECModule, HardeningTask
from somscope.models.dkm import DKMModule, annealed
from somscope.models.idec import IDECModule, IDECTask
from somscope.nets.dense import DenseAutoencoder
from somscope.training import Feed, Phase, TrainingOptions, train

CPU = torch.device("cpu")


def untrained(kind, *options, k=3):
    module = kind(
        DenseAutoencoder(6, (8,), 2, generator=torch.Generator().manual_seed(0)), k, 2, *options
    ).double()
    with torch.no_grad():
        module.prototypes.normal_(generator=torch.Generator().manual_seed(1))
        module.scale.fill_(1.7)
    return module


@torch.no_grad()
def on_codes(module, x):
    """The module with its centres on the first codes, so that none is without items."""
    module.prototypes.copy_(module.encode(x[:3]))
    return module


def items(n=7):
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(2)).double()


def parts(module, x):
    """Scaled items, codes, reconstructions of scaled items, centres: rows of plain numbers."""
    z = module.net.encode(1.7 * x)
    rows = (1.7 * x, z, module.net.decode(z), module.prototypes)
    return [t.detach().tolist() for t in rows]


def squared(a, b):
    return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))


def students_t(z, m, alpha):
    """DEC, eq. 1, item by item; 1e-7 keeps logarithms finite."""
    q = []
    for z_i in z:
        kernel = [1e-7 + (1 + squared(z_i, m_k) / alpha) ** (-(alpha + 1) / 2) for m_k in m]
        q.append([value / sum(kernel) for value in kernel])
    return q


def sharpened(q):
    """DEC, eq. 3, over all rows of q."""
    f = [sum(row[k] for row in q) for k in range(len(q[0]))]
    rows = [[row[k] ** 2 / f[k] for k in range(len(f))] for row in q]
    return [[value / sum(row) for value in row] for row in rows]


def divergence(p, q):
    """DEC, eq. 2, a mean over items."""
    terms = [
        a * math.log(a / b) for u, v in zip(p, q, strict=True) for a, b in zip(u, v, strict=True) if a > 0
    ]
    return sum(terms) / len(p)


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_the_losses_of_dec_and_idec(alpha):
    x = items()
    for kind in (DECModule, IDECModule):
        module = untrained(kind, alpha)
        scaled, z, rec, m = parts(module, x)
        q = students_t(z, m, alpha)
        p = sharpened(q)
        target = torch.tensor(p, dtype=torch.float64)
        wanted = divergence(p, q)
        losses = module.loss(x, target)
        assert losses.total.item() == pytest.approx(wanted, rel=1e-6)
        assert wanted > 0.001
        if kind is IDECModule:
            losses = module.joint_loss(x, target, 0.1)
            mean = sum(squared(a, b) for a, b in zip(scaled, rec, strict=True)) / (7 * 6)
            assert losses.total.item() == pytest.approx(mean + 0.1 * wanted, rel=1e-6)
            assert losses.terms["reconstruction"].item() == pytest.approx(mean, rel=1e-6)
        assert module.units.tolist() == [min(range(3), key=lambda k: squared(z_i, m[k])) for z_i in z]


def test_the_losses_of_aec_dcn_and_dkm():
    x = items()
    module = untrained(AECModule)
    scaled, z, rec, m = parts(module, x)
    reconstruction = sum(squared(a, b) for a, b in zip(scaled, rec, strict=True)) / 7
    clusters = [0, 2, 1, 0, 0, 2, 1]
    held = sum(squared(z_i, m[k]) for z_i, k in zip(z, clusters, strict=True)) / 7
    nearest = sum(min(squared(z_i, m_k) for m_k in m) for z_i in z) / 7
    losses = module.loss(x, torch.tensor(clusters), 0.3)
    assert losses.total.item() == pytest.approx(reconstruction + 0.3 * held, rel=1e-6)
    losses.total.backward()
    assert module.prototypes.grad is None
    module = untrained(DCNModule)
    losses = module.loss(x, 0.05)
    assert losses.total.item() == pytest.approx(reconstruction + 0.05 * nearest, rel=1e-6)
    losses.total.backward()
    assert module.prototypes.grad is None
    module = untrained(DKMModule)
    for alpha in (0.0, 0.7, 1000.0):
        soft = 0.0
        for z_i in z:
            d = [squared(z_i, m_k) for m_k in m]
            weights = [math.exp(-alpha * (d_k - min(d))) for d_k in d]
            soft += sum(w * d_k for w, d_k in zip(weights, d, strict=True)) / sum(weights) / 7
        losses = module.loss(x, alpha, 2.0)
        assert losses.total.item() == pytest.approx(reconstruction + 2.0 * soft, rel=1e-6)
    assert soft == pytest.approx(nearest, rel=1e-6)  # of a large alpha
    losses.total.backward()
    assert module.prototypes.grad.any()


def test_the_annealing_of_dkm(blobs):
    published = [0.1]
    for n in range(1, 40):
        published.append(published[-1] * 2 ** (1 / math.log(n + 1) ** 2))
    assert annealed(40) == pytest.approx(published)
    model = CLUSTERS["dkm annealed"](training={"log_steps": 5}).fit(blobs[0])  # 5 steps an epoch
    assert model.history_["alpha"] == pytest.approx([0.1] * 5 + [published[1]] * 5 + [published[2]] * 2)
    assert model.chosen_["alpha"] == "annealed: the autoencoder is not trained before"
    assert CLUSTERS["dkm"]().fit(blobs[0]).chosen_["alpha"] == "1000.0: the autoencoder is trained before"
    assert CLUSTERS["dkm"](pretrain_epochs=0, alpha=3.0).fit(blobs[0]).history_["alpha"][-1] == 3.0


def test_centres_of_dcn_are_means_of_all_that_they_had():
    x = items(40).float()
    module = on_codes(untrained(DCNModule).float(), x)
    before = module.prototypes.detach().clone()
    task = DCNTask(module, 0.05, 0.0, None)  # no learning, so that codes stay
    train([Phase("clustering", task, n_steps=2, batch_size=40)], x.numpy(), TrainingOptions("cpu"))
    codes = module.encode(x).detach().numpy().astype(np.float64)
    centres, counts = before.numpy().astype(np.float64), np.full(3, 100.0)
    for _ in range(2):
        nearest = ((codes[:, None] - centres) ** 2).sum(2).argmin(1)
        for z, k in zip(codes, nearest, strict=True):  # item by item, as the authors do
            counts[k] += 1
            centres[k] -= (centres[k] - z) / counts[k]
    np.testing.assert_allclose(module.prototypes.detach().numpy(), centres, rtol=1e-5)
    assert not np.allclose(centres, before)


def test_epochs_of_aec_without_learning_are_the_k_means_of_lloyd():
    x = items(60).float()
    module = on_codes(untrained(AECModule).float(), x)
    centres = module.prototypes.detach().numpy().astype(np.float64)
    codes = module.encode(x).detach().numpy().astype(np.float64)
    task = AECTask(module, 60, 0.1, 0.0, None)
    train([Phase("clustering", task, n_epochs=4, batch_size=25)], x.numpy(), TrainingOptions("cpu"))
    labels = ((codes[:, None] - centres) ** 2).sum(2).argmin(1)
    first = labels
    for _ in range(3):
        centres = np.stack([codes[labels == k].mean(0) for k in range(3)])
        labels = ((codes[:, None] - centres) ** 2).sum(2).argmin(1)
    np.testing.assert_allclose(module.prototypes.detach().numpy(), centres, rtol=1e-4)
    assert module.get_buffer("clusters").tolist() == labels.tolist() != first.tolist()


def test_the_centres_of_aec_are_means_of_the_codes_that_it_ended_with(monkeypatch):
    monkeypatch.setattr(AECModule, "forget", lambda module: None)
    x = items(60).float().numpy()
    how = {"hidden": (8,), "latent_dim": 2, "pretrain_epochs": 1, "n_epochs": 1, "batch_size": 10}
    model = AEC(3, **how, learning_rate=0.05, device="cpu", random_state=0, verbose=False).fit(x)
    codes, clusters = model.encode(x), model.module_.get_buffer("clusters").numpy()
    wanted = np.stack([codes[clusters == k].mean(0) for k in range(3)])
    np.testing.assert_allclose(model.prototypes_, wanted, rtol=1e-4, atol=1e-6)
    distances = ((codes[:, None] - wanted) ** 2).sum(2)
    np.testing.assert_array_equal(model.labels_, distances.argmin(1))


class Silent:
    n_processes = 1
    messages = ()

    def warn(self, message):
        self.messages = (*self.messages, message)


def test_empty_clusters_are_put_on_the_farthest_items():
    module = untrained(DECModule, 1.0, k=4)
    module.remember("n_reseeded", torch.zeros((), dtype=torch.int64))
    with torch.no_grad():
        module.prototypes.copy_(torch.tensor([[0.0, 0.0], [9.0, 9.0], [50.0, 0.0], [60.0, 0.0]]))
    codes = torch.tensor([[0.0, 1.0], [9.0, 8.0], [0.0, 4.0], [9.0, 9.0], [12.0, 9.0]]).double()
    engine = Silent()
    labels = reseed(module, codes, torch.tensor([0, 1, 0, 1, 1]), engine)
    # Items 2 and 4 are farthest from their centres, by 4 and by 3.
    assert labels.tolist() == [0, 1, 2, 1, 3]
    assert module.prototypes.tolist() == [[0, 0], [9, 9], [0, 4], [12, 9]]
    assert int(module.n_reseeded) == 2
    assert len(engine.messages) == 1
    again = reseed(module, codes, labels, engine)
    assert again.tolist() == labels.tolist()
    assert int(module.n_reseeded) == 2


def test_a_cluster_that_loses_its_items_is_reseeded_counted_and_reported(blobs):
    for name in ("dec", "aec", "dkm"):
        make = CLUSTERS[name]
        model = make(n_clusters=4)
        phases = model._phases

        def with_lost_centre(*args, phases=phases):
            made = phases(*args)
            task = made[-1].task
            begin = task.begin

            def begun(feed, engine):
                begin(feed, engine)
                with torch.no_grad():
                    task.module.prototypes[2] = 1e3

            task.begin = begun
            return made

        model._phases = with_lost_centre
        model.fit(blobs[0])
        assert model.n_reseeded_ >= 1, name
        assert any("n_reseeded_" in warning for warning in model.warnings_), name
        assert np.abs(model.cluster_centers_[2]).max() < 100
        assert make(n_clusters=4).fit(blobs[0]).n_reseeded_ == 0, name


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        (DECModule, lambda module, **o: HardeningTask(module, 1e-2, **o)),
        (IDECModule, lambda module, **o: IDECTask(module, 0.1, 1e-3, **o)),
    ],
    ids=["dec", "idec"],
)
def test_the_target_is_that_of_all_items_and_not_of_a_batch(kind, make):
    x = items(90).float()
    module = untrained(kind, 1.0).float()
    task = make(module, n_items=90, every=4, tol=0.0, seed=None)
    feed = Feed(x.numpy(), CPU)
    task.at_interval(0, feed, Silent())
    _, z, _, m = parts(module, x)
    wanted = torch.tensor(sharpened(students_t(z, m, 1.0)))
    found = module.get_buffer("target")
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)
    rows = torch.randperm(90, generator=torch.Generator().manual_seed(3))[:16]
    batch = feed.batch(rows)
    torch.testing.assert_close(task.target(batch), wanted[rows], atol=1e-5, rtol=1e-4)
    of_the_batch = torch.tensor(sharpened(students_t([z[i] for i in rows.tolist()], m, 1.0)))
    assert (of_the_batch - wanted[rows]).abs().max() > 0.01
    # What a step sees is the target of all items, held until the next renewal.
    loss = task.losses(batch, 0).terms["hardening"].item()
    q = students_t([z[i] for i in rows.tolist()], m, 1.0)
    assert loss == pytest.approx(divergence(wanted[rows].tolist(), q), rel=1e-4)
    assert loss != pytest.approx(divergence(of_the_batch.tolist(), q), rel=1e-3)


def test_dec_ends_when_hardly_a_label_changes(blobs, tmp_path):
    make = CLUSTERS["dec"]
    options = {"n_steps": 400, "update_interval": 10, "tol": 0.2}
    model = make(checkpoints=tmp_path, **options).fit(blobs[0])
    assert model.stop_reason_ == "converged"
    assert 2 <= model.n_updates_ < 40
    before = (2 * 2 + 10) * 5  # steps of two layers and of the autoencoder
    assert model.n_iter_ == before + (model.n_updates_ - 1) * 10
    again = make(checkpoints=tmp_path, resume=True, **options).fit(blobs[0])
    assert (again.stop_reason_, again.n_updates_, again.n_iter_) == (
        "converged",
        model.n_updates_,
        model.n_iter_,
    )
    np.testing.assert_array_equal(again.cluster_centers_, model.cluster_centers_)
    never = make(n_steps=35, update_interval=10).fit(blobs[0])
    assert (never.stop_reason_, never.n_updates_) == ("completed", 4)
    assert never.history_["changed_labels"][-1] >= 0.0


def test_dec_leaves_the_decoder_and_idec_trains_it(blobs):
    for name, moves in (("dec", False), ("idec", True)):
        short, long = (CLUSTERS[name](n_steps=n, layer_epochs=0).fit(blobs[0]) for n in (1, 30))
        decoders = [model.module_.net.decoder[0].weight for model in (short, long)]
        assert torch.equal(*decoders) is not moves, name
        assert not torch.equal(*(model.module_.net.encoder[0].weight for model in (short, long)))


def test_layers_are_trained_one_after_the_other_and_what_they_learn_helps(blobs):
    options = {"hidden": (16, 8), "pretrain_epochs": 0}
    made = CLUSTERS["ae-kmeans"](layer_epochs=40, **options).fit(blobs[0])
    none = CLUSTERS["ae-kmeans"](layer_epochs=0, **options).fit(blobs[0])
    assert list(dict.fromkeys(made.history_["phase"])) == ["layer 1", "layer 2", "layer 3"]
    error = [np.square(m.decode(m.encode(blobs[0])) - blobs[0]).mean() for m in (made, none)]
    assert error[0] < 0.7 * error[1]


def test_an_autoencoder_of_another_clusterer_is_as_good_as_its_own(blobs, tmp_path):
    CLUSTERS["ae-kmeans"](n_clusters=5).fit(blobs[0]).save(tmp_path)
    for name in ("aec", "idec"):
        own = CLUSTERS[name]().fit(blobs[0])
        given = CLUSTERS[name](autoencoder=tmp_path).fit(blobs[0])
        np.testing.assert_array_equal(given.cluster_centers_, own.cluster_centers_)
        assert given.n_iter_ < own.n_iter_
    given.save(tmp_path / "made")
    (tmp_path / "model.json").unlink()
    again = type(given).load(tmp_path / "made")  # what it began with is not needed any more
    np.testing.assert_array_equal(again.transform(blobs[0]), given.transform(blobs[0]))


def test_an_autoencoder_of_other_sizes_is_refused(blobs, tmp_path):
    CLUSTERS["ae-kmeans"](hidden=(9,)).fit(blobs[0]).save(tmp_path)
    with pytest.raises(InputError, match=r"does not fit: \w+\.\d\.\w+ is"):
        CLUSTERS["dec"](autoencoder=tmp_path).fit(blobs[0])
