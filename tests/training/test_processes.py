"""Two processes under torchrun learn what one process learns from the same global batches."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from somscope.training.order import part_of
from training.several import deep_map, run, same

SCRIPT = Path(__file__).parent / "several.py"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """What one process and two wrote."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run([*command, str(SCRIPT), str(two)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run(one / "same", same())
    deep_map(one / "deep-map")
    return one, two


def weights(folder, rank=0):
    return load_file(folder / f"weights-{rank}.safetensors")


def test_the_weights_are_those_of_one_process(folders):
    one, two = (weights(folder / "same") for folder in folders)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-4, atol=1e-6, msg=name)


def test_a_deep_map_is_that_of_one_process(folders):
    one, two = (weights(folder / "deep-map") for folder in folders)
    assert one.keys() == two.keys()
    for name in one:
        torch.testing.assert_close(two[name], one[name], rtol=1e-3, atol=1e-4, msg=name)
    units = [json.loads((folder / "deep-map" / "units-0.json").read_text()) for folder in folders]
    assert np.mean(np.equal(*units)) > 0.99
    assert len(set(units[0])) > 3


@pytest.mark.parametrize("what", ["same", "random", "estimator", "deep-map"])
def test_every_process_ends_with_the_same_weights(folders, what):
    first, second = (weights(folders[1] / what, rank) for rank in (0, 1))
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name]), name


def test_the_history_is_that_of_one_process(folders):
    one, two = (json.loads((folder / "same" / "history-0.json").read_text()) for folder in folders)
    assert one.keys() == two.keys()
    assert one["phase"] == two["phase"]
    for name in one.keys() - {"phase"}:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-4, err_msg=name)


def test_interrupted_processes_stop_together_and_resume_as_if_they_had_not(folders):
    whole, resumed = (weights(folders[1] / what) for what in ("random", "resumed"))
    for name in whole:
        assert torch.equal(whole[name], resumed[name]), name


def test_only_the_first_process_writes(folders):
    rows = (folders[1] / "same" / "checkpoints" / "metrics.jsonl").read_text().splitlines()
    assert len(rows) == 8
    assert not list(folders[1].rglob("*.partial"))


@pytest.mark.parametrize(("size", "n_processes"), [(256, 2), (7, 3), (1, 2), (2, 4)])
def test_the_parts_hold_every_item_once_and_their_shares_add_up_to_1(size, n_processes):
    batch = torch.randperm(size)
    parts = [part_of(batch, rank, n_processes) for rank in range(n_processes)]
    assert torch.equal(torch.cat([own for own, share in parts if share]), batch)
    assert sum(share for _, share in parts) == pytest.approx(1.0)
    assert all(len(own) for own, _ in parts)
    sizes = [len(own) if share else 0 for own, share in parts]
    assert max(sizes) - min(sizes) <= 1
    assert all(share == n / size for n, (_, share) in zip(sizes, parts, strict=True))
