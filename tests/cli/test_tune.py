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
    best = max(rows, key=lambda row: row["nmi_arithmetic"])
    assert found["best"]["nmi_arithmetic"]["row"] == best["row"]
    assert found["best"]["nmi_arithmetic"]["parameters"]["threshold"] == best["threshold"]
    assert f"{best['nmi_arithmetic']:.3f} in row {best['row'] + 1}" in result.output
    units = found["sensitivity"]["units"]["parameters"]
    assert units["threshold"]["rank"] > 0.5  # nearer to 1, more units
    assert "n_epochs" not in units
    assert (out / "nmi_arithmetic.png").stat().st_size > 10_000
    assert invoke(*command, "--seed", "1").exit_code != 0  # other settings do not go into this folder


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--range", "treshold=1:2"], "threshold"),
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
