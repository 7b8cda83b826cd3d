"""`somscope data list` and `somscope data get`."""

from __future__ import annotations

from typer.testing import CliRunner

from somscope.cli.main import app


def test_list(nowhere):
    result = CliRunner().invoke(app, ["data", "list"])
    assert result.exit_code == 0
    lines = {line.split("│")[1].strip(): line for line in result.output.splitlines() if line.startswith("│")}
    assert "60,000" in lines["mnist:train"]
    assert "not here" in lines["mnist:train"]
    assert "comes with somscope" in lines["fashion-mnist:sample"]
    assert len(lines) == 14


def test_get(nowhere):
    result = CliRunner().invoke(app, ["data", "get", "fashion-mnist:sample"])
    assert result.exit_code == 0
    assert "10,000 images of 28 x 28 x 1" in result.output
    assert "MIT" in result.output


def test_get_errors_are_messages(nowhere):
    result = CliRunner().invoke(app, ["data", "get", "mnits"])
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert "fashion-mnist" in result.output


def test_help_has_an_example():
    for command in ("list", "get"):
        assert "Example" in CliRunner().invoke(app, ["data", command, "--help"]).output
