"""One measurement, with a toy tool in this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.som import worker
from benchmarks.som.adapters import Options, Tool, Trained
from benchmarks.som.machine import MatrixProduct, cpu_model, memory_peak_mb, start_memory_peak


def toy_train(X: np.ndarray, rows: int, columns: int, passes: int, options: Options, seed: int) -> Trained:
    if options.get("fail"):
        raise RuntimeError("no map today")
    print("libraries may be noisy")  # noqa: T201
    rng = np.random.default_rng(seed)
    return Trained(None, X[rng.choice(len(X), rows * columns, replace=False)], seconds=2.0 * len(X) / 1000)


TOY = Tool("toy", "pytest", toy_train, lambda model, X: len(X), {"default": {}}, {"20x20": 1.0})


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(worker, "find_tool", lambda name: TOY)
    np.save(tmp_path / "data.npy", np.random.default_rng(0).random((1000, 3), dtype=np.float32))
    return {
        "tool": "toy",
        "data": str(tmp_path / "data.npy"),
        "rows": 2,
        "columns": 3,
        "passes": 4,
        "options": {},
        "items": 1000,
        "assign_items": 1000,
        "extrapolated": False,
        "quick": False,
        "seeds": [0, 1],
        "answer": str(tmp_path / "answer.json"),
    }


def test_a_whole_measurement(job: dict[str, Any], tmp_path: Path) -> None:
    answer = worker.measure(job)
    assert answer["seconds_total"] == [2.0, 2.0]
    assert answer["passes"] == [4, 4]
    assert not answer["extrapolated"]
    assert [len(taken) for taken in answer["product_seconds"]] == [3, 3]
    assert min(min(taken) for taken in answer["product_seconds"]) > 0
    assert answer["product_flops"] == 2 * 1000 * 3 * 6
    assert answer["peak_mb"] >= 0
    assert len(answer["assign_seconds"]) == 2
    first, second = (np.load(tmp_path / name) for name in answer["prototypes"])
    assert first.shape == (6, 3)
    assert not np.array_equal(first, second)


def test_a_part_is_scaled_to_all_items(job: dict[str, Any]) -> None:
    answer = worker.measure({**job, "items": 250, "extrapolated": True, "seeds": [0]})
    assert answer["extrapolated"]
    assert answer["items"] == 250
    assert answer["seconds_total"] == [pytest.approx(2.0)]  # 0.5 s for a quarter


def test_a_failure_is_an_answer(job: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text(json.dumps({**job, "options": {"fail": True}}))
    monkeypatch.setattr(sys, "argv", ["worker", str(path)])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("warnings.simplefilter", lambda *_: None)  # the process's filters are pytest's here
        assert worker.main() == 0
    assert json.loads(Path(job["answer"]).read_text())["failed"] == "RuntimeError: no map today"


def test_memory_peak_is_forgotten_and_found_again() -> None:
    block = np.ones(30_000_000)  # 240 MB
    del block
    held = start_memory_peak()
    if memory_peak_mb() - held > 100:
        pytest.skip("this kernel does not let a process reset its peak")
    block = np.ones(10_000_000)  # 80 MB
    assert 70 < memory_peak_mb() - held < 130
    del block


def test_the_product_is_measured() -> None:
    product = MatrixProduct(np.ones((300, 8), dtype=np.float32), 20)
    product.measure(2)
    product.measure(1)
    assert [len(taken) for taken in product.rounds] == [2, 1]
    assert product.flops == 2 * 300 * 8 * 20
    assert cpu_model()
