"""The command: a search on a table, its files, and what is refused."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from cli.samples import invoke, make_table
from somscope.maps.somrl import SOMRL

FAST = ["--label-column", "kind", "--columns", "a,b", "--model", "somrl", "--range", "n_epochs=3"]


def test_a_search_leaves_rows_figures_and_what_matters(tmp_path, monkeypatch):
    table, out = make_table(tmp_path / "t.csv", 60), tmp_path / "tuned"
    command = ["tune", table, *FAST, "--samples", "12", "--range", "threshold=0.8:0.999", "-o", out]
    fit, fits = SOMRL.fit, []

    def counted(self, X, y=None):
        fits.append(1)
        if len(fits) == 8:
            raise KeyboardInterrupt
        return fit(self, X, y)

    monkeypatch.setattr(SOMRL, "fit", counted)
    stopped = invoke(*command)
    assert stopped.exit_code == 130
    assert "7 of 12 settings are trained" in stopped.stderr
    assert pq.read_table(out / "rows.parquet").num_rows == 7
    result = invoke(*command)
    assert result.exit_code == 0, result.output
    assert len(fits) == 8 + 5
    rows = pq.read_table(out / "rows.parquet").to_pylist()
    assert [row["row"] for row in rows] == list(range(12))
    assert all(0.8 <= row["threshold"] <= 0.999 and row["n_epochs"] == 3 for row in rows)
    found = json.loads((out / "tune.json").read_text())
    last = json.loads(max((out / "rows").glob("*.json")).read_text())
    assert found["made"] == last["made"]  # it said fp32 of all trainings
    best = max(rows, key=lambda row: row["nmi_arithmetic"])
    assert found["best"]["nmi_arithmetic"]["row"] == best["row"]
    assert found["best"]["nmi_arithmetic"]["parameters"]["threshold"] == best["threshold"]
    said = (
        f"{best['nmi_arithmetic']:.3f}, setting {best['row'] + 1} of 12 (row {best['row']} of rows.parquet)"
    )
    assert said in result.output
    units = found["sensitivity"]["units"]["parameters"]
    assert units["threshold"]["rank"] > 0.5  # nearer to 1, more units
    assert "n_epochs" not in units
    assert (out / "nmi_arithmetic.png").stat().st_size > 10_000
    assert invoke(*command, "--seed", "1").exit_code != 0  # other settings do not go into this folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--range", "treshold=1:2"], "threshold"),
        (
            ["--model", "somrl", "--range", "treshold=1:2"],
            "n_epochs, batch_size, epsilon; did you mean 'threshold'?",
        ),
        (
            ["--model", "somrl", "--range", "threshold=0.9:1.5"],
            "a range goes beyond what somrl allows: threshold=1.",
        ),
        (["--model", "desom"], "no parameter has a range"),
        (["--model", "idec"], "allowed: somrl"),
    ],
)
def test_what_cannot_be_searched_is_refused(words, said, tmp_path):
    table = make_table(tmp_path / "t.csv", 20)
    refused = invoke("tune", table, "--label-column", "kind", "-o", tmp_path / "out", *words)
    assert refused.exit_code == 2
    assert said in refused.stderr
    assert not (tmp_path / "out").exists()


def test_items_without_labels_are_refused(tmp_path):
    table = make_table(tmp_path / "t.csv", 20)
    refused = invoke("tune", table, "--columns", "a,b", "--model", "somrl", "-o", tmp_path / "out")
    assert refused.exit_code == 2
    assert "some items have none" in refused.stderr


def test_a_search_in_which_nothing_could_be_trained_fails_and_is_done_again(tmp_path):
    table, other = make_table(tmp_path / "t.csv", 60), tmp_path / "other.csv"
    other.write_text("a,b,kind\n1,,x\n2,3,y\n")
    command = ["tune", table, *FAST, "--samples", "3", "-o", tmp_path / "tuned"]
    refused = invoke(*command, "--score", other)
    assert refused.exit_code == 2
    assert "none of the 3 settings could be trained and scored; the first: " in refused.stderr
    assert not (tmp_path / "tuned" / "tune.json").exists()
    result = invoke(*command)  # on other items, so that what failed says nothing
    assert result.exit_code == 0, result.output
    assert [row["failed"] for row in pq.read_table(tmp_path / "tuned" / "rows.parquet").to_pylist()] == [
        None
    ] * 3
    assert not list((tmp_path / "tuned" / "rows").glob("*.failed.json"))


def test_a_folder_that_cannot_be_written_is_named_before_the_training(tmp_path, monkeypatch):
    monkeypatch.setattr(SOMRL, "fit", None)
    table = make_table(tmp_path / "t.csv", 20)
    refused = invoke("tune", table, *FAST, "--samples", "3", "-o", table / "below")
    assert refused.exit_code == 2
    assert f"cannot write {table / 'below' / 'rows'}" in refused.stderr
