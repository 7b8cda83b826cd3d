"""The workloads are the same every time and are found by parts of their names."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from benchmarks.som.workloads import WORKLOADS, gaussian_mixture, load, select


def test_names_say_the_shape_and_the_grid() -> None:
    for workload in WORKLOADS:
        assert workload.name.endswith(f"-{workload.n_items}x{workload.n_features}-{workload.grid}")
    assert [w.grid for w in WORKLOADS] == ["8x8", "40x40", "50x50", "20x20"]


def test_select_by_a_part_of_the_name() -> None:
    assert [w.grid for w in select(["20x20", "8x8"])] == ["8x8", "20x20"]
    assert len(select(None)) == 4
    with pytest.raises(SystemExit, match="no workload's name contains 'moon'"):
        select(["moon"])


def test_mixtures_are_reproducible_and_have_their_spread() -> None:
    first = gaussian_mixture(500, 3, 4, 0.1, seed=1)
    assert first.dtype == np.float32
    assert first.shape == (500, 3)
    assert np.array_equal(first, gaussian_mixture(500, 3, 4, 0.1, seed=1))
    assert not np.array_equal(first, gaussian_mixture(500, 3, 4, 0.1, seed=2))
    alone = gaussian_mixture(20_000, 3, 1, 0.1)
    assert alone.std(axis=0) == pytest.approx(np.full(3, 0.1), rel=0.05)
    items = load(select(["20x20"])[0])
    assert items.shape == (10_000, 64)
    assert items.flags.c_contiguous


def test_fashion_mnist_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOMSCOPE_DATA", raising=False)
    with pytest.raises(SystemExit, match="set SOMSCOPE_DATA"):
        load(select(["8x8"])[0])
    monkeypatch.setenv("SOMSCOPE_DATA", str(tmp_path))
    with pytest.raises(SystemExit, match="is not there"):
        load(select(["8x8"])[0])
    (tmp_path / "fashion-mnist").mkdir()
    path = tmp_path / "fashion-mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(16) + bytes(784 * 2)))
    with pytest.raises(SystemExit, match="expected 60000x784, got"):
        load(select(["8x8"])[0])
