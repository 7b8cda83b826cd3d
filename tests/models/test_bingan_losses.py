"""BinGAN's losses: their formulas, where their gradients go, whose turn it is, and what each regularizer is for."""

from __future__ import annotations

import math

import pytest
import torch

from models.coders import digits
from somscope.models.bingan import BinGANModule, BinGANTask
from somscope.objectives.binary import hard_sign
from somscope.training import Batch, Phase, TrainingOptions, train
from somscope.training.feed import Feed


@pytest.fixture(scope="module")
def images():
    return digits()[0][:60]


def module(task="retrieval", variant="code", bits=8):
    generator = torch.Generator().manual_seed(0)
    return BinGANModule((16, 16, 1), bits, task, 1 / 24, variant=variant, generator=generator)


def transcribed(features, n, variant):
    """All terms of the discriminator's loss by loops; features of n real images, then of generated ones."""
    low, high, out = (part.double().tolist() for part in (features.low, features.high, features.output))
    mass = [sum(math.exp(v) for v in row) for row in out]
    adversarial = sum(-0.5 * math.log(z / (1 + z)) / n for z in mass[:n])
    adversarial += sum(-0.5 * math.log(1 / (1 + z)) / (len(mass) - n) for z in mass[n:])
    soft = [[v / (abs(v) + 0.001) for v in row] for row in low[:n]]
    at_zero = 1 if variant == "paper" else 0
    signs = [[at_zero if v == 0 else (1 if v > 0 else -1) for v in row] for row in high[:n]]
    distance = correlation = alphas = 0.0
    for k in range(n):
        for j in range(n):
            if j != k:
                bb = sum(a * b for a, b in zip(signs[k], signs[j], strict=True)) / len(signs[0])
                ss = sum(a * b for a, b in zip(soft[k], soft[j], strict=True)) / len(soft[0])
                alpha = math.exp(-abs(bb) / 2.0)
                distance += abs(bb - ss) / (n * (n - 1))
                correlation += alpha * abs(ss)
                alphas += alpha
    balance = sum((sum(row[u] for row in soft) / n) ** 2 for u in range(len(soft[0]))) / len(soft[0])
    z = alphas if variant == "paper" else n * (n - 1)
    return {
        "adversarial": adversarial,
        "distance": distance,
        "balance": balance,
        "correlation": correlation / z,
    }


@pytest.mark.parametrize("variant", ["code", "paper"])
@pytest.mark.parametrize("task", ["retrieval", "matching"])
def test_the_losses_are_their_formulas(task, variant, images):
    net = module(task, variant).eval()
    x = net.images(torch.from_numpy(images[:5].reshape(5, -1)).float() / 255)
    torch.testing.assert_close(x[:, 1], (torch.from_numpy(images[:5, ..., 0]).float() - 127.5) / 128)
    noise = torch.rand(4, 100, generator=torch.Generator().manual_seed(1))
    features = net.discriminator(torch.cat([x, net.generator(noise)]))
    found = net.discriminator_loss(x, noise, {"distance": 0.3, "balance": 0.2, "correlation": 0.1})
    wanted = transcribed(features, 5, variant)
    assert {n: float(t.detach()) for n, t in found.terms.items()} == pytest.approx(wanted, rel=1e-4)
    total = wanted["adversarial"] + 0.3 * wanted["distance"] + 0.2 * wanted["balance"]
    assert float(found.total.detach()) == pytest.approx(total + 0.1 * wanted["correlation"], rel=1e-4)
    matched = features.matched.detach()
    gap = [
        (float(matched[:5, u].mean()) - float(matched[5:, u].mean())) ** 2 for u in range(matched.shape[1])
    ]
    assert float(net.generator_loss(x, noise).detach()) == pytest.approx(sum(gap) / len(gap), rel=1e-4)


def test_the_high_layer_of_matching_differs_between_text_and_code():
    sizes = {v: module("matching", v).eval() for v in ("code", "paper")}
    x = torch.rand(2, 3, 16, 16)
    assert sizes["code"].discriminator(x).high.shape == (2, 5 * 2 * 2)
    assert sizes["paper"].discriminator(x).high.shape == (2, 5)


def test_regularizers_see_real_images_alone_and_gradients_go_where_they_should():
    net, draw = module(), torch.Generator().manual_seed(0)
    x, noise = torch.rand(6, 3, 16, 16, generator=draw), torch.rand(6, 100, generator=draw)
    weights = {"distance": 1.0, "balance": 1.0, "correlation": 1.0}
    terms = {
        n: net.eval().discriminator_loss(x, other, weights).terms
        for n, other in ((0, noise), (1, 0.01 * noise))
    }
    for name in ("distance", "balance", "correlation"):
        assert float(terms[0][name].detach()) == pytest.approx(float(terms[1][name].detach()), rel=1e-4)
    assert float(terms[0]["adversarial"].detach()) != pytest.approx(float(terms[1]["adversarial"].detach()))

    def reached(loss):
        named = dict(net.named_parameters())
        grads = torch.autograd.grad(
            loss, [p for p in named.values() if p.requires_grad], allow_unused=True, retain_graph=True
        )
        trained = [n for n, p in named.items() if p.requires_grad]
        return {n.split(".")[0] for n, g in zip(trained, grads, strict=True) if g is not None and g.any()}

    assert reached(net.discriminator_loss(x, noise, weights).total) == {"discriminator"}
    assert "generator" in reached(net.generator_loss(x, noise))


def test_discriminator_and_generator_take_turns(images):
    net, items = module(), images.reshape(len(images), -1)
    task = BinGANTask(net, items, 20, {"distance": 1.0}, 1e-3, seed=4)
    turns = []

    class Engine:
        device = torch.device("cpu")
        generator = torch.Generator().manual_seed(0)

        def autocast(self):
            return torch.autocast("cpu", enabled=False)

        def step(self, loss, name):
            turns.append(name)

    feed = Feed(items, Engine.device)
    losses = task.update(feed.batch(torch.arange(20)), 0, Engine())
    assert turns == ["discriminator", "generator"]
    assert set(losses.terms) == {"adversarial", "distance", "balance", "correlation", "feature_matching"}
    optimizers = task.optimizers()
    for name, optimizer in optimizers.items():
        own = {id(p) for group in optimizer.param_groups for p in group["params"]}
        assert own == {id(p) for p in getattr(net, name).parameters() if p.requires_grad}
    # The generator's images of an epoch are all of them once, in an order of their own.
    batches = [torch.arange(start, start + 20) for start in (0, 20, 40)]
    rows = [task._others(Batch(feed.batch(b).items, b), step, Engine()) for step, b in enumerate(batches)]
    seen = [items.tolist().index((255 * row).round().int().tolist()) for row in torch.cat(rows)]
    assert sorted(seen) == list(range(60))
    assert seen != list(range(60))
    again = BinGANTask(net, items, 20, {}, 1e-3, seed=4)  # as after a resume
    assert torch.equal(again._others(Batch(rows[1], batches[1]), 1, Engine()), rows[1])
    later = task._others(Batch(rows[0], batches[0]), 3, Engine())
    assert not torch.equal(later, rows[0])


def regularized(distance, balance, correlation):
    """Bit balance, correlation of items and distance fidelity of a small net; 0 is best for all three."""
    items = digits()[0][:200].reshape(200, -1)
    generator = torch.Generator().manual_seed(0)
    net = BinGANModule((16, 16, 1), 16, width=1 / 16, generator=generator)
    for part in net.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    weights = {"distance": distance, "balance": balance, "correlation": correlation}
    task = BinGANTask(net, items, 50, weights, 2e-3, seed=0)
    train(
        [Phase("adversarial", task, n_epochs=12, batch_size=50)], items, TrainingOptions("cpu", verbose=False)
    )
    with torch.no_grad():
        features = net.discriminator(net.images(torch.from_numpy(items).float() / 255))
    bits, signs = hard_sign(features.low, "one"), hard_sign(features.high)
    pairs = torch.triu_indices(200, 200, 1)
    own = (bits @ bits.T / bits.shape[1])[pairs[0], pairs[1]]
    wanted = (signs @ signs.T / signs.shape[1])[pairs[0], pairs[1]]
    return {
        "balance": float(bits.mean(0).square().mean()),
        "correlation": float(own.abs().mean()),
        "distance": float((own - wanted).abs().mean()),
    }


@pytest.fixture(scope="module")
def all_on():
    return regularized(4.0, 4.0, 4.0)


@pytest.mark.parametrize(
    ("name", "weights"), [("balance", (4.0, 0.0, 4.0)), ("correlation", (4.0, 4.0, 0.0))]
)
def test_without_a_part_of_the_entropy_codes_are_worse(name, weights, all_on):
    off = regularized(*weights)
    assert all_on[name] < 0.5
    assert off[name] > 1.25 * all_on[name]


def test_without_distance_matching_distances_are_worse():
    on, off = regularized(4.0, 1.0, 1.0), regularized(0.0, 1.0, 1.0)
    assert on["distance"] < 0.15
    assert off["distance"] > 1.25 * on["distance"]
