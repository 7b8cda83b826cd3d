"""Trainings of deep maps that were killed, interrupted, or failed at their end, and how they go on."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from cli.deep_samples import DESOM, assert_same, refused
from cli.samples import invoke
from somscope.runs import Run


def start(*arguments: object, cwd: Path, before: str = "") -> subprocess.Popen[str]:
    """The command in a process of its own; `before` is Python code that runs first in it."""
    code = f"import sys\n{before}\nfrom somscope.cli.main import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


# A checkpoint every fifth step, and a signal in the 13th of the first phase.
SIGNAL_IN_STEP_13 = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal; a test runner may have blocked it
from somscope.models.desom import DESOMTask
from somscope.training.saver import Saver
Saver.due = lambda self, done, minutes: done % 5 == 0
real = DESOMTask.losses
def losses(self, batch, step):
    if step == 12:
        {act}
    return real(self, batch, step)
DESOMTask.losses = losses
"""


def test_a_killed_training_is_resumed_to_the_same_bits(folder: Path, desom_run: Path) -> None:
    arguments = ("map", "bars.npy", *DESOM, "-o", "run")
    kill = SIGNAL_IN_STEP_13.format(act="os.kill(os.getpid(), signal.SIGKILL)")
    process = start(*arguments, cwd=folder, before=kill)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == -9, output
    assert not (folder / "run").exists()
    assert {p.name for p in (folder / "run.checkpoints").glob("step-*")} == {
        "step-000000005",
        "step-000000010",
    }
    refused(
        "map",
        folder / "bars.npy",
        *DESOM,
        "-o",
        folder / "run",
        match="--resume goes on with it, --overwrite",
    )
    other = ("map", folder / "bars.npy", *DESOM, "--seed", 1, "-o", folder / "run", "--resume")
    refused(*other, match="other settings")
    result = invoke("map", folder / "bars.npy", *DESOM, "-o", folder / "run", "--resume")
    assert result.exit_code == 0, result.output
    assert_same(desom_run, folder / "run")
    assert not (folder / "run.checkpoints").exists()
    assert Run.open(folder / "run").history().num_rows == 2


def test_overwrite_begins_a_killed_training_anew(folder: Path) -> None:
    (folder / "run.checkpoints" / "step-000000005").mkdir(parents=True)
    (folder / "run.checkpoints" / "metrics.jsonl").write_text("{}\n")
    result = invoke("map", folder / "bars.npy", *DESOM, "-o", folder / "run", "--overwrite")
    assert result.exit_code == 0, result.output
    assert not (folder / "run.checkpoints").exists()


def test_a_folder_of_others_in_the_place_of_checkpoints_is_left_alone(folder: Path) -> None:
    (folder / "run.checkpoints").mkdir()
    (folder / "run.checkpoints" / "thesis.tex").write_text("mine")
    arguments = ("map", folder / "bars.npy", *DESOM, "-o", folder / "run", "--overwrite")
    refused(*arguments, match="is not a folder of checkpoints alone")
    assert (folder / "run.checkpoints" / "thesis.tex").read_text() == "mine"


def test_ctrl_c_keeps_what_was_learned_and_says_how_to_go_on(
    folder: Path, desom_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("map", "bars.npy", *DESOM, "-o", "run")
    stop = SIGNAL_IN_STEP_13.format(act="signal.raise_signal(signal.SIGINT)")
    process = start(*arguments, cwd=folder, before=stop)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "the map was kept as it was after 13 steps; to go on:" in output
    run = Run.open(folder / "run")
    assert (run.config["stop_reason"], run.config["steps"]) == ("interrupted", 13)
    assert "interrupted" in (folder / "run" / "report.html").read_text(encoding="utf-8")
    assert run.metrics["reconstruction_error"] > 0
    (command,) = [line for line in output.splitlines() if line.startswith("somscope map")]
    monkeypatch.chdir(folder)
    result = invoke(*shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    assert_same(desom_run, folder / "run")
    assert not (folder / "run.checkpoints").exists()
    assert "--resume" not in (folder / "run" / "report.html").read_text(encoding="utf-8")


def test_ctrl_c_twice_keeps_the_checkpoint(folder: Path) -> None:
    act = "signal.raise_signal(signal.SIGINT); signal.raise_signal(signal.SIGINT)"
    process = start(
        "map", "bars.npy", *DESOM, "-o", "run", cwd=folder, before=SIGNAL_IN_STEP_13.format(act=act)
    )
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "no run was written, and the last checkpoint is kept; to go on:" in output
    assert not (folder / "run").exists()
    assert (folder / "run.checkpoints" / "step-000000010").is_dir()


def test_what_fails_after_the_training_is_made_up_for_without_another(
    folder: Path, desom_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import somscope.mapping
    from somscope.models.desom import DESOMTask

    def broken(*_: object) -> None:
        raise MemoryError("12 GiB")

    arguments = ("map", folder / "bars.npy", *DESOM, "-o", folder / "run")
    with monkeypatch.context() as patch:
        patch.setattr(somscope.mapping, "measure_run", broken)
        result = invoke(*arguments)
    assert result.exit_code == 1, result.output
    assert "--resume" in result.output
    monkeypatch.setattr(DESOMTask, "losses", broken)  # no step of training is taken again
    result = invoke(*arguments, "--resume")
    assert result.exit_code == 0, result.output
    assert Run.open(folder / "run").metrics["quantization_error"] > 0
    assert not (folder / "run.checkpoints").exists()
