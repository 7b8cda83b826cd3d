"""somscope report and somscope demo."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli.samples import invoke
from somscope.runs import Run


def test_the_report_needs_the_run_alone(photo_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(photo_run, tmp_path / "moved")
    (run / "report.html").unlink()
    result = invoke("report", run)
    assert result.exit_code == 0, result.output
    assert str(run / "report.html") in result.output
    assert (run / "report.html").read_text(encoding="utf-8").lstrip().lower().startswith("<!doctype html")


def test_the_report_elsewhere(table_run: Path, tmp_path: Path) -> None:
    before = (table_run / "report.html").read_bytes()
    result = invoke("report", table_run, "-o", tmp_path / "deep" / "table.html")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "deep" / "table.html").is_file()
    assert (table_run / "report.html").read_bytes() == before
    (tmp_path / "mine.html").write_text("mine")
    result = invoke("report", table_run, "-o", tmp_path / "mine.html")
    assert result.exit_code == 2
    assert "--overwrite" in result.output
    assert (tmp_path / "mine.html").read_text() == "mine"
    assert invoke("report", table_run, "-o", tmp_path / "mine.html", "--overwrite").exit_code == 0
    assert (tmp_path / "mine.html").stat().st_size > 10_000


def test_a_broken_run_is_named(photo_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(photo_run, tmp_path / "broken")
    (run / "items.parquet").write_bytes(b"PAR1")
    result = invoke("report", run)
    assert result.exit_code == 2
    assert "items.parquet cannot be read" in " ".join(result.output.split())
    result = invoke("report", tmp_path)
    assert result.exit_code == 2


def test_demo_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOMSCOPE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    result = invoke("demo")
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "runs" / "demo")
    assert run.n_items == 10_000
    assert run.config["collection"]["label_names"][0] == "T-shirt/top"
    assert (run.path / "report.html").stat().st_size <= 15e6
    # Far from both ends: one cluster would give 0.1, and no map without labels gives 1.
    assert 0.5 < run.metrics["purity"] < 0.95
    result = invoke("demo")
    assert result.exit_code == 2
    assert "--overwrite" in result.output
