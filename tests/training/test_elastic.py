"""A process of a training is killed; all of them are started again, and end as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from somscope.models.desom import DESOM
from training.toys import blobs
from workers import run_script


def test_a_killed_worker_costs_the_steps_since_the_last_checkpoint_and_no_quality(tmp_path):
    run_script(Path(__file__).parent / "elastic.py", tmp_path)
    whole, mended = tmp_path / "whole", tmp_path / "mended"
    assert (mended / "killed").read_text() == "13"
    assert not (whole / "killed").exists()
    assert sorted(p.name for p in whole.glob("began-*")) == ["began-0"]
    assert (mended / "began-0").read_text() == "0"
    assert (mended / "began-1").read_text() == "10"  # the checkpoint before step 13
    found, wanted = (DESOM.load(folder / "model") for folder in (mended, whole))
    assert found.n_iter_ == wanted.n_iter_ == 28
    np.testing.assert_array_equal(found.prototypes_, wanted.prototypes_)
    np.testing.assert_array_equal(found.encode(blobs()), wanted.encode(blobs()))
    assert len(set(wanted.predict(blobs()))) > 3
