"""SIGKILL at random moments of a whole command that trains a deep map; then the same command goes on (--resume)."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.faults.killed import kills
from benchmarks.faults.processes import ask, beside, command, run_command
from benchmarks.faults.rows import Row

from somscope.checkpoint import checkpoints_in
from somscope.runs.run import Run
from somscope.training.saver import Saver

__all__ = ["mapped"]

_INTERVAL = 10
_SETTINGS = ("--model", "contrastive-som", "--steps", 40, "--grid", "3x3", "--seed", 0, "--device", "cpu")


def mapped(folder: Path, times: int, rng: np.random.Generator) -> list[Row]:
    """`somscope map`, from its training to the last file of its run; a checkpoint every ten steps."""
    np.save(folder / "x.npy", np.random.default_rng(0).random((256, 16), dtype=np.float32))

    def learn(place: Path, descriptor: int) -> None:
        _often()
        os.write(descriptor, b".")
        run_command("map", folder / "x.npy", "-o", place / "run", *_SETTINGS, "--resume")

    def facts(place: Path) -> dict[str, Any]:
        """What must not depend on kills."""
        run = Run.open(place / "run")
        weights = hashlib.sha256((run.path / "model.safetensors").read_bytes()).hexdigest()
        units = run.assignments()["unit"].to_pylist()
        return {
            "weights": weights,
            "units": units,
            "steps": run.config["steps"],
            "left": run.config["left_out"],
        }

    spoken = command("map", folder / "x.npy", "-o", folder / "whole" / "run", *_SETTINGS, before=_often)
    if spoken.code:
        raise RuntimeError(spoken.said)
    whole = ask(partial(facts, folder / "whole"))
    found: Counter[str] = Counter()
    for _, place, _ in kills(times, rng, folder, learn):
        if (place / "run").exists():
            found["whole"] += 1
        else:
            found["checkpoint" if checkpoints_in(place / "run.checkpoints") else "none"] += 1
            again = ("map", folder / "x.npy", "-o", place / "run", *_SETTINGS, "--resume")
            found["failed"] += command(*again, before=_often).code != 0
        same = ask(partial(facts, place)) == whole
        found["same"] += same and beside(place) == ["run"]
    return [
        Row(
            "SIGKILL while `somscope map` trains a deep map and writes its run",
            times,
            f"no run was there {times - found['whole']} times, a whole one {found['whole']} times; with --resume the "
            f"same command went on from a checkpoint {found['checkpoint']} times (one every {_INTERVAL} steps), began "
            f"anew {found['none']} times; {found['same']} of {times} runs are those of a command never killed, bit by "
            "bit",
            "nothing; --resume goes on",
            failed=times - found["same"],
        )
    ]


def _often() -> None:
    """Checkpoints by steps: the command takes them by the clock, which small data would never reach."""
    Saver.due = lambda self, done, minutes: done % _INTERVAL == 0  # type: ignore[method-assign]
