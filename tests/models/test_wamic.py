"""WaMiC: its two losses, whose gradient goes where, the turns of critic and model, what it learns, what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from somscope.errors import InputError
from somscope.measures.clustering import accuracy
from somscope.models.wamic import WaMiC, WaMiCModule, WaMiCTask
from somscope.nets.dense import DenseAutoencoder
from somscope.training import Batch, Phase, TrainingOptions, train

QUICK = {
    "hidden": (16,),
    "critic": (16,),
    "latent_dim": 3,
    "device": "cpu",
    "random_state": 0,
    "verbose": False,
    "batch_size": 50,
}


def untrained():
    generator = torch.Generator().manual_seed(0)
    net = DenseAutoencoder(6, (8,), 3, generator=generator)
    module = WaMiCModule(net, 6, 4, 3, (8,), generator)
    with torch.no_grad():
        for weight in (module.prototypes, module.log_variances, module.logits):
            weight.normal_(generator=generator)
    return module


def items(n=7):
    return torch.rand(n, 6, generator=torch.Generator().manual_seed(2))


def seeded(function, *args):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return function(*args)


def test_drawn_codes_are_those_of_the_mixture():
    module = untrained()
    codes, weights, components = seeded(module.draw, 40_000)
    assert len(codes) == 40_000
    assert torch.bincount(components).tolist() == [10_000] * 4
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    pi = module.logits.softmax(0)
    for c in range(4):
        own = codes[components == c]
        torch.testing.assert_close(weights[components == c].sum(), pi[c], atol=1e-5, rtol=0)
        torch.testing.assert_close(own.mean(0), module.prototypes[c], atol=0.06, rtol=0)
        torch.testing.assert_close(own.var(0), module.log_variances[c].exp(), atol=0.02, rtol=0.06)
    assert len(module.draw(7)[0]) == 8  # equally many of each of the four


def test_the_losses_are_their_formulas():
    module, x = untrained(), items()
    pi = module.logits.detach().softmax(0)

    def f(row):
        return float(module.critic(row[None]).detach())

    codes, _, _ = seeded(module.draw, 7)
    generated = module.decode(codes).detach()
    data = sum(f(x[i]) for i in range(7)) / 7
    made = sum(float(pi[j // 2]) / 2 * f(generated[j]) for j in range(8))
    critic = seeded(module.critic_loss, x)
    assert float(critic.terms["distance"].detach()) == pytest.approx(data - made, rel=1e-4)
    wanted = 10 * float(critic.terms["penalty"].detach()) - (data - made)
    assert float(critic.total.detach()) == pytest.approx(wanted, rel=1e-4)

    model = seeded(module.loss, x, 0.7, 0.3)
    error = (
        sum(float(((module.decode(module.encode(x))[i] - x[i]) ** 2).sum().detach()) for i in range(7)) / 14
    )
    away = 0.0
    again = module.encode(module.decode(codes)).detach()
    for j in range(8):
        for k in range(3):
            variance = math.exp(float(module.log_variances[j // 2, k].detach()))
            gap = float((again[j, k] - codes[j, k]).detach())
            away += float(pi[j // 2]) / 2 * 0.5 * gap * gap / variance
    found = {name: float(term.detach()) for name, term in model.terms.items()}
    assert found == pytest.approx({"adversarial": -made, "reconstruction": error, "code": away}, rel=1e-4)
    assert float(model.total.detach()) == pytest.approx(-made + 0.7 * error + 0.3 * away, rel=1e-4)


def test_gradients_go_where_they_should():
    module, x = untrained(), items()
    named = {
        "encoder": module.net.encoder[0].weight,
        "decoder": module.net.decoder[0].weight,
        "critic": module.critic[0].weight,
        "means": module.prototypes,
        "variances": module.log_variances,
        "weights": module.logits,
    }

    def reached(term):
        found = torch.autograd.grad(term, list(named.values()), retain_graph=True, allow_unused=True)
        return {n for n, g in zip(named, found, strict=True) if g is not None and bool(g.any())}

    assert reached(module.critic_loss(x).total) == {"critic"}
    terms = module.loss(x, 1.0, 1.0).terms
    assert reached(terms["adversarial"]) == {"decoder", "critic", "means", "variances", "weights"}
    assert reached(terms["reconstruction"]) == {"encoder", "decoder"}
    assert {"encoder", "decoder"} <= reached(terms["code"])


def test_critic_and_model_take_turns():
    module = untrained()
    task = WaMiCTask(module, 0, learning_rate=1e-2, critic_steps=3, weights=(1.0, 1.0))
    turns = []

    class Engine:
        def autocast(self):
            return torch.autocast("cpu", enabled=False)

        def step(self, loss, name):
            turns.append(name)

        def total(self, tensor):
            return tensor

    losses = task.update(Batch(items(), torch.arange(7)), 0, Engine())
    assert turns == ["critic"] * 3 + ["model"]
    assert set(losses.terms) == {"adversarial", "reconstruction", "code", "distance", "penalty"}
    assert module.counts.sum() == 7
    owners = {
        name: {id(p) for group in optimizer.param_groups for p in group["params"]}
        for name, optimizer in task.optimizers().items()
    }
    assert owners["critic"] == {id(p) for p in module.critic.parameters()}
    assert owners["critic"] | owners["model"] == {id(p) for p in module.parameters()}
    assert not owners["critic"] & owners["model"]


def test_generated_items_come_to_the_data():
    """A mixture that begins far from where the data are, and a generator that has seen none of them."""
    rng = np.random.default_rng(0)
    x = (rng.random((3, 6))[rng.integers(0, 3, 400)] + 0.05 * rng.standard_normal((400, 6))).astype(
        np.float32
    )
    module = untrained()
    task = WaMiCTask(module, 0, learning_rate=2e-3, critic_steps=5, weights=(0.0, 0.0))
    task.begin = lambda feed, engine: None
    task.at_epoch = lambda epoch, feed, engine: None

    def away():
        """Energy distance of generated items and data: 0 for equal distributions."""
        with torch.no_grad():
            codes, weights, _ = seeded(module.draw, 400)
            made = module.decode(codes)
            data = torch.from_numpy(x)
            w = weights.clamp_min(0)
            between = (w[:, None] * torch.cdist(made, data)).sum() / 400
            within = (w[:, None] * w * torch.cdist(made, made)).sum()
            return float(2 * between - within - torch.cdist(data, data).mean())

    before = away()
    options = TrainingOptions(device="cpu", verbose=False)
    trained = train([Phase("adversarial", task, n_epochs=40, batch_size=100)], x, options)
    assert before > 1.0
    assert away() < 0.25 * before
    distances = trained.history["distance"]
    assert distances[-1] < max(distances)


def test_it_learns_digits():
    x, y = load_digits(return_X_y=True)
    x, y = (x[:700] / 16).astype(np.float32), y[:700]
    settings = {**QUICK, "hidden": (64, 64), "critic": (64,), "latent_dim": 5, "learning_rate": 3e-4}
    few = WaMiC(pretrain_epochs=1, n_epochs=1, **settings).fit(x)
    many = WaMiC(pretrain_epochs=60, n_epochs=5, **settings).fit(x)
    scores = [accuracy(y, model.labels_) for model in (few, many)]
    assert scores[0] < 0.5
    assert scores[1] > 0.65
    with torch.no_grad():
        codes, _, components = seeded(many.module_.draw, 500)
        again = many.module_.joint(many.module_.encode(many.module_.decode(codes))).argmax(1)
    assert float((again == components).float().mean()) > 0.9  # generated items are found in their components


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_clusters": 1}, "n_clusters=1; allowed: a whole number from 2"),
        ({"critic": (0,)}, "critic="),
        ({"critic_steps": 0}, "critic_steps=0; allowed: a whole number from 1"),
        ({"reconstruction": -1.0}, "reconstruction=-1.0"),
        ({"code": math.inf}, "code=inf"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"n_clusters": 301}, r"n_clusters=301: X has 300 sample\(s\), which is fewer"),
    ],
    ids=str,
)
def test_parameters_that_are_refused(blobs, options, message):
    with pytest.raises(InputError, match=message):
        WaMiC(**{**QUICK, **options}).fit(blobs[0])
