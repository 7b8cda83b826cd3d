"""The benchmark of SOMRL measures every contender, and says how many times faster one is than another."""

from __future__ import annotations

import numpy as np

from benchmarks import somrl


def test_every_contender_is_measured(monkeypatch):
    monkeypatch.setattr(somrl, "SHORT", 1)
    monkeypatch.setattr(somrl, "LONG", 2)
    items = np.random.default_rng(0).integers(0, 255, (600, 784)).astype(np.uint8)
    rows = somrl.measure(items, rounds=2)
    measured = {(row["model"], row["variant"]): row["measures"] for row in rows}
    assert {
        ("larfdssom", "compiled"),
        ("larfdssom", "python"),
        ("somrl", "cpu-batch256"),
        ("dc-somrl", "default"),
    } <= (measured.keys())
    assert all(value["mean"] > 0 for measures in measured.values() for value in measures.values())
    own, other = measured["somrl", "cpu-batch256"], measured["larfdssom", "python"]
    ratio = own["items_per_second"]["mean"] / other["items_per_second"]["mean"]
    assert 0.2 * ratio < own["speedup_over_python"]["mean"] < 5 * ratio
