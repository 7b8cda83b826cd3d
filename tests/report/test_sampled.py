"""The report of a run of very many items is made of a sample of them, and says so."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from somscope.data import Collection
from somscope.mapping import map_collection
from somscope.report import render, render_report
from somscope.report.sampled import SampledRun
from somscope.runs import Run

N = 300


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    x = np.random.default_rng(0).random((N, 3), dtype=np.float32)
    collection = Collection("dots", "vectors", x, labels=np.arange(N) % 3)
    folder: Path = tmp_path_factory.mktemp("sampled") / "run"
    return map_collection(collection, folder, parameters={"grid": (3, 3), "n_passes": 2})


def listed(html: str) -> set[str]:
    return {name for names in re.findall(r'"ids": ?\[(.*?)\]', html) for name in re.findall(r"\d+", names)}


def test_it_lists_items_of_the_sample_and_says_so(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = render_report(run)
    assert len(listed(whole)) == N
    assert "This page shows a random sample" not in whole
    monkeypatch.setattr(render, "MOST_ITEMS", 100)
    some = render_report(run)
    assert "This page shows a random sample of 100 of the 300 items" in some
    assert len(listed(some)) == 100
    assert listed(some) < listed(whole)
    monkeypatch.setattr(render, "MOST_ITEMS", N)
    assert render_report(run) == whole


def test_its_rows_are_those_of_the_run(run: Run) -> None:
    sampled = SampledRun(run, 50)
    found, every = sampled.assignments(), run.assignments().to_pylist()
    assert found["id"].to_pylist() == sampled.items()["id"].to_pylist()
    assert len(set(found["id"].to_pylist())) == 50
    assert found.to_pylist() == [every[int(name)] for name in found["id"].to_pylist()]
    assert sampled.units() == run.units()
    assert (sampled.metrics, sampled.lattice, sampled.path) == (run.metrics, run.lattice, run.path)
