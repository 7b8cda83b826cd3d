"""What test_elastic.py trains in two processes: a deep map, once whole, and once with the second process killed.

python elastic.py FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
import lightning_fabric  # noqa: F401  # before the forks

from somscope.models.desom import DESOM
from somscope.processes import was_restarted
from somscope.training.loop import _Training
from training.toys import blobs
from workers import launch


def train(folder, last):
    """SIGKILL for the second process before a step, once; the first step of every start is noted."""
    first = []
    step = _Training._step

    def step_or_die(training, phase, indices):
        if not first:
            first.append(training.position.done)
            (folder / f"began-{os.environ['TORCHELASTIC_RESTART_COUNT']}").write_text(str(first[0]))
        if training.position.done == last and os.environ["RANK"] == "1" and not was_restarted():
            (folder / "killed").write_text(str(last))
            os.kill(os.getpid(), signal.SIGKILL)
        step(training, phase, indices)

    _Training._step = step_or_die
    model = DESOM(
        (3, 3), 2, hidden=(16, 8), n_steps=20, finish_steps=8, random_state=0, device="cpu", verbose=False,
        checkpoints=folder / "checkpoints", resume=True, training={"checkpoint_steps": 5},
    )  # fmt: skip
    model.fit(blobs())
    if os.environ["RANK"] == "0":
        model.save(folder / "model")


if __name__ == "__main__":
    torch.set_num_threads(1)
    home = Path(sys.argv[1])
    for name, last in (("whole", -1), ("mended", 13)):
        (home / name).mkdir()
        launch(train, home / name, last, restarts=1)
