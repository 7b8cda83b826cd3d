"""A process of a training is killed; torchrun starts all of them again, and they end as if nothing had happened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

from somscope.models.desom import DESOM
from training.toys import blobs

SCRIPT = Path(__file__).parent / "elastic.py"


def torchrun(folder, step, restarts):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    return subprocess.run(
        [*command, "--max-restarts", str(restarts), str(SCRIPT), str(folder), str(step)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_killed_worker_costs_the_steps_since_the_last_checkpoint_and_no_quality(tmp_path):
    whole, mended = tmp_path / "whole", tmp_path / "mended"
    for folder, step in ((whole, -1), (mended, 53)):
        folder.mkdir()
        done = torchrun(folder, step, 1)
        assert done.returncode == 0, done.stderr
    assert "exitcode: -9" in done.stderr
    assert sorted(p.name for p in whole.glob("began-*")) == ["began-0"]
    assert (mended / "began-0").read_text() == "0"
    assert (mended / "began-1").read_text() == "40"  # the checkpoint before step 53
    found, wanted = (DESOM.load(folder / "model") for folder in (mended, whole))
    np.testing.assert_array_equal(found.prototypes_, wanted.prototypes_)
    np.testing.assert_array_equal(found.encode(blobs()), wanted.encode(blobs()))
    assert len(set(wanted.predict(blobs()))) > 3
