"""A step of the engine is a step of plain PyTorch: schedules, clipping, several optimizers, random numbers."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from somscope.errors import InputError
from somscope.objectives.losses import Losses
from somscope.training import Phase, Schedule, TrainingOptions, adam, cosine, staircase, train
from somscope.training.order import epoch_order
from training.toys import Autoencoder, Rivals, blobs


class Scheduled(Autoencoder):
    """Plain descent under a schedule."""

    def __init__(self, schedule=None):
        super().__init__(dropout=0.0)
        self.schedule = schedule

    def optimizers(self):
        return {"sgd": torch.optim.SGD(self.module.parameters(), lr=0.5, momentum=0.5)}

    def schedules(self):
        return {} if self.schedule is None else {"sgd": self.schedule}


@pytest.mark.parametrize("clip_norm", [None, 0.05])
@pytest.mark.parametrize("by", [None, "step", "epoch"])
def test_two_roads_the_loop_and_plain_pytorch(clip_norm, by):
    x = torch.from_numpy(blobs(n=50))
    schedule = None if by is None else Schedule(lambda t: 1 / (1 + t), by)
    task = Scheduled(schedule)
    train(
        [Phase("joint", task, n_epochs=3, batch_size=16, clip_norm=clip_norm)],
        x,
        TrainingOptions("cpu", seed=4),
    )

    plain = Scheduled()
    optimizer = plain.optimizers()["sgd"]
    step = 0
    for epoch in range(3):
        for batch in epoch_order(50, True, 4, 0, epoch).split(16):
            if by is not None:
                optimizer.param_groups[0]["lr"] = 0.5 / (1 + (step if by == "step" else epoch))
            optimizer.zero_grad()
            (plain.module(x[batch]) - x[batch]).square().mean().backward()
            if clip_norm is not None:
                gradients = torch.cat([p.grad.reshape(-1) for p in plain.module.parameters()])
                for p in plain.module.parameters():
                    p.grad.mul_(min(1.0, clip_norm / (float(gradients.norm()) + 1e-6)))
            optimizer.step()
            step += 1
    for a, b in zip(task.module.parameters(), plain.module.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_schedules_and_their_rates_in_the_history():
    assert [staircase(0.5, 3)(t) for t in range(7)] == [1, 1, 1, 0.5, 0.5, 0.5, 0.25]
    half = cosine(10, last=0.2)
    assert [half(t) for t in (0, 5, 10, 99)] == pytest.approx([1.0, 0.6, 0.2, 0.2])
    trained = train(
        [Phase("joint", Scheduled(Schedule(staircase(0.1, 2))), n_steps=4)],
        blobs(),
        TrainingOptions("cpu", log_steps=1),
    )
    assert trained.history["learning_rate.sgd"] == pytest.approx([0.5, 0.5, 0.05, 0.05])
    with pytest.raises(InputError, match="by='minute'"):
        Schedule(half, "minute")


def test_a_schedule_of_no_optimizer_is_an_error():
    class Wrong(Scheduled):
        def schedules(self):
            return {"adam": Schedule(cosine(3))}

    with pytest.raises(InputError, match="optimizer='adam' is not known; allowed: sgd"):
        train([Phase("joint", Wrong(), n_steps=1)], blobs())


class OneOfTwo(Rivals):
    """Steps of the named optimizers alone."""

    def __init__(self, *names):
        super().__init__()
        self.names = names

    def update(self, batch, step, engine):
        made = self._made(batch, engine)
        loss = (self.module["critic"](made) - self.module["critic"](batch.items)).mean()
        engine.step(loss, *self.names)
        return Losses(loss, {})


@pytest.mark.parametrize(
    ("names", "moved"),
    [(("critic",), {"critic"}), (("generator",), {"generator"}), ((), {"critic", "generator"})],
)
def test_only_the_named_optimizers_step(names, moved):
    task = OneOfTwo(*names)
    before = {n: p.detach().clone() for n, p in task.module.named_parameters()}
    train([Phase("joint", task, n_steps=2)], blobs(), TrainingOptions("cpu"))
    changed = {n.split(".")[0] for n, p in task.module.named_parameters() if not torch.equal(p, before[n])}
    assert changed == moved
    assert all(p.grad is None for n, p in task.module.named_parameters() if n.split(".")[0] not in moved)


def test_an_optimizer_that_is_not_there():
    with pytest.raises(InputError, match="optimizer='gan' is not known; allowed: critic, generator"):
        train([Phase("joint", OneOfTwo("gan"), n_steps=1)], blobs())


class Steady(Rivals):
    """Rivals with rates at which the generator gets somewhere."""

    def optimizers(self):
        rates = {"critic": 0.02, "generator": 0.005}
        return {n: adam(self.module[n].parameters(), lr=rate, betas=(0.5, 0.9)) for n, rate in rates.items()}

    def schedules(self):
        return {}


def test_rivals_and_a_map_in_closed_form_learn():
    x, task = torch.from_numpy(blobs()), Steady()

    def distance():  # of the generator's mean from that of the items
        noise = torch.randn(500, 4, generator=torch.Generator().manual_seed(0))
        return float((task.module["generator"](noise).detach().mean(0) - x.mean(0)).abs().mean())

    assert distance() > 0.4
    first = float(torch.cdist(x, x[:4]).min(1).values.mean())  # the map begins at the first items
    trained = train([Phase("joint", task, n_steps=400, batch_size=64)], x, TrainingOptions("cpu"))
    assert distance() < 0.2
    assert float(torch.cdist(x, task.module.units).min(1).values.mean()) < 0.9 * first
    assert {"told", "fooled", "radius", "unit_perplexity"} <= trained.history.keys()


def test_phases_follow_each_other_in_one_history():
    first, second = Autoencoder(), Autoencoder()
    second.module = first.module  # pretraining, then the same weights
    learned = []
    begin = second.begin
    second.begin = lambda *given: (learned.append(first.module[0].weight.detach().clone()), begin(*given))
    before = first.module[0].weight.detach().clone()
    trained = train(
        [Phase("pretraining", first, n_steps=5), Phase("joint", second, n_epochs=2, batch_size=100)],
        blobs(),
        TrainingOptions("cpu", log_steps=2),
    )
    assert trained.history["phase"] == ["pretraining"] * 3 + ["joint"] * 3
    assert trained.history["step"] == [2, 4, 5, 7, 9, 11]
    assert trained.history["epoch"] == [0, 1, 2, 0, 1, 1]
    assert not torch.equal(learned[0], before)
    assert not torch.equal(learned[0], first.module[0].weight)


def test_a_row_is_the_mean_of_the_steps_since_the_last():
    class Counting(Autoencoder):
        def losses(self, batch, step):
            odd = {"odd": torch.tensor(float(step))} if step % 2 else {}
            return Losses(
                super().losses(batch, step).total, {"step number": torch.tensor(float(step)), **odd}
            )

    trained = train([Phase("joint", Counting(), n_steps=5)], blobs(), TrainingOptions("cpu", log_steps=3))
    assert trained.history["step number"] == [1.0, 3.5]
    assert trained.history["odd"] == [1.0, 3.0]
    assert all(type(v) is float for v in trained.history["loss"])


def test_what_a_phase_does_not_have_is_nan():
    trained = train([Phase("a", Autoencoder(), n_steps=1), Phase("b", Rivals(), n_steps=1)], blobs())
    assert math.isnan(trained.history["told"][0])
    assert math.isnan(trained.history["reconstruction"][1])


def test_the_global_random_state_is_neither_used_nor_changed():
    def states():
        return torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002

    def run(seed):
        task, rivals = Autoencoder(dropout=0.5), Rivals()
        torch.manual_seed(len(learned))
        before = states()
        train(
            [Phase("joint", task, n_steps=5), Phase("noise", rivals, n_steps=3)],
            blobs(),
            TrainingOptions("cpu", seed=seed),
        )
        assert states() == before
        learned.append(
            torch.cat([task.module[0].weight.reshape(-1), rivals.module["generator"].weight.reshape(-1)])
        )

    learned = []
    for seed in (7, 7, 8):
        run(seed)
    assert torch.equal(learned[0], learned[1])
    assert not torch.equal(learned[0], learned[2])


def test_bf16_ends_close_to_fp32():
    def run(precision):
        task = Autoencoder(dropout=0.0)
        return train([Phase("joint", task, n_steps=200)], blobs(), TrainingOptions("cpu", precision)), task

    (fp32, a), (bf16, b) = run("fp32"), run("bf16")
    assert bf16.history["loss"] == pytest.approx(fp32.history["loss"], rel=0.05)
    assert all(p.dtype == torch.float32 for p in b.module.parameters())
    assert not torch.equal(a.module[0].weight, b.module[0].weight)
    assert run("auto")[0].precision == "fp32"


def test_fused_adam_is_adam():
    x = torch.from_numpy(blobs(n=64))
    results = []
    for make in (
        adam,
        lambda parameters, lr: torch.optim.Adam(parameters, lr=lr, fused=False, foreach=False),
    ):
        task = Autoencoder(dropout=0.0)
        optimizer = make(task.module.parameters(), lr=0.01)
        for _ in range(20):
            optimizer.zero_grad()
            (task.module(x) - x).square().mean().backward()
            optimizer.step()
        results.append(task.module[0].weight.detach())
    assert adam(nn.Linear(2, 2).parameters()).defaults["fused"] is True
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-6)


def test_modules_end_in_eval_mode_and_train_in_train_mode():
    seen = []

    class Watched(Autoencoder):
        def losses(self, batch, step):
            seen.append(self.module.training)
            return super().losses(batch, step)

    task = Watched()
    task.module.eval()
    train([Phase("joint", task, n_steps=2)], blobs())
    assert seen == [True, True]
    assert not task.module.training


def test_keras_adam_adds_its_eps_before_the_correction():
    """Keras's `get_updates`, in NumPy, where eps decides: gradients of 1e-7."""
    weight = nn.Parameter(torch.tensor([1.0, -2.0], dtype=torch.float64))
    optimizer = adam([weight], lr=0.01, eps_hat=1e-7)
    m, v, p = np.zeros(2), np.zeros(2), np.array([1.0, -2.0])
    plain = adam([other := nn.Parameter(weight.detach().clone())], lr=0.01, eps=1e-7)
    for t in range(1, 8):
        gradient = np.array([1e-7, -3e-8]) * t
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        p = p - 0.01 * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        for each, stepped in ((weight, optimizer), (other, plain)):
            each.grad = torch.from_numpy(gradient.copy())
            stepped.step()
        if t == 4:  # as on resuming
            state = optimizer.state_dict()
            optimizer = adam([weight], lr=0.01, eps_hat=1e-7)
            optimizer.load_state_dict(state)
        assert optimizer.param_groups[0]["eps"] == 1e-7
    np.testing.assert_allclose(weight.detach().numpy(), p, rtol=1e-12)
    assert np.abs(other.detach().numpy() - p).max() > 0.01
