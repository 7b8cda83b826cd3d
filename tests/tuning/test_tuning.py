"""A search over settings: the hypercube, what it says of a function that is known, and rows that are kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from somscope.errors import InputError, RunError
from somscope.maps.somrl import SOMRL
from somscope.tuning import PUBLISHED, Range, hypercube, parse_range, published_ranges, sensitivity, tune
from studies.samples import blobs


@given(n=st.integers(1, 40), seed=st.integers(0, 9), low=st.floats(-5, 5), width=st.floats(0.1, 100))
@settings(deadline=None, max_examples=30)
def test_every_part_of_every_range_has_one_setting(n: int, seed: int, low: float, width: float) -> None:
    ranges = {"a": Range(low, low + width), "b": Range(0, n - 1, whole=True), "c": Range(3, 3)}
    found = hypercube(ranges, n, seed)
    parts = [int((row["a"] - low) / width * n + 1e-3 * (-1) ** i) for i, row in enumerate(found)]
    assert np.abs(np.sort(parts) - np.arange(n)).max() <= 1  # values have six digits
    assert sorted(row["b"] for row in found) == list(range(n))
    assert {row["c"] for row in found} == {3}
    assert all(low - 1e-4 * width <= row["a"] <= (low + width) * (1 + 1e-5) + 1e-4 for row in found)
    assert found == hypercube(ranges, n, seed)


def test_another_seed_gives_other_settings() -> None:
    ranges = published_ranges("dc-somrl", "initial")
    assert hypercube(ranges, 5, 0) != hypercube(ranges, 5, 1)
    assert {type(row["latent_dim"]) for row in hypercube(ranges, 5, 0)} == {int}


def test_the_published_ranges_are_those_of_the_paper() -> None:
    """Table 2, typed from it: initial and adjusted ranges."""
    paper = {
        "alpha": (0.01, 1.0, 0.01, 0.15), "latent_dim": (10, 50, 20, 30), "threshold": (0.95, 0.999, 0.99, 0.999),
        "learning_rate": (0.001, 0.3, 0.05, 0.15), "repel_rate": (0.0, 1.0, 0.5, 1.0),
        "life_decay": (0.01, 0.6, 0.1, 0.5), "relevance_rate": (0.01, 0.5, 0.01, 0.15), "gamma": (0.17, 7.0, 2.0, 6.0),
        "smoothness": (0.01, 0.7, 0.4, 0.7), "max_units": (20, 300, 50, 250),
    }  # fmt: skip
    for at, which in enumerate(("initial", "adjusted")):
        found = PUBLISHED["dc-somrl"][which]
        assert {name: (r.low, r.high) for name, r in found.items()} == {
            name: ends[2 * at : 2 * at + 2] for name, ends in paper.items()
        }
        SOMRL(**hypercube(PUBLISHED["somrl"][which], 1, 0)[0])._check_choices()


def test_ranges_are_read_and_refused() -> None:
    defaults = {"alpha": 0.1, "units": 7, "scale": "auto", "flag": True}
    assert parse_range("alpha=0:2", defaults) == ("alpha", Range(0.0, 2.0))
    assert parse_range("units = 3", defaults) == ("units", Range(3, 3, whole=True))
    for text, said in (
        ("alpha", "expected NAME=LOW:HIGH"), ("beta=1:2", "allowed: alpha, units"), ("scale=1", "is no number"),
        ("flag=1", "is no number"), ("alpha=2:1", "the lower one first"), ("alpha=x", "alpha=x"),
        ("units=1:2.5", "whole number"), ("alpha=0:inf", "allowed: two numbers"), ("alpha=nan", "allowed: two numbers"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=said):
            parse_range(text, defaults)
    with pytest.raises(InputError, match="no parameter has a range"):
        hypercube({"a": Range(1, 1)}, 3, 0)
    with pytest.raises(InputError, match="samples=0"):
        hypercube({"a": Range(1, 2)}, 0, 0)
    with pytest.raises(InputError, match="ranges='x' is not known"):
        published_ranges("somrl", "x")


def test_sensitivity_is_the_formula_and_finds_what_matters() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((40, 4))
    x[:, 2] = 5.0
    y = 3 * x[:, 0] - x[:, 1] + 0.05 * rng.standard_normal(40)
    found = sensitivity(x, y)
    ranks = [np.corrcoef(rankdata(x[:, i]), rankdata(y))[0, 1] for i in (0, 1, 3)]
    np.testing.assert_allclose(found.rank[[0, 1, 3]], ranks)
    design = np.column_stack([np.ones(40), x[:, [0, 1, 3]]])
    weights = np.linalg.solve(design.T @ design, design.T @ y)
    np.testing.assert_allclose(found.slope[[0, 1, 3]], weights[1:] * x[:, [0, 1, 3]].std(axis=0) / y.std())
    assert found.r2 == pytest.approx(1 - np.var(y - design @ weights) / np.var(y))
    assert found.r2 > 0.99
    assert found.p[0] < 1e-6
    assert np.isnan([found.rank[2], found.p[2], found.slope[2]]).all()
    few = sensitivity(x[:4], y[:4])
    assert np.isnan(few.r2)
    assert np.isfinite(few.rank[0])
    assert np.isnan(sensitivity(x, np.ones(40)).rank).all()
    for bad in ((x[:2], y[:2]), (x, y[:5]), (x, np.where(y > 1, np.nan, y))):
        with pytest.raises(InputError):
            sensitivity(*bad)


SETTINGS = hypercube({"threshold": Range(0.8, 0.99), "n_epochs": Range(1, 3, whole=True)}, 4, 0)


def test_rows_are_kept_and_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items, fits = blobs(60), []
    fit = SOMRL.fit

    def counted(self: SOMRL, X: object, y: object = None) -> SOMRL:
        assert X.labels is None, "a label reached the training"  # type: ignore[attr-defined]
        if len(fits) == 2:
            fits.append(None)
            raise KeyboardInterrupt
        fits.append(self.threshold)
        return fit(self, X, y)

    monkeypatch.setattr(SOMRL, "fit", counted)
    with pytest.raises(KeyboardInterrupt):
        tune("somrl", SETTINGS, items, items, tmp_path)
    seen: list[tuple[int, bool]] = []
    rows = tune(
        "somrl", SETTINGS, items, items, tmp_path, watch=lambda row, there: seen.append((row.number, there))
    )
    assert seen == [(0, True), (1, True), (2, False), (3, False)]
    assert fits == [
        SETTINGS[0]["threshold"],
        SETTINGS[1]["threshold"],
        None,
        *(s["threshold"] for s in SETTINGS[2:]),
    ]
    whole = tune("somrl", SETTINGS, items, items, tmp_path / "other")
    for one, two in zip(rows, whole, strict=True):
        assert one.parameters == two.parameters
        assert one.measures["purity"] == two.measures["purity"]
        assert one.measures["quantization_error"] == two.measures["quantization_error"]
    assert len({row.measures["units"] for row in rows}) > 1
    with pytest.raises(RunError, match="another search"):
        tune("somrl", hypercube({"threshold": Range(0.5, 0.9)}, 4, 0), items, items, tmp_path)
    with pytest.raises(RunError, match="its items are others"):
        tune("somrl", SETTINGS, items, blobs(30, 5), tmp_path)


def test_a_setting_that_cannot_be_trained_is_a_row_that_says_why(tmp_path: Path) -> None:
    items = blobs(30)
    spoiled = [{"threshold": 0.9}, {"threshold": 1.5}]
    for _ in range(2):  # trained, then read
        good, bad = tune("somrl", spoiled, items, items, tmp_path)
        assert good.measures["purity"] > 0.9
        assert bad.measures == {}
        assert "threshold=1.5" in bad.failed
    with pytest.raises(RunError, match="another search"):
        tune("somrl", [{"threshold": 0.9}, {"threshold": 1.7}], items, replace(items), tmp_path)


def test_what_failed_is_trained_again_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    items = blobs(30)
    with monkeypatch.context() as patched:
        patched.setattr("torch.cuda.is_available", lambda: False)
        (bad,) = tune("somrl", SETTINGS[:1], items, items, tmp_path, device="cuda")
    assert "device='cuda'" in bad.failed
    (good,) = tune("somrl", SETTINGS[:1], items, items, tmp_path, device="cpu")
    assert good.failed == ""
    assert [path.suffixes for path in tmp_path.glob("*.json")] == [[".json"]]
