"""Rows, merging, tables and figures, from made-up answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.som import results
from benchmarks.som.__main__ import main
from benchmarks.som.ours import SOMSCOPE
from benchmarks.som.plan import Job, make_plan
from benchmarks.som.plot import dominating, quality_figure, save_figures, speed_figure
from benchmarks.som.table import comparison_table, workload_table
from benchmarks.som.workloads import select

WORKLOAD = select(["20x20"])[0]


def a_job(tool: str, variant: str, extrapolated: bool = False) -> Job:
    return Job(WORKLOAD, tool, variant, {"radius": (1, 2)}, 10, 500, 0, extrapolated, (0, 1), 1.0)


def an_answer(seconds: float, extrapolated: bool = False) -> dict[str, Any]:
    return {
        "version": "1.2",
        "items": 500,
        "extrapolated": extrapolated,
        "seconds_total": [seconds, seconds * 1.1],
        "passes": [10, 10],
        "units": [400, 400],
        "assign_seconds": [0.02, 0.03],
        "product_seconds": [[0.01, 0.02, 0.01], [0.01, 0.01, 0.01]],
        "product_flops": 2e9,
        "assign_extrapolated": False,
        "peak_mb": 12.0,
        "code_mb": 3.0,
        "threads": 2,
    }


def a_row(
    tool: str, variant: str, seconds: float, error: float | None, topographic: float = 0.1
) -> dict[str, Any]:
    extrapolated = error is None
    quality = {} if error is None else {"quantization_error": [error], "topographic_error_8": [topographic]}
    return results.make_row(a_job(tool, variant, extrapolated), an_answer(seconds, extrapolated), quality)


@pytest.fixture
def content() -> dict[str, Any]:
    rows = [
        a_row("somscope", "default", 0.1, 1.7, 0.03),
        a_row("somscope", "final-radius-0.3", 0.1, 1.65, 0.1),
        a_row("somscope", "final-radius-1", 0.1, 1.8, 0.01),
        a_row("fastersom", "default", 0.2, 1.75, 0.04),
        a_row("minisom", "default", 9.0, None),
    ]
    failed = [{"data": WORKLOAD.name, "model": "quicksom", "variant": "default", "reason": "diverged"}]
    absent = [{"model": "susi", "reason": "does not install: no compiler"}]
    return results.document(rows, failed, absent, 12.3, {}, {WORKLOAD.name: WORKLOAD.describe()}, {})


def test_a_row_has_the_projects_shape() -> None:
    row = a_row("fastersom", "default", 0.2, 1.7)
    assert (row["data"], row["model"], row["variant"]) == (WORKLOAD.name, "fastersom", "default")
    measures = row["measures"]
    assert measures["seconds"]["mean"] == pytest.approx(0.021)
    assert measures["gemm_ratio"]["median"] == pytest.approx(2.1)
    assert measures["assign_gemm_ratio"]["mean"] == pytest.approx(2.5)
    assert measures["peak_mb"] == {"mean": 12.0, "std": 0.0, "median": 12.0, "n": 1}
    assert row["gemm_gflops"] == pytest.approx(200)


def test_what_was_extrapolated_has_no_quality_and_says_so() -> None:
    row = a_row("minisom", "default", 9.0, None)
    assert row["extrapolated"] is True
    assert row["subset"] == 500
    assert not {"quantization_error", "peak_mb", "seconds_total"} & set(row["measures"])


def test_the_document_is_json_and_names_what_is_absent(content: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "deep" / "bench-som.json"
    results.write(path, content)
    back = results.read(path)
    assert back is not None
    assert {"study", "somscope", "commit", "created", "device", "seconds", "rows", "machine"} <= set(back)
    assert back["absent"] == [{"model": "susi", "reason": "does not install: no compiler"}]
    assert "threads" in back["device"]
    assert results.read(tmp_path / "nowhere.json") is None


def test_merging_replaces_what_was_measured_again(content: dict[str, Any]) -> None:
    new = {**content, "rows": [a_row("fastersom", "default", 0.4, 1.6)], "failed": [], "seconds": 5}
    merged = results.merge(content, new)
    assert len(merged["rows"]) == 5
    fastersom = next(row for row in merged["rows"] if row["model"] == "fastersom")
    assert fastersom["measures"]["quantization_error"]["mean"] == 1.6
    assert [row["model"] for row in merged["failed"]] == ["quicksom"]
    assert merged["seconds"] == content["seconds"] + 5
    healed = {**new, "rows": [a_row("quicksom", "default", 0.4, 1.6)]}
    assert results.merge(content, healed)["failed"] == []


def test_tables_have_a_line_for_everything(content: dict[str, Any]) -> None:
    table = workload_table(content, WORKLOAD.name)
    assert "| **somscope 1.2** (default) | 0.0105 | 1.05 | 10 | 1.700 | 0.030 |" in table
    assert "| minisom 1.2 (default) | ~0.945 | ~94.50 |" in table
    assert "quicksom (default) | failed: diverged" in table
    comparison = comparison_table(content)
    assert "| **somscope** | 1.05; 1.700 / 0.030 |" in comparison
    assert "Absent: susi (does not install: no compiler)." in comparison


def test_dominating_names_peers_better_in_both(content: dict[str, Any]) -> None:
    assert dominating(content, WORKLOAD.name) == []
    content["rows"].append(a_row("xpysom", "default", 0.3, 1.69, 0.029))
    content["rows"].append(a_row("susi", "default", 0.3, 1.69, 0.5))
    assert [row["model"] for row in dominating(content, WORKLOAD.name)] == ["xpysom"]


def test_figures_show_every_tool(content: dict[str, Any], tmp_path: Path) -> None:
    quality = quality_figure(content)
    labels = {text.get_text() for legend in quality.legends for text in legend.get_texts()}
    assert labels == {"fastersom", "somscope, final radius", "somscope, defaults"}
    bars = speed_figure(content).axes[0]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["minisom", "fastersom", "somscope"]
    paths = save_figures(content, tmp_path)
    assert [path.name for path in paths] == ["bench-quality.png", "bench-speed.png"]
    assert all(path.stat().st_size > 5_000 for path in paths)


def test_the_plan_is_printed_without_running(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--workloads", "8x8", "--tools", "somscope", "--plan"]) == 0
    printed = capsys.readouterr().out
    jobs = make_plan(select(["8x8"]), [SOMSCOPE])
    assert f"{len(jobs)} measurements" in printed
    assert "final-radius-0.3" in printed


def test_unknown_tools_are_refused() -> None:
    with pytest.raises(SystemExit, match="unknown tool 'minisome'; there are: somscope"):
        main(["--tools", "minisome", "--plan"])


def test_the_committed_result_has_the_shape_if_it_is_there() -> None:
    committed = results.read(results.RESULTS)
    if committed is None:
        pytest.skip("the benchmark has not been run yet")
    assert committed["rows"]
    for row in committed["rows"]:
        assert {"data", "model", "variant", "protocol", "seeds", "measures"} <= set(row)
        assert {"seconds", "gemm_ratio"} <= set(row["measures"])
        assert ("quantization_error" in row["measures"]) != bool(row.get("extrapolated"))
    json.dumps(committed, allow_nan=False)
