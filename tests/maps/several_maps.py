"""What test_shared.py trains in one, two and four processes; writes what was learned to folders 1, 2 and 4.

python several_maps.py FOLDER
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from somscope.maps import batch, blocks, kernels, som  # noqa: F401  # before the forks
from somscope.maps.som import SOM
from workers import launch

HOW = {"grid": (5, 6), "random_state": 0, "device": "cpu", "n_passes": 4, "verbose": False}


def rank():
    return os.environ.get("RANK", "0")


def items():
    """3,001 items around 20 centres; the first 700 are complete."""
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(20, 8))[rng.integers(20, size=3001)] + 0.3 * rng.normal(size=(3001, 8))).astype(
        np.float32
    )
    gaps = np.where(rng.random(x.shape) < 0.1, np.nan, x)
    gaps[:800] = x[:800]
    return x, gaps, rng.integers(0, 4, size=3001).astype(float)


def keep(folder, name, fitted):
    """What is known of a fitted map, for this process."""
    np.savez(
        folder / f"{name}-{rank()}.npz",
        prototypes=fitted.prototypes_,
        labels=getattr(fitted, "labels_", []),
        hits=fitted.hits_,
        inertia=fitted.inertia_,
        error=fitted.history_["quantization_error"],
        moved=fitted.history_["moved"],
        reason=fitted.stop_reason_,
    )


def train(folder):
    """Maps of items in memory, weighted, with gaps, in a file, and in blocks."""
    folder.mkdir(exist_ok=True)
    x, gaps, weight = items()
    keep(folder, "memory", SOM(**HOW).fit(x))
    keep(folder, "auto", SOM(**{**HOW, "n_passes": "auto"}).fit(x))
    keep(folder, "weights", SOM(**HOW).fit(x, sample_weight=weight))
    keep(folder, "gaps", SOM(**HOW).fit(gaps))
    keep(folder, "cosine", SOM(metric="cosine", n_clusters=3, **HOW).fit(x))
    keep(folder, "blocks", SOM(**HOW).fit_blocks([gaps[i : i + 400] for i in range(0, 3001, 400)]))
    if rank() == "0":
        np.save(folder / "x.npy", x)
    SOM(**HOW).fit(x)  # ends in all processes after the file is there
    som.BLOCK_BYTES = 100
    blocks.BLOCK_BYTES = 300 * 8 * 4
    keep(folder, "mapped", SOM(**HOW).fit(np.load(folder / "x.npy", mmap_mode="r")))


def interrupted(folder):
    """Ctrl-C in the second process alone, in its third pass; and no seed."""
    sweep, passes = batch.sweep, []

    def interrupting(items, prototypes):
        passes.append(1)
        if len(passes) == 3 and rank() == "1":
            os.kill(os.getpid(), signal.SIGINT)
        return sweep(items, prototypes)

    batch.sweep = interrupting
    keep(folder, "interrupted", SOM(**{**HOW, "random_state": None}).fit(items()[0]))


def both(folder):
    train(folder)
    interrupted(folder)


if __name__ == "__main__":
    home = Path(sys.argv[1])
    for n_processes in (2, 4):
        launch(both, home / str(n_processes), n_processes=n_processes)
    train(home / "1")
