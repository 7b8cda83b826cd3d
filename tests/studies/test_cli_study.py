"""`somscope study` by running it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from somscope.cli.group import SomscopeGroup
from somscope.cli.main import app as somscope_app
from somscope.cli.study import add_study
from somscope.studies import STUDIES, Study
from studies.samples import Stand, entry, study


def invoke(tiny: Study, *arguments: object) -> Result:
    app = typer.Typer(cls=SomscopeGroup)
    add_study(app, tiny)
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, [tiny.name, *map(str, arguments)])


def test_one_command_makes_the_file_and_shows_its_table(tmp_path: Path) -> None:
    out = tmp_path / "results" / "tiny.json"
    result = invoke(study(), "-o", out, "--seeds", 2)
    assert result.exit_code == 0, result.output
    content = json.loads(out.read_text())
    assert content["rows"][0]["seeds"] == [0, 1]
    shown = f"{content['rows'][0]['measures']['purity']['mean']:.3f}"
    assert shown in result.stdout
    assert f"{shown} ±" in result.stdout
    assert "(0.900)" in result.stdout
    assert "1 of 2: blobs stand default paper seed 0: purity" in result.stderr
    assert sorted(path.name for path in out.with_name("tiny.cells").iterdir()) == [
        "blobs~stand~default~paper~0.json",
        "blobs~stand~default~paper~1.json",
    ]


def test_json_is_the_file(tmp_path: Path) -> None:
    out = tmp_path / "tiny.json"
    result = invoke(study(), "-o", out, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == json.loads(out.read_text())


def test_seeds_are_a_number_or_a_range(tmp_path: Path) -> None:
    out = tmp_path / "tiny.json"
    invoke(study(), "-o", out, "--seeds", "3:5")
    assert Stand.calls == [3, 4]
    for wrong in ("0", "5:3", "-2", "many", "1:2:3", "-1:2"):
        result = invoke(study(), "-o", out, f"--seeds={wrong}")
        assert result.exit_code == 2
        assert "expected a number such as 5, or START:END" in result.stderr


def test_parts_can_be_run_apart_and_merged_by_their_cells(tmp_path: Path) -> None:
    tiny = study(entry(), entry(variant="other"), entry(protocol="held-out"))
    work = tmp_path / "work"
    first = invoke(tiny, "-o", tmp_path / "a.json", "--work", work, "--variants", "other", "--seeds", 1)
    assert first.exit_code == 0, first.output
    last = invoke(tiny, "-o", tmp_path / "b.json", "--work", work, "--protocols", "held-out", "--seeds", 1)
    assert last.exit_code == 0, last.output
    rows = json.loads((tmp_path / "b.json").read_text())["rows"]
    assert [(row["variant"], row["protocol"]) for row in rows] == [
        ("other", "paper"),
        ("default", "held-out"),
    ]


def test_ctrl_c_says_how_to_go_on_and_the_next_run_does(tmp_path: Path) -> None:
    out = tmp_path / "tiny.json"
    result = invoke(study(entry(parameters={"mode": "kept"})), "-o", out, "--seeds", 3)
    assert result.exit_code == 130
    assert "1 of 3 trainings are finished and kept in" in result.stderr
    assert "the same command goes on" in result.stderr
    assert json.loads(out.read_text())["rows"][0]["seeds"] == [0]


def test_what_cannot_be_trained_is_said(tmp_path: Path) -> None:
    out = tmp_path / "tiny.json"
    away = entry(data="away")
    alone = invoke(study(away), "-o", out)
    assert alone.exit_code == 2
    assert "1 rows are missing: away is not on this machine" in alone.stderr
    assert not out.exists()
    together = invoke(study(entry(), away), "-o", out)
    assert together.exit_code == 0
    assert "away is not on this machine" in together.stderr
    assert json.loads(out.read_text())["absent"][0]["data"] == "away"


def test_wrong_names_and_files_of_other_studies_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "tiny.json"
    result = invoke(study(), "-o", out, "--models", "stand, nobody")
    assert result.exit_code == 2
    assert "allowed: stand" in result.stderr
    invoke(study(), "-o", out)
    before = out.read_text()
    other = invoke(study(name="another"), "-o", out)
    assert other.exit_code == 2
    assert "holds the results of tiny" in other.stderr
    (tmp_path / "folder").mkdir()
    folder = invoke(study(), "-o", tmp_path / "folder")
    assert folder.exit_code == 2
    assert "folder is a folder: name a file, such as" in " ".join(folder.stderr.split())
    assert sorted(path.name for path in tmp_path.glob("folder*")) == ["folder"]  # nothing was trained
    assert out.read_text() == before


def test_studies_are_listed() -> None:
    result = CliRunner().invoke(somscope_app, ["study", "list"])
    assert result.exit_code == 0, result.output
    for name in STUDIES:
        assert name in result.stdout


def test_the_table_of_a_file_is_markdown(tmp_path: Path) -> None:
    out = tmp_path / "tiny.json"
    invoke(study(), "-o", out)
    result = CliRunner().invoke(somscope_app, ["study", "table", str(out)])
    assert result.exit_code == 0, result.output
    assert "|---|---:|" in result.stdout
    broken = CliRunner().invoke(somscope_app, ["study", "table", str(tmp_path / "none.json")])
    assert broken.exit_code == 2


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_a_command(name: str) -> None:
    result = CliRunner().invoke(somscope_app, ["study", name, "--help"])
    assert result.exit_code == 0
    assert "--seeds" in result.stdout


def test_a_study_with_a_figure_has_it_drawn_beside_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from matplotlib.figure import Figure

    from somscope.studies.figures import FIGURES

    monkeypatch.setitem(FIGURES, "tiny", lambda content: Figure(figsize=(1, 1)))
    result = invoke(study(), "-o", tmp_path / "tiny.json", "--seeds", 1)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "tiny.png").read_bytes().startswith(b"\x89PNG")
