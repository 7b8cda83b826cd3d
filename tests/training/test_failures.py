"""A loss that is no number or explodes ends the training by name; a collapsed map is reported."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from somscope.checkpoint import checkpoints_in
from somscope.errors import InputError, TrainingError
from somscope.objectives.losses import Losses
from somscope.training import Phase, TrainingOptions, train
from training.toys import Autoencoder, Rivals, blobs


class Failing(Autoencoder):
    """The term `som` has another value at one step; the weights get what `into_weights` says at it."""

    def __init__(self, value=0.0, at=7, into_weights=None):
        super().__init__()
        self.value, self.at, self.into_weights = value, at, into_weights

    def losses(self, batch, step):
        losses = super().losses(batch, step)
        som = torch.tensor(self.value if step == self.at else 0.5)
        return Losses(losses.total + som, {**losses.terms, "som": som})

    def update(self, batch, step, engine):
        losses = super().update(batch, step, engine)
        if step == self.at and self.into_weights is not None:
            with torch.no_grad():
                self.module[0].weight[1, 1] = self.into_weights
        return losses


def run(task, **options):
    phases = [Phase("pretraining", Autoencoder(), n_steps=3), Phase("joint", task, n_steps=20, batch_size=64)]
    return train(phases, blobs(), TrainingOptions(**{"device": "cpu", **options}))


@pytest.mark.parametrize(("value", "said"), [(math.nan, "is nan"), (math.inf, "is inf"), (1e9, "exploded")])
@pytest.mark.parametrize("log_steps", [1, 50])
def test_the_term_the_phase_and_the_step_are_named(value, said, log_steps):
    with pytest.raises(TrainingError, match=f"step 7 of phase 'joint': 'som' {said}") as raised:
        run(Failing(value), log_steps=log_steps)
    assert (raised.value.term, raised.value.phase, raised.value.step) == ("som", "joint", 7)


def test_a_large_loss_that_does_not_grow_is_none():
    class Large(Autoencoder):
        def losses(self, batch, step):
            losses = super().losses(batch, step)
            return Losses(losses.total + 1e8, losses.terms)

    assert run(Large()).stop_reason == "completed"


def test_a_limit_is_that_of_the_phase():
    first = Failing()
    large = Failing(2e6, at=0)
    phases = [Phase("a", first, n_steps=3), Phase("b", large, n_steps=3)]
    assert train(phases, blobs(), TrainingOptions("cpu")).stop_reason == "completed"


def test_broken_weights_are_no_result():
    with pytest.raises(TrainingError, match=r"step 19 of phase 'joint': 'weights 0\.weight' are not finite"):
        run(Failing(at=19, into_weights=math.inf))


def test_no_checkpoint_holds_what_is_broken(tmp_path):
    with pytest.raises(TrainingError):
        run(Failing(math.nan, at=7), checkpoints=tmp_path, checkpoint_steps=2, log_steps=50)
    assert [p.name for p in checkpoints_in(tmp_path)] == [
        "step-000000008",
        "step-000000010",
    ]  # 3 + 7 sound steps


def test_nan_in_the_data_is_found():
    x = blobs()
    x[100, 3] = np.nan
    task = Autoencoder()
    with pytest.raises(TrainingError, match="'reconstruction' is nan"):
        train([Phase("joint", task, n_epochs=1, shuffle=False, batch_size=64)], x)


class Collapsed(Rivals):
    """All units but one are far from every item."""

    def begin(self, feed, engine):
        super().begin(feed, engine)
        self.module.units[1:] = 100.0


def test_a_collapsed_map_is_a_warning(caplog):
    trained = run(Collapsed(), log_steps=4)
    assert trained.warnings == [
        "phase 'joint': the map has collapsed, it uses 1.00 of its 4 units (perplexity)"
    ]
    assert trained.warnings[0] in caplog.text
    assert trained.history["unit_perplexity"][-1] == 1.0


def test_a_map_that_is_used_gets_none_and_its_perplexity_is_in_the_history(caplog):
    task = Rivals()
    phase = Phase("joint", task, n_epochs=4, batch_size=64)
    trained = train([phase], blobs(), TrainingOptions("cpu", log_steps=5))
    assert not trained.warnings
    assert not caplog.records
    x = torch.from_numpy(blobs())
    share = torch.bincount(torch.cdist(x, task.module.units).argmin(1), minlength=4).double() / len(x)
    assert trained.history["unit_perplexity"][-1] == pytest.approx(
        float(torch.exp(-(share * share.log()).sum())), rel=0.1
    )


def test_a_term_may_not_take_a_column_of_the_history():
    class Taken(Autoencoder):
        def losses(self, batch, step):
            return Losses(super().losses(batch, step).total, {"epoch": torch.tensor(1.0)})

    with pytest.raises(InputError, match="'epoch'"):
        run(Taken())


@pytest.mark.parametrize(
    "wrong",
    [
        {"n_steps": 3, "n_epochs": 3},
        {},
        {"n_steps": -1},
        {"n_epochs": 1.5},
        {"n_steps": 3, "batch_size": 0},
        {"n_steps": 3, "clip_norm": 0.0},
    ],
)
def test_phases_that_cannot_be(wrong):
    with pytest.raises(InputError, match="phase 'joint'"):
        Phase("joint", Autoencoder(), **wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "gpu"},
        {"precision": "fp16"},
        {"seed": -1},
        {"log_steps": 0},
        {"checkpoint_steps": 0},
        {"checkpoint_minutes": 0},
        {"checkpoint_minutes": "5"},
        {"resume": True},
    ],
)
def test_options_that_cannot_be(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        TrainingOptions(**wrong)


def test_no_phases_are_an_error():
    with pytest.raises(InputError, match="nothing to train"):
        train([], blobs())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(InputError, match="sees no CUDA GPU"):
        run(Autoencoder(), device="cuda")
