"""SOM-VAE: the published loss term by term, where its gradients go, what it learns, and what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import normalized_mutual_info_score

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.models.module import neighbour_table
from somscope.models.som_vae import SOMVAE

QUICK = {"hidden": (16,), "latent_dim": 3, "device": "cpu", "random_state": 0, "verbose": False}


def untrained(lattice=(3, 4), shape=None, **options):
    model = SOMVAE(**{**QUICK, **options})
    model.n_features_in_, model.image_shape_, model.lattice_ = (
        6,
        shape,
        Lattice(*lattice, toroidal=model.toroidal),
    )
    module = model._module(torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        module.prototypes.copy_(
            torch.randn(module.prototypes.shape, generator=torch.Generator().manual_seed(1))
        )
        if module.transitions is not None:
            module.transitions.normal_(generator=torch.Generator().manual_seed(2))
    return module


def published_loss(module, x, sequences, legacy):
    """somvae_model.py of the authors, item by item."""
    rows, columns = module.lattice.rows, module.lattice.columns
    z = module.encoder(x)
    e = module.prototypes
    k = [int(((z[i] - e) ** 2).sum(1).argmin()) for i in range(len(x))]
    z_q = torch.stack([e[i] for i in k])
    loss = ((x - module.decoder(z)) ** 2).mean() + ((x - module.prototype_decoder(z_q)) ** 2).mean()
    loss = loss + 1.0 * ((z - z_q) ** 2).mean()
    som = 0.0
    for i in range(len(x)):
        r, c = divmod(k[i], columns)
        for a, b in ((r, c), (r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
            if 0 <= a < rows and 0 <= b < columns:
                som = som + ((z[i] - e[a * columns + b]) ** 2).sum()
            elif legacy:
                som = som + (z[i] ** 2).sum()
    loss = loss + 0.9 * som / (len(x) * 5 * z.shape[1])
    if sequences:
        raw = module.transitions
        p = torch.exp(raw) / torch.exp(raw).sum(1, keepdim=True)
        length = len(x) // sequences
        before = [k[i - 1] if i % length else k[i] for i in range(len(x))]
        follow = -sum(torch.log(p[a, b]) for a, b in zip(before, k, strict=True)) / len(x)
        smooth = sum((p[before[i]] * ((z[i] - e) ** 2).sum(1)).mean() for i in range(len(x))) / len(x)
        loss = loss + (1.8**2 if legacy else 1.8) * follow + 1.4 * smooth
    return loss


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("sequences", [0, 3])
def test_the_loss_is_the_published_one(legacy, sequences):
    module = untrained(legacy=legacy, transitions=sequences > 0)
    x = torch.rand(12, 6, generator=torch.Generator().manual_seed(3)).float()
    module = module.float()
    items = x.reshape(sequences, 4, 6) if sequences else x
    found = module.loss(items)
    wanted = published_loss(module.double(), x.double(), sequences, legacy)
    assert float(found.total.detach()) == pytest.approx(float(wanted.detach()), rel=1e-6)
    assert len(found.terms) == (6 if sequences else 4)


def test_each_decoder_teaches_its_own_side():
    module = untrained().float()
    terms = module.loss(torch.rand(12, 6, generator=torch.Generator().manual_seed(3))).terms
    encoder, prototypes = list(module.encoder.parameters()), module.prototypes
    reached = {}
    for name, term in terms.items():
        gradients = torch.autograd.grad(term, [*encoder, prototypes], retain_graph=True, allow_unused=True)
        reached[name] = (any(g is not None for g in gradients[:-1]), gradients[-1] is not None)
    assert reached == {
        "reconstruction": (True, False),
        "quantized_reconstruction": (False, True),
        "commitment": (True, True),
        "som": (False, True),
    }


def test_zeros_beyond_the_edge_add_a_constant_and_nothing_else():
    x = torch.rand(12, 6, generator=torch.Generator().manual_seed(3))
    gradients, totals = [], []
    for zeros in (False, True):
        module = untrained().float()
        module.zeros = zeros
        losses = module.loss(x)
        totals.append(float(losses.terms["som"].detach()))
        gradients.append(torch.autograd.grad(losses.total, list(module.parameters())))
    assert totals[1] > totals[0]
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize(
    ("lattice", "corner"),
    [
        (Lattice(3, 4), {1, 4, -1}),
        (Lattice(3, 4, toroidal=True), {1, 3, 4, 8}),
        (Lattice(4, 4, "hexagonal"), {1, 4, -1}),
        (Lattice(1, 1), {-1}),
    ],
)
def test_neighbours_by_hand(lattice, corner):
    table = neighbour_table(lattice)
    assert set(table[0].tolist()) == corner
    assert table.shape == (lattice.n_units, 6 if lattice.shape == "hexagonal" else 4)
    for unit, row in enumerate(table.tolist()):
        assert all(unit in table[other].tolist() for other in row if other >= 0)


def test_turning_the_lattice_changes_nothing():
    module, turned = untrained().float(), untrained().float()
    with torch.no_grad():
        turned.prototypes.copy_(module.prototypes.flip(0))
    x = torch.rand(12, 6, generator=torch.Generator().manual_seed(3))
    torch.testing.assert_close(module.loss(x).total, turned.loss(x.flip(0)).total)


def test_it_learns_groups(blobs):
    items, labels = blobs
    settings = {"grid": (3, 3), "learning_rate": 5e-3, **QUICK}
    few, many = (SOMVAE(n_epochs=n, **settings).fit(items) for n in (1, 60))
    scores = [normalized_mutual_info_score(labels, m.labels_) for m in (few, many)]
    assert scores[0] < 0.65
    assert scores[1] > 0.8
    error = np.square(many.decoded_prototypes_[many.labels_] - items).mean()
    assert error < 0.5 * items.var()


def test_it_learns_what_follows_what():
    """Three places visited in a circle: the matrix says so, and its rows are distributions."""
    rng = np.random.default_rng(0)
    places = np.eye(3, 6, dtype=np.float32)
    items = places[np.arange(480) % 3] + 0.02 * rng.standard_normal((480, 6)).astype(np.float32)
    settings = {"grid": 4, "transitions": True, "sequence_length": 12, "learning_rate": 5e-3, **QUICK}
    model = SOMVAE(n_epochs=60, **settings).fit(items)
    matrix = model.transition_matrix_
    assert matrix.shape == (4, 4)
    np.testing.assert_allclose(matrix.sum(1), 1.0, rtol=1e-5)
    units = model.predict(items)
    assert len(np.unique(units[:3])) == 3
    inside = np.arange(1, 480) % 12 != 0
    chosen = matrix[units[:-1][inside], units[1:][inside]].mean()
    start = SOMVAE(n_epochs=1, **{**settings, "learning_rate": 1e-6}).fit(items).transition_matrix_
    np.testing.assert_allclose(start, 0.25, atol=0.01)
    assert chosen > 0.6
    assert {"transitions", "smoothness"} <= model.history_.keys()
    assert not hasattr(SOMVAE(grid=4, n_epochs=1, **QUICK).fit(items), "transition_matrix_")


def test_images_go_through_convolutions(pictures):
    model = SOMVAE(grid=(2, 2), n_epochs=12, filters=4, learning_rate=0.01, batch_size=16, latent_dim=3, device="cpu",
                   random_state=0, verbose=False).fit(pictures)  # fmt: skip
    assert normalized_mutual_info_score(np.arange(120) % 4, model.labels_) > 0.6
    assert model.decoded_prototypes_.shape == (4, 64)
    assert any(isinstance(part, torch.nn.Conv2d) for part in model.module_.modules())
    assert model.module_.block < 2**17


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"transitions": True, "sequence_length": 7},
            "300 items are not whole sequences of sequence_length=7",
        ),
        ({"transitions": 1}, "transitions=1; allowed: True or False"),
        ({"alpha": -1.0}, "alpha=-1.0; allowed: a number from 0"),
        ({"tau": math.inf}, "tau=inf"),
        ({"net": "deep"}, "net='deep' is not known; allowed: auto, conv, dense"),
        ({"net": "conv"}, "net='conv' needs images"),
        ({"filters": 0}, "filters=0"),
        ({"n_epochs": 0}, "n_epochs=0"),
        ({"sequence_length": 0}, "sequence_length=0"),
    ],
    ids=str,
)
def test_parameters_that_are_refused(blobs, options, message):
    with pytest.raises(InputError, match=message):
        SOMVAE(**{**QUICK, **options}).fit(blobs[0])


def test_images_that_cannot_be_halved(pictures):
    with pytest.raises(InputError, match="images of 6x8 pixels cannot be halved twice"):
        SOMVAE(**QUICK).fit(np.ascontiguousarray(pictures[:, :6]))
