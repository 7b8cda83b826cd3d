"""Images for coders, how well codes find what is alike, and a training that is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
from sklearn.datasets import load_digits

from somscope.codes import hamming_distances


def digits():
    """(1797, 16, 16, 1) uint8 handwritten digits, each pixel of scikit-learn's four times, and what they show."""
    data = load_digits()
    pixels = (data.images * 15.9).astype(np.uint8)
    return pixels.repeat(2, 1).repeat(2, 2)[..., None], data.target


def neighbours_alike(codes, labels):
    """Mean share of the same label among the ten nearest codes of each item."""
    distances = hamming_distances(codes, codes).astype(float)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :10]
    return float((labels[nearest] == labels[:, None]).mean())


_KILLED = """
import json, os, signal, sys
import numpy as np
from {module} import {estimator}, {task}

update = {task}.update

def update_and_die(self, batch, step, engine):
    if step == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, batch, step, engine)

{task}.update = update_and_die
how = {{"checkpoints": sys.argv[2], "training": {{"checkpoint_steps": {every}}}}}
{estimator}(**json.loads(sys.argv[1]), **how).fit(np.load(sys.argv[3]))
"""


def killed(estimator, task, settings, images, folder, at, every):
    """Train in a process that dies in step `at`, with a checkpoint every few steps; the options that go on with it."""
    np.save(folder / "images.npy", images)
    code = _KILLED.format(
        module=estimator.__module__, estimator=estimator.__name__, task=task.__name__, at=at, every=every
    )
    arguments = [json.dumps(settings), str(folder / "checkpoints"), str(folder / "images.npy")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    return {"checkpoints": folder / "checkpoints", "resume": True, "training": {"checkpoint_steps": every}}
