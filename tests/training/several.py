"""What test_processes.py trains in one, two and four processes; writes what was learned to folders 1, 2 and 4.

python several.py FOLDER
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import lightning_fabric  # noqa: F401  # before the forks
import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))
from somscope.models.bingan import BinGAN
from somscope.models.contrastive_hash import ContrastiveHash
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.models.dc_somrl import DCSOMRL
from somscope.models.dec import DEC
from somscope.models.desom import DESOM
from somscope.models.dpsom import DPSOM
from somscope.models.vade import VaDE
from somscope.models.wamic import WaMiC
from somscope.training import Phase, TrainingOptions, train
from training.toys import Autoencoder, Rivals, blobs
from workers import launch


def rank():
    return os.environ.get("RANK", "0")


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
    """What draws random numbers, for all processes and for each its own."""
    return [
        Phase("network", Autoencoder(dropout=0.3), n_steps=7, batch_size=64),
        Phase("rivals", Rivals(), n_steps=16, batch_size=64),
    ]


def interrupted(phases):
    """The same phases, but the second process gets Ctrl-C at a step of the second."""
    task = phases[1].task
    update = task.update

    def update_and_interrupt(batch, step, engine):
        if step == 5 and rank() == "1":
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
            "cpu", seed=1 + int(rank()), checkpoints=folder / "checkpoints", log_steps=3, **options
        ),
    )
    weights = {}
    for number, phase in enumerate(phases):
        weights |= {f"{number}.{name}": t for name, t in phase.task.module.state_dict().items()}
    save_file(weights, folder / f"weights-{rank()}.safetensors")
    (folder / f"history-{rank()}.json").write_text(json.dumps(done.history))
    return done


def estimator(folder):
    """A model whose every draw is its own: first weights, prototypes, order, and the map that is laid at the end."""
    folder.mkdir(exist_ok=True)
    model = DESOM((2, 2), 2, hidden=(4,), n_steps=5, finish="som", device="cpu", verbose=False).fit(blobs())
    save_file(model.module_.state_dict(), folder / f"weights-{rank()}.safetensors")


def images():
    """60 pictures of 16 x 16 x 3, bright or dark, with bars across or down."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, (60, 16, 16, 3))
    x[:20, 4:7] += 150
    x[20:40, :, 9:13] += 120
    return (x + rng.integers(0, 60, (60, 1, 1, 3))).astype(np.uint8)


def keep(folder, model, units):
    """What a model learned, as far as it shows, and the course of its losses."""
    folder.mkdir(exist_ok=True)
    history = {
        f"history.{k}": np.array(v) for k, v in model.history_.items() if k not in ("phase", "seconds")
    }
    np.savez(folder / f"model-{rank()}.npz", **units, **history)


def deep_maps(home):
    """Published models and ours, whose seed is given: as one process trains them."""
    how = {"random_state": 0, "device": "cpu", "verbose": False, "training": {"log_steps": 1}}
    x = blobs()
    model = DESOM((3, 3), 2, hidden=(16, 8), n_steps=30, finish_steps=20, **how).fit(x)
    keep(home / "desom", model, {"codes": model.encode(x), "prototypes": model.prototypes_})
    contrast = {"final_radius": None, "latent_dim": 8, "hidden": (16,), "batch_size": 23, **how}
    model = ContrastiveSOM((3, 3), network="dense", augmentation="vectors", n_steps=9, **contrast).fit(x)
    keep(home / "contrastive-rows", model, {"codes": model.encode(x), "prototypes": model.prototypes_})


def image_models(home):
    """What couples the images of a batch: views, neighbours, even use of units, distances of bits; dropout, noise."""
    how = {"random_state": 0, "device": "cpu", "verbose": False, "training": {"log_steps": 1}}
    x = images()
    contrast = {"final_radius": None, "latent_dim": 8, "hidden": (16,), "batch_size": 23, **how}
    model = ContrastiveSOM(
        (2, 3), network="small", augmentation="digits", n_steps=4, joint_steps=3, neighbours=5, **contrast
    ).fit(x)
    keep(home / "contrastive", model, {"codes": model.encode(x), "prototypes": model.prototypes_})
    model = BinGAN(8, preset="cpu", width=1 / 24, n_epochs=2, batch_size=19, **how).fit(x)
    with torch.inference_mode():
        values = model.module_.project(torch.from_numpy(x).float().flatten(1) / 255.0)
    keep(home / "bingan", model, {"values": values.numpy(), "made": model.generate(4)})


def random_models(home):
    """What draws random numbers for items in other ways: posteriors, mixtures, dropout by hand, disturbed codes."""
    how = {"random_state": 0, "device": "cpu", "verbose": False, "training": {"log_steps": 1}}
    x, mixture = blobs(), {"hidden": (8,), "pretrain_epochs": 1, "n_epochs": 2, "batch_size": 100}
    models = {
        "vade": VaDE(3, 2, **mixture, **how),
        "dpsom": DPSOM((2, 2), 2, som_epochs=1, **mixture, **how),
        "wamic": WaMiC(3, 2, critic=(8,), critic_steps=2, **mixture, **how),
        "dec": DEC(3, 2, hidden=(8,), pretrain_epochs=1, layer_epochs=1, n_steps=3, update_interval=2, **how),
        "dc-somrl": DCSOMRL(
            2, disturb=0.5, hidden=(8,), pretrain_epochs=1, n_epochs=2, batch_size=100, **how
        ),
    }
    for name, model in models.items():
        model.fit(x)
        keep(home / name, model, {"codes": model.encode(x), "prototypes": model.prototypes_})
    coder = ContrastiveHash(8, network="small", augmentation="objects", n_epochs=1, batch_size=23, **how)
    keep(home / "contrastive-hash", coder.fit(images()), {})


def alone(home):
    """What one process learns, for comparison."""
    run(home / "same", same())
    run(home / "random", random())
    deep_maps(home)
    image_models(home)
    random_models(home)


def together(home):
    """The same in two processes, and what only several can do wrong."""
    alone(home)
    estimator(home / "estimator")
    stopped = run(home / "resumed", interrupted(random()))
    assert (stopped.stop_reason, stopped.n_steps) == ("interrupted", 7 + 6), stopped
    resumed = run(home / "resumed", random(), resume=True)
    assert (resumed.stop_reason, resumed.n_steps) == ("completed", 7 + 16), resumed


if __name__ == "__main__":
    torch.set_num_threads(1)
    folders = {n: Path(sys.argv[1]) / str(n) for n in (1, 2, 4)}
    for folder in folders.values():
        folder.mkdir()
    launch(together, folders[2])
    launch(deep_maps, folders[4], n_processes=4)
    alone(folders[1])  # last: a fork may not follow what started threads
