"""What test_elastic.py trains under torchrun: a deep map, during which the second process is killed once.

torchrun --nproc-per-node 2 [--max-restarts 1] elastic.py FOLDER STEP
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from somscope.models.desom import DESOM
from somscope.processes import was_restarted
from somscope.training.loop import _Training

sys.path.insert(0, str(Path(__file__).parents[1]))
from training.toys import blobs

torch.set_num_threads(1)
folder, last = Path(sys.argv[1]), int(sys.argv[2])
first = []
step = _Training._step


def step_or_die(training, phase, indices):
    """SIGKILL before a step, once."""
    if not first:
        first.append(training.position.done)
        (folder / f"began-{os.environ['TORCHELASTIC_RESTART_COUNT']}").write_text(str(first[0]))
    if training.position.done == last and os.environ["RANK"] == "1" and not was_restarted():
        os.kill(os.getpid(), signal.SIGKILL)
    step(training, phase, indices)


_Training._step = step_or_die
model = DESOM(
    (3, 3), 2, hidden=(16, 8), n_steps=90, random_state=0, device="cpu", verbose=False,
    checkpoints=folder / "checkpoints", resume=True, training={"checkpoint_steps": 20},
)  # fmt: skip
model.fit(blobs())
if os.environ["RANK"] == "0":
    model.save(folder / "model")
