"""What test_processes.py trains, under torchrun or not; writes what was learned to the folder named.

torchrun --nproc-per-node 2 several.py FOLDER
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from somscope.models.desom import DESOM
from somscope.training import Phase, TrainingOptions, train
from training.toys import Autoencoder, Rivals, blobs

RANK = os.environ.get("RANK", "0")


class Descent(Autoencoder):
    """Plain descent: Adam would blow up the rounding of the bias before the normalisation, whose gradient is 0."""

    def optimizers(self):
        return {"sgd": torch.optim.SGD(self.module.parameters(), lr=0.3, momentum=0.9)}


def same():
    """What does not depend on the processes. 257 items: in batches of 60 the last has 17, in batches of 64 it has 1."""
    network = Descent(dropout=0.0, middle=(nn.BatchNorm1d(3),))
    return [
        Phase("network", network, n_epochs=2, batch_size=60, clip_norm=0.05),
        Phase("rivals", Rivals(noise=False), n_epochs=2, batch_size=64),
    ]


def random():
    """What draws random numbers, other ones in each process."""
    return [
        Phase("network", Autoencoder(dropout=0.3), n_steps=7, batch_size=64),
        Phase("rivals", Rivals(), n_steps=16, batch_size=64),
    ]


def interrupted(phases):
    """The same phases, but the second process gets Ctrl-C at a step of the second."""
    task = phases[1].task
    update = task.update

    def update_and_interrupt(batch, step, engine):
        if step == 5 and RANK == "1":
            os.kill(os.getpid(), signal.SIGINT)
        return update(batch, step, engine)

    task.update = update_and_interrupt
    return phases


def run(folder, phases, **options):
    """Train with another seed in each process; write weights-RANK.safetensors, history-RANK.json and checkpoints."""
    folder.mkdir(exist_ok=True)
    done = train(
        phases,
        blobs(),
        TrainingOptions(
            "cpu", seed=1 + int(RANK), checkpoints=folder / "checkpoints", log_steps=3, **options
        ),
    )
    weights = {}
    for number, phase in enumerate(phases):
        weights |= {f"{number}.{name}": t for name, t in phase.task.module.state_dict().items()}
    save_file(weights, folder / f"weights-{RANK}.safetensors")
    (folder / f"history-{RANK}.json").write_text(json.dumps(done.history))
    return done


def estimator(folder):
    """A model whose every draw is its own: first weights, prototypes, order, and the map that is laid at the end."""
    folder.mkdir(exist_ok=True)
    model = DESOM((2, 2), 2, hidden=(4,), n_steps=5, finish="som", device="cpu", verbose=False).fit(blobs())
    save_file(model.module_.state_dict(), folder / f"weights-{RANK}.safetensors")


def deep_map(folder):
    """A published model with its finish, whose seed is given: as one process trains it."""
    folder.mkdir(exist_ok=True)
    how = {"hidden": (16, 8), "n_steps": 60, "finish_steps": 30, "random_state": 0, "device": "cpu"}
    model = DESOM((3, 3), 2, verbose=False, **how).fit(blobs())
    save_file(model.module_.state_dict(), folder / f"weights-{RANK}.safetensors")
    (folder / f"units-{RANK}.json").write_text(json.dumps(model.labels_.tolist()))


if __name__ == "__main__":
    torch.set_num_threads(1)
    home = Path(sys.argv[1])
    run(home / "same", same())
    run(home / "random", random())
    estimator(home / "estimator")
    deep_map(home / "deep-map")
    stopped = run(home / "resumed", interrupted(random()))
    assert (stopped.stop_reason, stopped.n_steps) == ("interrupted", 7 + 6), stopped
    resumed = run(home / "resumed", random(), resume=True)
    assert (resumed.stop_reason, resumed.n_steps) == ("completed", 7 + 16), resumed
