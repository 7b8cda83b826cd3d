"""From cells to the result file: means, what is merged, what is dropped; and the tables made of it."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from somscope.errors import RunError
from somscope.studies import Cell, Study
from somscope.studies.cells import FinishedCell, read_cell, write_cell
from somscope.studies.results import document, finished_cells, read_results, write_results
from somscope.studies.run import run_cells
from somscope.studies.table import markdown, tables
from studies.samples import Notes, entry, study


def train(tiny: Study, work: Path, seeds: int = 3) -> dict[tuple[str, ...], list[FinishedCell]]:
    run_cells(tiny.cells(range(seeds)), work, "cpu", "auto", Notes())
    return finished_cells(tiny, work)


def test_a_row_holds_mean_and_deviation_of_its_seeds(tmp_path: Path) -> None:
    tiny = study()
    cells = train(tiny, tmp_path)
    (row,) = document(tiny, cells, {}, {}, None)["rows"]
    purities = [cell.measures["purity"] for cell in cells[tiny.entries[0].key]]
    assert len(set(purities)) > 1
    assert row["seeds"] == [0, 1, 2]
    assert row["measures"]["purity"] == {
        "mean": pytest.approx(statistics.fmean(purities), rel=1e-5),
        "std": pytest.approx(statistics.stdev(purities), rel=1e-5),
    }
    assert row["published"] == {"purity": 0.9}
    assert row["parameters"] == {"grid": [2, 2], "mode": "good"}
    assert row["chance"]["purity"]["mean"] < row["measures"]["purity"]["mean"]
    one = document(tiny, train(tiny, tmp_path / "one", seeds=1), {}, {}, None)["rows"][0]
    assert one["measures"]["purity"]["std"] == 0.0


def test_the_file_says_what_made_it(tmp_path: Path) -> None:
    import somscope

    tiny = replace(study(), notes=("read this",))
    content = document(tiny, train(tiny, tmp_path / "work"), {}, {}, None)
    write_results(tmp_path / "tiny.json", content)
    assert read_results(tmp_path / "tiny.json") == content
    assert content["study"] == "tiny"
    assert content["somscope"] == somscope.__version__
    assert content["device"].startswith("cpu, ")
    assert content["notes"] == ["read this"]
    assert {"commit", "created", "versions", "seconds", "absent"} <= content.keys()


def test_all_finished_cells_are_in_the_file_whatever_was_asked_for(tmp_path: Path) -> None:
    tiny = study(entry(), entry(variant="other"), entry(variant="never"))
    for variant in ("default", "other"):
        run_cells(tiny.cells(range(1), variants=[variant]), tmp_path, "cpu", "auto", Notes())
    rows = document(tiny, finished_cells(tiny, tmp_path), {}, {}, None)["rows"]
    assert [row["variant"] for row in rows] == ["default", "other"]


def test_seeds_that_were_run_apart_add_up(tmp_path: Path) -> None:
    """Seeds of the file stay beside those of the cells here, as if one machine had trained them all."""
    tiny = study(entry(), entry(variant="other"))
    whole = train(tiny, tmp_path / "whole", seeds=4)
    apart = document(study(entry()), train(study(entry()), tmp_path / "a", seeds=2), {}, {}, None)
    here = {key: cells[1:] for key, cells in whole.items()}
    merged = document(tiny, here, {}, {}, apart)
    assert [(row["variant"], row["seeds"]) for row in merged["rows"]] == [
        ("default", [0, 1, 2, 3]),
        ("other", [1, 2, 3]),
    ]
    found, wanted = merged["rows"][0], document(tiny, whole, {}, {}, None)["rows"][0]
    for name, one in wanted["measures"].items():
        if name not in ("seconds", "memory_mb"):
            assert found["measures"][name] == pytest.approx(one, rel=1e-4), name  # each is rounded
            assert found["each"]["measures"][name] == wanted["each"]["measures"][name]
    assert found["chance"]["purity"] == pytest.approx(wanted["chance"]["purity"], rel=1e-4)


def test_the_seed_that_was_trained_last_counts(tmp_path: Path) -> None:
    tiny = study()
    key, cells = next(iter(train(tiny, tmp_path, seeds=2).items()))
    old = document(tiny, {key: cells}, {}, {}, None)
    again = replace(cells[1], measures={**cells[1].measures, "purity": 0.125}, made={"commit": "later"})
    (row,) = document(tiny, {key: [again]}, {}, {}, old)["rows"]
    assert row["each"]["measures"]["purity"] == [pytest.approx(cells[0].measures["purity"], rel=1e-5), 0.125]
    assert row["commit"] == f"{cells[0].made['commit']}; later"


def test_of_a_file_without_single_seeds_the_row_with_more_stays(tmp_path: Path) -> None:
    tiny = study()
    key, cells = next(iter(train(tiny, tmp_path, seeds=4).items()))
    old = document(tiny, {key: cells[:3]}, {}, {}, None)
    del old["rows"][0]["each"]
    assert document(tiny, {key: cells[2:]}, {}, {}, old)["rows"][0] == old["rows"][0]
    assert document(tiny, {key: cells}, {}, {}, old)["rows"][0]["seeds"] == [0, 1, 2, 3]
    one = document(tiny, {key: cells[:1]}, {}, {}, None)
    del one["rows"][0]["each"]  # a row of one seed: its means are the numbers of this seed
    assert document(tiny, {key: cells[1:]}, {}, {}, one)["rows"][0]["seeds"] == [0, 1, 2, 3]


def test_rows_of_other_settings_or_of_no_study_are_dropped(tmp_path: Path) -> None:
    before = study(entry(), entry(variant="gone"))
    old = document(before, train(before, tmp_path / "a"), {}, {}, None)
    now = study(entry(parameters={"grid": (3, 3)}))
    assert document(now, {}, {}, {}, old)["rows"] == []


def test_a_published_number_that_was_mended_reaches_old_rows(tmp_path: Path) -> None:
    old = document(study(entry()), train(study(entry()), tmp_path), {}, {}, None)
    mended = document(study(entry(published={"purity": 0.8})), {}, {}, {}, old)
    assert mended["rows"][0]["published"] == {"purity": 0.8}


def test_what_is_absent_is_named_until_it_is_there(tmp_path: Path) -> None:
    away = entry(data="away")
    tiny = study(entry(), away)
    cells = train(tiny, tmp_path)
    first = document(tiny, cells, {away: "not on this machine"}, {}, None)
    reason = {
        "data": "away",
        "model": "stand",
        "variant": "default",
        "protocol": "paper",
        "reason": "not on this machine",
    }
    assert first["absent"] == [reason]
    assert document(tiny, cells, {}, {}, first)["absent"] == [reason]
    there = replace(next(iter(cells.values()))[0], cell=Cell(away, 0))
    assert document(tiny, {**cells, away.key: [there]}, {}, {}, first)["absent"] == []


def test_a_row_says_which_seeds_failed_until_they_are_trained(tmp_path: Path) -> None:
    tiny = study(entry())
    row, cells = tiny.entries[0], train(tiny, tmp_path, seeds=2)
    first = document(tiny, cells, {}, {Cell(row, 2): "loss is nan", Cell(row, 1): "not so any more"}, None)
    assert first["rows"][0]["seeds"] == [0, 1]
    assert first["rows"][0]["failed"] == {"2": "loss is nan"}
    (table,) = tables(first)
    assert table.lines[0][-1] == "2 (1 failed)"
    assert "Failed: blobs stand (default, paper), seed 2: loss is nan" in markdown(first)
    assert document(tiny, cells, {}, {}, first)["rows"][0]["failed"] == {"2": "loss is nan"}
    assert "failed" not in document(tiny, train(tiny, tmp_path, seeds=3), {}, {}, first)["rows"][0]
    nothing = document(tiny, {}, {}, {Cell(row, 0): "loss is nan"}, None)
    assert nothing["rows"] == []
    assert nothing["absent"][0]["reason"] == "loss is nan"


def test_rows_of_other_items_than_those_of_now_are_not_kept(tmp_path: Path) -> None:
    tiny = study(entry(), entry(variant="other"))
    old = document(tiny, train(tiny, tmp_path / "a", seeds=3), {}, {}, None)
    assert [len(row["seeds"]) for row in old["rows"]] == [3, 3]
    cells = train(study(entry()), tmp_path / "b", seeds=1)
    assert [len(row["seeds"]) for row in document(tiny, cells, {}, {}, old)["rows"]] == [3, 3]
    (cell,) = cells[tiny.entries[0].key]
    changed = {tiny.entries[0].key: [replace(cell, trained={**cell.trained, "fingerprint": "new"})]}
    assert [len(row["seeds"]) for row in document(tiny, changed, {}, {}, old)["rows"]] == [1]


def test_a_row_names_the_versions_of_all_its_cells(tmp_path: Path) -> None:
    tiny = study()
    key, (one, two) = next(iter(train(tiny, tmp_path, seeds=2).items()))
    made = {**two.made, "somscope": "9.9", "versions": {**two.made["versions"], "torch": "9.8"}}
    (row,) = document(tiny, {key: [one, replace(two, made=made)]}, {}, {}, None)["rows"]
    assert row["somscope"] == f"{one.made['somscope']}; 9.9"
    assert row["versions"]["torch"] == f"{one.made['versions']['torch']}; 9.8"
    assert row["versions"]["numpy"] == one.made["versions"]["numpy"]


def test_cells_of_different_items_are_not_averaged(tmp_path: Path) -> None:
    tiny = study()
    train(tiny, tmp_path)
    cell = read_cell(tmp_path, Cell(tiny.entries[0], 1))
    assert isinstance(cell, FinishedCell)
    write_cell(tmp_path, replace(cell, scored={**cell.scored, "fingerprint": "other"}))
    with pytest.raises(RunError, match="different items: blobs has changed"):
        document(tiny, finished_cells(tiny, tmp_path), {}, {}, None)


@pytest.mark.parametrize("text", ["{}", "[]", '{"rows": [{"data": "mnist"}]}', '{"rows'])
def test_files_of_another_kind_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"file\.json"):
        read_results(path)
    with pytest.raises(RunError, match="is not there"):
        read_results(tmp_path / "none.json")


CONTENT = {
    "study": "tiny",
    "somscope": "0.1.0",
    "device": "cpu, 2 threads",
    "notes": ["A note."],
    "rows": [
        {
            "data": "mnist",
            "model": "desom",
            "variant": "legacy",
            "protocol": "paper",
            "seeds": [0, 1],
            "measures": {"purity": {"mean": 0.93749, "std": 0.0021}, "seconds": {"mean": 391.2, "std": 8.0}},
            "chance": {"purity": {"mean": 0.131, "std": 0.0}},
            "published": {"purity": 0.939},
        },
        {
            "data": "mnist",
            "model": "k-means",
            "variant": "default",
            "protocol": "paper",
            "seeds": [0],
            "measures": {"topographic_error_8": {"mean": 0.25, "std": 0.0}},
            "chance": {},
            "published": {"purity": 0.842},
        },
        {
            "data": "mnist",
            "model": "k-means",
            "variant": "default",
            "protocol": "held-out",
            "seeds": [0],
            "measures": {"purity": {"mean": 0.5, "std": 0.0}},
        },
    ],
    "absent": [
        {
            "data": "reuters-rcv1",
            "model": "som",
            "variant": "a|b",
            "protocol": "paper",
            "reason": "not\n here",
        }
    ],
}


def test_markdown_shows_ours_beside_the_published_number() -> None:
    lines = markdown(CONTENT).splitlines()
    assert lines[:7] == [
        "**mnist, paper protocol (trained and scored on all items, as the authors did)**",
        "",
        "| model | purity | TE8 | seconds | seeds |",
        "|---|---:|---:|---:|---:|",
        "| desom (legacy) | 0.937 ±0.002 (0.939) | - | 391 ±8 | 2 |",
        "| k-means | - (0.842) | 0.250 | - | 1 |",
        "| chance | 0.131 |  |  |  |",
    ]
    assert "| k-means | 0.500 | 1 |" in lines
    assert "Absent: reuters-rcv1 som (a|b, paper): not here" in lines
    assert "A note." in lines
    assert "Measured on: cpu, 2 threads; somscope 0.1.0." in lines


def test_a_mean_just_below_zero_is_zero() -> None:
    row = {**CONTENT["rows"][2], "measures": {"nmi_arithmetic": {"mean": -4e-5, "std": 0.0}}}
    assert "| k-means | 0.000 | 1 |" in markdown({**CONTENT, "rows": [row]}).splitlines()


def test_each_table_is_a_rectangle() -> None:
    made = tables(CONTENT)
    assert [len(table.lines) for table in made] == [3, 1]
    for table in made:
        assert {len(line) for line in table.lines} == {len(table.head)}


def test_committed_results_can_be_read() -> None:
    """Every result file of the project has the common shape, that of the benchmarks too."""
    files = sorted((Path(__file__).parents[2] / "results").glob("*.json"))
    assert files
    for path in files:
        content = json.loads(path.read_text(encoding="utf-8"))
        if "rows" in content and path.stem != "faults":  # whose rows are faults, and what each has cost
            assert read_results(path)["study"] == path.stem
