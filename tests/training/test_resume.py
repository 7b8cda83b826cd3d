"""A training that was killed, interrupted or copied goes on as if nothing had happened; what is broken is refused."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from somscope.checkpoint import checkpoints_in, read_checkpoint

HERE = Path(__file__).parent


def facts_of(checkpoint):
    """All that must not depend on kills: everything but the time."""
    facts = read_checkpoint(checkpoint).facts
    del facts["position"]["seconds"]
    return facts


def test_a_killed_training_ends_bit_identical(tmp_path):
    kills = [
        str(random.randrange(1, 9)) for _ in range(8)
    ]  # anew every time: the result may not depend on them
    command = [sys.executable, str(HERE / "resumed.py"), str(tmp_path), *kills]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 4
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert [p.name for p in checkpoints_in(whole)] == ["step-000000066", "step-000000067"]
    last = "step-000000067"
    weights = "state.safetensors"  # weights, optimizers, buffers and random states
    assert (killed / last / weights).read_bytes() == (whole / last / weights).read_bytes()
    assert facts_of(killed / last) == facts_of(whole / last)
    assert (killed / "metrics.jsonl").read_bytes() == (whole / "metrics.jsonl").read_bytes()
    assert (killed / "history.parquet").read_bytes() == (whole / "history.parquet").read_bytes()
    assert pq.read_table(whole / "history.parquet")["step"].to_pylist()[-1] == 67
    assert not list(killed.glob(".*"))  # nothing is left of what the killed processes did not finish
    rows = [json.loads(line) for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [r["step"] for r in rows if r["phase"] == "joint"] == [*range(29, 68, 2)]
