"""Cells are trained once, kept at once, and taken up again; nothing stale is taken for new."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from somscope.errors import RunError
from somscope.studies import Cell, Study
from somscope.studies.cells import FinishedCell, cell_path, read_cell
from somscope.studies.run import Outcome, run_cells, seconds_left, train_cell
from somscope.studies.sets import Split
from studies.samples import TINY, Notes, Stand, entry, study


def run(tiny: Study, work: Path, seeds: int = 2, watch: Notes | None = None) -> Outcome:
    return run_cells(tiny.cells(range(seeds)), work, "cpu", "auto", watch or Notes())


def test_finished_cells_are_not_trained_again(tmp_path: Path) -> None:
    assert run(study(), tmp_path) == Outcome(finished=2)
    assert Stand.calls == [0, 1]
    watch = Notes()
    assert run(study(), tmp_path, seeds=3, watch=watch) == Outcome(finished=3)
    assert Stand.calls == [0, 1, 2]
    assert watch.ended == ["blobs stand default paper seed 2"]
    assert "2 of 3 cells are finished already" in watch.said[0]


def test_a_cell_reads_back_as_it_was_written(tmp_path: Path) -> None:
    cell = Cell(entry(parameters={"grid": (2, 3)}), 4)
    trained = train_cell(cell, Split(TINY["blobs:train"], TINY["blobs:test"]), tmp_path, "cpu", "auto")
    assert read_cell(tmp_path, cell) == trained
    assert trained.parameters == {"grid": [2, 3], "mode": "good"}
    assert trained.trained == {"n_items": 45, "fingerprint": TINY["blobs:train"].fingerprint}
    assert trained.scored == {"n_items": 30, "fingerprint": TINY["blobs:test"].fingerprint}
    assert trained.measures["seconds"] > 0
    assert trained.made["device"].startswith("cpu, ")
    assert {"python", "torch", "numpy"} <= trained.made["versions"].keys()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        ({"grid": (2, 2)}, {"grid": (2, 3)}, "grid was [2, 2], is [2, 3]"),
        ({"grid": (2, 3)}, {}, "grid was [2, 3], is [2, 2]"),
    ],
)
def test_a_cell_of_other_settings_is_trained_again(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any], why: str
) -> None:
    run(study(entry(parameters=before)), tmp_path, seeds=1)
    watch = Notes()
    run(study(entry(parameters=after)), tmp_path, seeds=1, watch=watch)
    assert Stand.calls == [0, 0]
    assert why in watch.said[0]
    assert isinstance(read_cell(tmp_path, Cell(entry(parameters=after), 0)), FinishedCell)


def test_a_new_parameter_makes_a_cell_stale_only_where_it_is_set(tmp_path: Path) -> None:
    cell = Cell(entry(), 0)
    run(study(), tmp_path, seeds=1)
    path = cell_path(tmp_path, cell)
    content = json.loads(path.read_text())
    del content["parameters"]["mode"]  # as if the model had got `mode` since
    path.write_text(json.dumps(content))
    assert isinstance(read_cell(tmp_path, cell), FinishedCell)
    assert read_cell(tmp_path, Cell(entry(parameters={"mode": "good"}), 0)) == "mode was not set"
    content["parameters"]["depth"] = 3
    path.write_text(json.dumps(content))
    assert read_cell(tmp_path, cell) == "depth is no parameter any more"


def test_files_that_are_no_cells_are_refused_and_stay(tmp_path: Path) -> None:
    cell = Cell(entry(), 0)
    run(study(), tmp_path, seeds=1)
    path = cell_path(tmp_path, cell)
    whole = path.read_text()
    content = json.loads(whole)
    broken = [
        (whole[:100], "not valid JSON"),
        (json.dumps({**content, "seed": 7}), "does not hold the cell that its name says"),
        (json.dumps({**content, "measures": None}), "not a whole cell"),
        (json.dumps({**content, "measures": {"purity": "high"}}), "not a whole cell"),
    ]
    for text, why in broken:
        path.write_text(text)
        with pytest.raises(RunError, match=why):
            run(study(), tmp_path, seeds=1)
        assert path.read_text() == text


@pytest.mark.parametrize("mode", ["ctrl-c", "kept"])
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path, mode: str) -> None:
    """Whether the model raises, or keeps what it has learned so far as ours do."""
    tiny = study(entry(parameters={"mode": mode}))
    assert run(tiny, tmp_path, seeds=3) == Outcome(finished=1, interrupted=True)
    assert isinstance(read_cell(tmp_path, Cell(tiny.entries[0], 0)), FinishedCell)
    assert read_cell(tmp_path, Cell(tiny.entries[0], 1)) is None
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blobs~stand~default~paper~0.json"]


def test_a_long_training_goes_on_from_its_checkpoints(tmp_path: Path) -> None:
    tiny = study(entry(model="slow"))
    for _ in range(2):
        assert run(tiny, tmp_path, seeds=1).interrupted
        assert len(list(tmp_path.iterdir())) == 1  # the checkpoints of one training
    assert run(tiny, tmp_path, seeds=1) == Outcome(finished=1)
    assert [path.name for path in tmp_path.iterdir()] == ["blobs~slow~default~paper~0.json"]
    cell = read_cell(tmp_path, Cell(tiny.entries[0], 0))
    assert isinstance(cell, FinishedCell)
    assert cell.measures["seconds"] == 300.0  # as the model counts them, not those of the last part
    assert cell.parameters == {"start": 0}


def test_checkpoints_of_other_settings_are_not_gone_on_from(tmp_path: Path) -> None:
    assert run(study(entry(model="slow", parameters={"start": 1})), tmp_path, seeds=1).interrupted
    assert run(study(entry(model="slow")), tmp_path, seeds=1).interrupted
    assert sorted((path / "steps").read_text() for path in tmp_path.iterdir()) == ["1", "2"]


def test_checkpoints_of_another_device_are_not_gone_on_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiny = study(entry(model="slow"))
    for there in (False, True, False):
        monkeypatch.setattr("torch.cuda.is_available", lambda there=there: there)
        assert run_cells(tiny.cells(range(1)), tmp_path, "auto", "auto", Notes()).interrupted
    assert sorted((path / "steps").read_text() for path in tmp_path.iterdir()) == ["1", "2"]


def test_a_row_that_cannot_be_trained_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    bad, away, good = entry(variant="bad", parameters={"mode": "bad"}), entry(data="away"), entry()
    watch = Notes()
    outcome = run(study(bad, away, good), tmp_path, watch=watch)
    assert outcome.finished == 2
    assert outcome.missing == {away: "away is not on this machine"}
    assert outcome.failed == dict.fromkeys([Cell(bad, 0), Cell(bad, 1)], "the loss is not finite")
    assert any("away is left out: away is not on this machine" in text for text in watch.said)
    assert Stand.calls == [0, 0, 1, 1]  # one seed that fails says nothing of the others


def test_data_that_are_not_here_are_looked_for_once(tmp_path: Path) -> None:
    rows = entry(data="away"), entry(data="away", variant="other")
    watch = Notes()
    outcome = run(study(*rows), tmp_path, watch=watch)
    assert set(outcome.missing) == set(rows)
    assert len(watch.said) == 1


def test_the_time_left_is_that_of_the_cells_most_alike(tmp_path: Path) -> None:
    def done(seconds: float, **changes: Any) -> FinishedCell:
        return FinishedCell(Cell(entry(**changes), 0), {}, {}, {}, {"seconds": seconds}, {}, {})

    known = [done(10.0), done(40.0, data="away"), done(100.0, variant="large"), done(1.0, model="k-means")]
    assert seconds_left([Cell(entry(), 1)], []) is None
    assert seconds_left([Cell(entry(), 1), Cell(entry(), 2)], known) == pytest.approx(20)
    assert seconds_left([Cell(entry(data="third"), 1)], known) == pytest.approx(25)
    assert seconds_left([Cell(entry(variant="new"), 1)], known) == pytest.approx(50)
    assert seconds_left([Cell(entry(model="new"), 1)], known) == pytest.approx(151 / 4)
    watch = Notes()
    run(study(), tmp_path, watch=watch)
    assert watch.left[0] is None
    assert watch.left[1] is not None
    assert watch.left[1] > 0
