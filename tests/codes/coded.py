"""What test_several.py does in two processes: a run of codes, once whole, and once with the second process killed.

python coded.py FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import lightning_fabric  # noqa: F401  # before the forks

from somscope.coding import code_collection
from somscope.data import Collection
from somscope.processes import process_rank, was_restarted
from somscope.training.loop import _Training
from workers import launch


def code(folder, name, last):
    """SIGKILL for the second process before a step, once; the first step of every start is noted."""
    first = []
    step = _Training._step

    def step_or_die(training, phase, indices):
        if not first:
            first.append(training.position.done)
            (folder / f"{name}-began-{int(was_restarted())}").write_text(str(first[0]))
        if training.position.done == last and process_rank() == 1 and not was_restarted():
            os.kill(os.getpid(), signal.SIGKILL)
        step(training, phase, indices)

    _Training._step = step_or_die
    images = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 3), dtype=np.uint8)
    code_collection(
        Collection("noise", "images", images), folder / name, "bingan", 8,
        parameters={
            "width": 1 / 96, "n_epochs": 2, "batch_size": 8, "device": "cpu", "training": {"checkpoint_steps": 2},
        },
    )  # fmt: skip


if __name__ == "__main__":
    torch.set_num_threads(1)
    home = Path(sys.argv[1])
    for name, last in (("whole", -1), ("killed", 5)):
        launch(code, home, name, last, restarts=1)
