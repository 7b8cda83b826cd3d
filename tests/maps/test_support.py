"""The manual's table of what goes with what, cell by cell, against the maps themselves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import sparse

from somscope.errors import InputError
from somscope.maps.gpu import choose_device
from somscope.maps.items import METRICS
from somscope.maps.som import SOM

PAGE = Path(__file__).parents[2] / "docs" / "concepts.md"
COLUMNS = ["batch", "online", "blocks (batch)", "on a GPU (batch)"]


def table():
    """{(row, column): cell} of the table."""
    lines = PAGE.read_text(encoding="utf-8").split("## What goes with what")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert rows[0][1:] == COLUMNS
    return {(row[0], column): cell for row in rows[2:] for column, cell in zip(COLUMNS, row[1:], strict=True)}


def metrics_of(cell):
    """The metrics that a cell allows, of those that it speaks of."""
    first = cell.split(", but")[0]
    return set(METRICS) if first == "yes" else set() if first == "no" else set(first.split(", "))


X = np.random.default_rng(0).normal(size=(60, 5)) + 1
GAPS = np.where(np.random.default_rng(1).random(X.shape) < 0.1, np.nan, X)


def train(row, column, metric):
    """Fit what the row names in the way the column names."""
    options = {"grid": (3, 3), "n_passes": 2, "metric": metric, "random_state": 0}
    if column == "online":
        options["algorithm"] = "online"
    if row == "feature weights":
        options["feature_weights"] = np.arange(5)
    if row == "mexican-hat":
        options["neighbourhood"] = "mexican-hat"
    x = {"missing values (NaN)": GAPS, "sparse items (CSR)": sparse.csr_matrix(X)}.get(row, X)
    weight = np.arange(60) % 3 if row == "sample weights" else None
    som = SOM(**options)
    if column == "blocks (batch)":
        if weight is not None:
            som.fit_blocks([x[:30], x[30:]], sample_weight=weight)
        som.fit_blocks([x[:30], x[30:]])
    elif column == "on a GPU (batch)":
        som.fit(x, sample_weight=weight)
        choose_device("cuda", som._items(x, weight), 9)
    else:
        som.fit(x, sample_weight=weight)
    if row == "`partial_fit` afterwards":
        assert som.partial_fit(x).hits_.sum() == 120


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", sorted({row for row, _ in table()}))
def test_a_cell_says_what_is_so(row, column, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (0, 0))  # "auto" stays on the processor
    cells = table()
    allowed = metrics_of(cells[row, column])
    named = {f"metric {metric}": metric for metric in METRICS}.get(row)
    whole = {m for m in METRICS if cells[f"metric {m}", column] == "yes"}  # of this column at all
    for metric in [named] if named else METRICS:
        if metric in allowed & whole:
            train(row, column, metric)
        else:
            with pytest.raises((InputError, TypeError)):  # TypeError: there is no such argument
                train(row, column, metric)


def test_a_map_of_the_mexican_hat_has_no_partial_fit():
    assert "but for the mexican-hat" in table()["`partial_fit` afterwards", "online"]
    assert not hasattr(SOM(algorithm="online", neighbourhood="mexican-hat"), "partial_fit")
