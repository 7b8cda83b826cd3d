"""Maps that die at a pass, for test_passes.py: FOLDER MODE.

The same map is trained whole, and in processes that SIGKILL ends before or after their second checkpoint, until one
comes to its end; both are written to FOLDER.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from somscope.maps import blocks, passes, som
from somscope.processes import process_rank, was_restarted
from workers import launch

MODES = {
    "array": {},
    "file": {"n_passes": 6},
    "gaps": {"n_passes": 6, "lattice": "hexagonal", "n_clusters": 3},
    "several": {"n_passes": 5},
}


def items(folder, mode):
    """Read from a file in several blocks, with mode "file"."""
    x = np.random.default_rng(0).standard_normal((3000, 6)).astype(np.float32) ** 3
    if mode == "gaps":
        x[::7, 2] = np.nan
    if mode != "file":
        return x
    som.BLOCK_BYTES = blocks.BLOCK_BYTES = 20_000
    if not (folder / "x.npy").exists():
        np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode="r")


def train(folder, mode, name, dies=""):
    """dies: "" or at its second checkpoint, "before" it is written or "after"."""
    passes.MINUTES = 0.0
    write, begun = passes.write_checkpoint, []

    def write_or_die(*arguments):
        begun.append(arguments)
        if dies == "before" and len(begun) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        write(*arguments)
        if dies == "after" and len(begun) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    passes.write_checkpoint = write_or_die
    place = folder / f"{name}.checkpoints"
    made = som.SOM(
        (4, 5), random_state=3, verbose=False, checkpoints=place, resume=place.is_dir(), **MODES[mode]
    ).fit(items(folder, mode))
    columns = ("pass", "radius", "quantization_error", "moved")
    if process_rank() == 0:
        np.savez(
            folder / f"{name}.npz", prototypes=made.prototypes_, labels=made.labels_, hits=made.hits_,
            history=[made.history_[column] for column in columns], inertia=made.inertia_,
            stop=made.stop_reason_, chosen=list(made.chosen_), began=begun[0][1],
        )  # fmt: skip


def forked(work):
    """How a process that does the work ends."""
    child = os.fork()
    if not child:
        try:
            work()
        finally:
            os._exit(1 if sys.exc_info()[0] else 0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def share(folder, name, dies):
    """One of two processes; the first of them dies, once."""
    train(folder, "several", name, dies if process_rank() == 0 and not was_restarted() else "")


if __name__ == "__main__":
    home, how = Path(sys.argv[1]), sys.argv[2]
    if how == "several":
        launch(share, home, "whole", "")
        launch(share, home, "killed", "after", restarts=1)
    else:
        assert forked(lambda: train(home, how, "whole")) == 0
        ends = [-signal.SIGKILL]
        while ends[-1] == -signal.SIGKILL:
            dies = "before" if len(ends) % 3 == 2 else "after"
            ends.append(forked(lambda dies=dies: train(home, how, "killed", dies)))
        assert ends[-1] == 0
        (home / "kills").write_text(str(len(ends) - 2))
