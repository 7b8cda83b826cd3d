"""A run of codes by two processes, of which one is killed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from somscope.runs.code_run import CodeRun
from workers import run_script

SCRIPT = Path(__file__).parent / "coded.py"


def test_two_processes_of_which_one_is_killed_end_with_the_same_codes(tmp_path: Path) -> None:
    run_script(SCRIPT, tmp_path)
    whole, killed = (CodeRun.open(tmp_path / name) for name in ("whole", "killed"))
    assert len(whole.index) == 24
    assert np.array_equal(killed.index.codes, whole.index.codes)
    assert killed.config["codes"] == whole.config["codes"]  # the fingerprint of the weights among them
    assert int((tmp_path / "whole-began-0").read_text()) == 0
    assert not (tmp_path / "whole-began-1").exists()
    assert int((tmp_path / "killed-began-1").read_text()) == 4
    assert not list(tmp_path.glob("*.checkpoints"))
