"""`somscope map` under torchrun: several processes make one run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from cli.deep_samples import DESOM, refused, weights
from cli.samples import invoke
from somscope.runs import Run

FORKED = Path(__file__).parent / "two_processes.py"


def test_two_processes_train_one_map_and_the_first_writes_it(folder: Path, desom_run: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "-m",
        "somscope",
    ]
    arguments = [*map(str, ("map", "bars.npy", *DESOM, "-o", "run"))]
    done = subprocess.run([*command, *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report:") == 1
    assert sorted(p.name for p in folder.iterdir()) == ["bars.npy", "labels.txt", "run"]
    for name, tensor in weights(desom_run).items():
        torch.testing.assert_close(weights(folder / "run")[name], tensor, rtol=1e-3, atol=1e-4, msg=name)
    run = Run.open(folder / "run")
    assert run.config["command"][:6] == ["torchrun", "--nproc-per-node", "2", "-m", "somscope", "map"]
    assert run.config["left_out"] == []


def test_two_processes_train_one_classic_map(folder: Path, tmp_path: Path) -> None:
    arguments = [str(folder / "bars.npy"), "--model", "som", "--grid", "4x4", "--passes", "3", "-o"]
    done = subprocess.run(
        [sys.executable, str(FORKED), "map", *arguments, str(tmp_path / "two")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("report:") == 1
    assert invoke("map", *arguments, tmp_path / "one").exit_code == 0
    one, two = Run.open(tmp_path / "one"), Run.open(tmp_path / "two")
    np.testing.assert_allclose(two.model().prototypes_, one.model().prototypes_, atol=1e-5)
    assert two.assignments()["unit"].equals(one.assignments()["unit"])
    assert two.config["left_out"] == one.config["left_out"]
    assert {p.name for p in tmp_path.glob(".*")} <= {".two.lock", ".one.lock"}  # nothing unfinished


def test_two_processes_train_the_map_that_is_chosen_for_them(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (500, 6, 6, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    arguments = ["map", str(tmp_path / "images.npy"), "--steps", "3", "--latent-dim", "4", "--device", "cpu"]
    done = subprocess.run(
        [sys.executable, str(FORKED), *arguments, "-o", str(tmp_path / "run")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,  # while one tries how long it takes, the other would wait for it
    )
    assert done.returncode == 0, done.stderr
    assert Run.open(tmp_path / "run").config["model"]["name"] == "contrastive-som"


def test_a_growing_map_is_trained_by_one_process(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "TORCHELASTIC_RUN_ID": "x",
        "WORLD_SIZE": "2",
        "RANK": "0",
        "LOCAL_WORLD_SIZE": "2",
    }.items():
        monkeypatch.setenv(name, value)
    arguments = ("map", folder / "bars.npy", "--model", "somrl", "-o", folder / "run")
    refused(*arguments, match="somrl is trained by one process: start it without torchrun")
    monkeypatch.setenv("RANK", "1")
    result = invoke(*arguments)
    assert (result.exit_code, result.output) == (2, "")  # the first process speaks for all
