"""The power study: what is planted is there, the tables say what was found, and the committed result is honest."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from somscope.studies.audit_power import NAME, NULL, SIZES, TRUTHS, audit_power, plant
from somscope.studies.results import read_results
from somscope.studies.table import markdown

RESULT = Path(__file__).parents[2] / "results" / f"{NAME}.json"


def gaps(truth: str) -> np.ndarray:
    images = plant(truth, 400, np.random.default_rng(0)).images
    return np.linalg.norm((images.target.astype(float) - images.generated).reshape(400, -1), axis=1)


def test_what_is_planted_is_there() -> None:
    assert np.median(gaps(NULL)) > 4 * np.median(gaps("identity"))
    dropped = plant("mode dropped", 400, np.random.default_rng(0))
    assert dropped.part == "target"
    assert 30 < dropped.rows.sum() < 70
    assert gaps("mode dropped")[dropped.rows].min() > gaps("mode dropped")[~dropped.rows].max()
    for truth, count in (("mode invented", 50), ("10 % replaced", 40)):
        planted = plant(truth, 400, np.random.default_rng(0))
        assert (planted.part, planted.rows.sum()) == ("generated", count)
        assert gaps(truth)[planted.rows].min() > gaps(truth)[~planted.rows].max()


def test_the_result_file_and_its_tables(tmp_path: Path) -> None:
    said: list[str] = []
    content = audit_power(said.append, (60,), audits=4, permutations=99)
    assert len(said) == len(content["rows"]) == len(TRUTHS)
    rows = {row["variant"]: row["measures"] for row in content["rows"]}
    assert rows["identity"]["pairing"]["mean"] == 1
    assert rows[NULL]["pairing"]["mean"] <= 0.25
    assert rows["mode invented"]["p mmd"]["mean"] == 1
    (tmp_path / "power.json").write_text(json.dumps(content))
    text = markdown(read_results(tmp_path / "power.json"))
    assert "| identity | 60 | 2 | 100% | (0%) |" in text
    assert "| mean of all numbers |" in text
    assert "| retrieval of targets |" in text
    both = audit_power(said.append, (20,), audits=2, permutations=19, previous=content)
    assert [row["n_items"] for row in both["rows"]] == [20] * 5 + [60] * 5
    assert both["rows"][5:] == content["rows"]


@pytest.mark.skipif(not RESULT.is_file(), reason="the study has not been run")
def test_the_committed_study_keeps_the_nominal_level_and_finds_what_was_planted() -> None:
    rows = json.loads(RESULT.read_text())["rows"]
    assert {(row["n_items"], row["variant"]) for row in rows} == {
        (n, truth) for n in SIZES for truth in TRUTHS
    }
    for row in rows:
        measures = row["measures"]
        single = [value["mean"] for name, value in measures.items() if name.startswith("p ")]
        if row["variant"] == NULL:
            assert len(row["seeds"]) == 200
            assert max(single) <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / 200)
            assert max(measures[name]["mean"] for name in ("pairing", "difference", "region")) <= 0.1
        else:
            assert measures["pairing"]["mean"] == 1
        if row["n_items"] >= 200 and row["variant"] not in (NULL, "identity"):
            assert measures["difference"]["mean"] >= 0.95
