"""Ctrl-C ends a training between two steps, keeps what was learned, and says how to go on."""

from __future__ import annotations

import os
import signal

import pytest
import torch

from somscope.training import Phase, TrainingOptions, train
from training.toys import Rivals, blobs


class Pressed(Rivals):
    """Ctrl-C in the middle of a step."""

    def __init__(self, at, times=1):
        super().__init__()
        self.at, self.times = at, times

    def update(self, batch, step, engine):
        losses = super().update(batch, step, engine)
        if step == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
        return losses


Pressed.__name__ = "Rivals"


def run(task, folder=None, **options):
    phases = [Phase("first", Rivals(), n_steps=4), Phase("second", task, n_steps=9, batch_size=100)]
    return train(phases, blobs(), TrainingOptions("cpu", checkpoints=folder, log_steps=3, **options))


def test_what_was_learned_is_kept_and_can_be_resumed(tmp_path, caplog):
    whole, stopped, resumed = Rivals(), Pressed(at=4), Rivals()
    expected = run(whole)
    trained = run(stopped, tmp_path)
    assert (trained.stop_reason, trained.n_steps) == ("interrupted", 4 + 5)
    assert trained.history["step"] == [3, 4, 7, 9]
    assert (
        f"after step 5 of phase 'second': what was learned is kept; --resume (resume=True) goes on from {tmp_path}"
        in caplog.text
    )
    assert not stopped.module.training
    trained = run(resumed, tmp_path, resume=True)
    assert (trained.stop_reason, trained.n_steps) == ("completed", 4 + 9)
    assert str(trained.history) == str(expected.history)  # with its NaN
    for name, tensor in whole.module.state_dict().items():
        assert torch.equal(tensor, resumed.module.state_dict()[name]), name


def test_the_weights_are_those_of_the_steps_made(caplog):
    stopped, shorter = Pressed(at=4), Rivals()
    run(stopped)
    assert "no checkpoint was written, so it cannot be resumed" in caplog.text
    train([Phase("first", Rivals(), n_steps=4), Phase("second", shorter, n_steps=5, batch_size=100)], blobs())
    for a, b in zip(stopped.module.parameters(), shorter.module.parameters(), strict=True):
        assert torch.equal(a, b)


def test_ctrl_c_in_the_last_step_changes_nothing(tmp_path):
    assert run(Pressed(at=8), tmp_path).stop_reason == "completed"


def test_a_second_ctrl_c_stops_at_once_and_the_handler_is_given_back():
    with pytest.raises(KeyboardInterrupt):
        run(Pressed(at=4, times=2))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_handler_of_the_user_stays():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
    try:
        trained = run(Pressed(at=4))
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [1]
    assert trained.stop_reason == "completed"
