"""The benchmark of DESOM counts the work of a step rightly, and its plain loop learns what it stands for."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import deep


def test_the_products_of_a_step_are_those_that_pytorch_counts():
    from torch.utils.flop_counter import FlopCounterMode

    net = torch.nn.Sequential(deep._dense(deep.SIZES), deep._dense(deep.SIZES[::-1]))
    items = torch.zeros(deep.BATCH, deep.SIZES[0])
    with FlopCounterMode(display=False) as counter:
        net(items).sum().backward()
    assert counter.get_total_flops() == deep.step_flops()


@pytest.mark.parametrize("precision", deep.TYPES)
def test_contenders_take_steps(precision, monkeypatch):
    monkeypatch.setattr(deep, "BEFORE", 4)
    monkeypatch.setattr(deep, "TIMED", 2)
    items = np.random.default_rng(0).integers(0, 256, (300, 784), dtype=np.uint8)
    assert deep.plain_step(items, precision) > 0
    assert deep.somscope_step(items, precision) > 0


def test_ratios_are_those_of_the_rounds():
    row = deep._row("somscope", "fp32", [0.1, 0.2], [deep.step_flops() / 1e8, deep.step_flops() / 1e8], 5.0)
    assert row["measures"]["gemm_ratio"]["mean"] == pytest.approx(np.median([1.0, 0.5]))
    assert row["measures"]["peak_mb"] == {"mean": 5.0, "std": 0.0}
    assert row["measures"]["steps_per_second"]["mean"] == pytest.approx(np.median([10, 5]))
