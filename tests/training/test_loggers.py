"""Every row reaches every logger; one that fails does not take the training with it."""

from __future__ import annotations

import ast
import json
import math
import sys
import types
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import somscope
from somscope.errors import InputError
from somscope.training import Phase, TensorBoardLogger, TrainingOptions, WandbLogger, train
from somscope.training.loggers import JsonLines
from training.toys import Autoencoder, Rivals, blobs


def run(*loggers, folder=None, **options):
    phases = [Phase("first", Autoencoder(), n_steps=4), Phase("second", Rivals(), n_steps=4)]
    return train(
        phases, blobs(), TrainingOptions("cpu", checkpoints=folder, log_steps=2, loggers=loggers, **options)
    )


class Kept:
    """A logger that keeps what it gets, and may fail."""

    def __init__(self, fail_at=None):
        self.rows, self.closed, self.fail_at = [], 0, fail_at

    def log(self, phase, step, values):
        if step == self.fail_at:
            raise ConnectionError("no route")
        self.rows.append((phase, step, dict(values)))

    def close(self):
        self.closed += 1


def test_a_logger_gets_the_rows_of_the_history():
    logger = Kept()
    trained = run(logger)
    assert [(phase, step) for phase, step, _ in logger.rows] == [
        ("first", 2),
        ("first", 4),
        ("second", 6),
        ("second", 8),
    ]
    for i, (_, _, values) in enumerate(logger.rows):
        for name, value in values.items():
            assert trained.history[name][i] == value
    assert logger.rows[0][2].keys() == {"epoch", "loss", "reconstruction"}
    assert logger.closed == 1


def test_a_logger_that_fails_is_left_out_and_named(caplog):
    failing, other = Kept(fail_at=4), Kept()
    trained = run(failing, other)
    assert [len(failing.rows), len(other.rows)] == [1, 4]
    assert trained.warnings == ["Kept failed and gets no more rows: no route"]
    assert "no route" in caplog.text
    assert trained.stop_reason == "completed"


def test_loggers_are_closed_when_training_fails():
    logger = Kept()

    class Broken(Autoencoder):
        def losses(self, batch, step):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train([Phase("joint", Broken(), n_steps=1)], blobs(), TrainingOptions("cpu", loggers=[logger]))
    assert logger.closed == 1


def test_a_folder_gets_metrics_and_history(tmp_path):
    trained = run(folder=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "history.parquet").to_pydict()
    assert table.keys() == trained.history.keys()
    for name, values in trained.history.items():
        np.testing.assert_array_equal(table[name], values)
        for row, value in zip(rows, values, strict=True):
            assert row[name] == value if name in row else math.isnan(value)


def test_json_lines_have_no_nan(tmp_path):
    lines = JsonLines(tmp_path / "m.jsonl", [{"phase": "a", "step": 1, "loss": math.nan}])
    lines.log("a", 2, {"loss": math.inf})
    lines.close()
    rows = [json.loads(line) for line in (tmp_path / "m.jsonl").read_text().splitlines()]
    assert rows == [{"phase": "a", "step": 1, "loss": None}, {"phase": "a", "step": 2, "loss": None}]


def test_tensorboard_reads_what_was_written(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    trained = run(TensorBoardLogger(tmp_path))
    events = EventAccumulator(str(tmp_path)).Reload()
    scalars = events.Scalars("first/reconstruction")
    assert [event.step for event in scalars] == [2, 4]
    assert [event.value for event in scalars] == pytest.approx(
        trained.history["reconstruction"][:2], rel=1e-6
    )
    assert {"second/told", "second/unit_perplexity"} <= set(events.Tags()["scalars"])


def test_weights_and_biases_gets_every_row(monkeypatch):
    calls = []
    run_of_wandb = types.SimpleNamespace(
        log=lambda values, step: calls.append((step, values)), finish=lambda: calls.append("finished")
    )
    stand_in = types.ModuleType("wandb")
    stand_in.init = lambda **given: (calls.append(given), run_of_wandb)[1]
    monkeypatch.setitem(sys.modules, "wandb", stand_in)
    trained = run(WandbLogger("maps", name="one", config={"gamma": 0.001}))
    assert calls[0] == {
        "project": "maps",
        "name": "one",
        "id": None,
        "resume": None,
        "config": {"gamma": 0.001},
    }
    assert [call[0] for call in calls[1:-1]] == [2, 4, 6, 8]
    assert calls[1][1]["first/loss"] == trained.history["loss"][0]
    assert calls[-1] == "finished"


@pytest.mark.parametrize(
    ("package", "make"),
    [
        ("wandb", lambda: WandbLogger("maps")),
        ("torch.utils.tensorboard", lambda: TensorBoardLogger("events")),
    ],
)
def test_a_package_that_is_not_installed_is_named(monkeypatch, package, make):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(InputError, match=r"not installed: pip install 'somscope\["):
        make()


def test_the_bar_shows_the_phase_the_steps_and_the_losses(capfd, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    run(verbose=True)
    shown = capfd.readouterr().err
    assert "second" in shown
    assert "4/4" in shown
    assert "fooled" in shown
    run(verbose=False)
    run(verbose=None)  # not a terminal
    assert capfd.readouterr().err == ""


def test_one_file_imports_fabric_and_only_when_training():
    importing = set()
    for path in Path(somscope.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [getattr(node, "module", None)]
            )
            if isinstance(node, ast.Import | ast.ImportFrom) and any(
                str(n).split(".")[0] in ("lightning_fabric", "lightning", "pytorch_lightning") for n in names
            ):
                importing.add(path.name)
                assert node not in tree.body
    assert importing == {"fabric.py"}
