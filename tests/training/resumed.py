"""Trains in forked processes that are killed; run by test_resume.py.

    python resumed.py FOLDER KILL_AFTER...

Trains once without a break in FOLDER/whole and then in FOLDER/killed, where the process is killed with SIGKILL when it
has logged KILL_AFTER more rows, one number after the other, and resumed until it ends by itself.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from somscope.training import Phase, TrainingOptions, train
from training.toys import Autoencoder, Rivals, blobs


class Pipe:
    """A logger that writes a byte for every row."""

    def __init__(self, descriptor):
        self.descriptor = descriptor

    def log(self, phase, step, values):
        os.write(self.descriptor, b".")

    def close(self):
        pass


def work(folder, descriptor=None, resume=False):
    phases = [
        Phase("pretraining", Autoencoder(dropout=0.3), n_epochs=3, batch_size=32, clip_norm=1.0),
        Phase("joint", Rivals(), n_steps=40, batch_size=50),
    ]
    loggers = () if descriptor is None else (Pipe(descriptor),)
    options = TrainingOptions(
        "cpu", seed=3, checkpoints=folder, checkpoint_steps=3, resume=resume, log_steps=2, loggers=loggers
    )
    return train(phases, blobs(dtype=np.uint8), options)


def killed(folder, kills):
    """How many processes were killed in the middle of the training before one came to its end."""
    n_killed = 0
    while True:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            work(folder, writer, resume=True)
            os._exit(0)
        os.close(writer)
        wanted = kills[n_killed] if n_killed < len(kills) else 10**9
        while wanted > 0 and (got := os.read(reader, 1)):
            wanted -= len(got)
        if wanted <= 0:
            os.kill(child, signal.SIGKILL)
        os.close(reader)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return n_killed
        n_killed += 1


if __name__ == "__main__":
    torch.set_num_threads(1)
    home = Path(sys.argv[1])
    for slow in ("lightning_fabric", "pandas", "pyarrow.parquet", "safetensors.torch"):
        import_module(slow)  # once for all the forks
    n = killed(home / "killed", [int(k) for k in sys.argv[2:]])
    work(home / "whole")
    sys.stdout.write(f"{n}\n")
