"""What the README and the manual show works as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [text for name, text in FENCE.findall(page.read_text(encoding="utf-8")) if name == language]


def command_lines() -> list[tuple[str, str]]:
    lines = []
    for page in PAGES:
        for block in [*blocks(page, ""), *blocks(page, "bash"), *blocks(page, "sh")]:
            for line in block.splitlines():
                if line.startswith("somscope "):
                    lines.append((page.name, line.split("  #")[0].strip()))
    return lines


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_commands_that_are_shown_can_be_parsed(page: str, line: str) -> None:
    import typer

    from somscope.cli.main import app

    command = typer.main.get_command(app)
    _, *words = shlex.split(line)
    while hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, f"{page}: {line}"
        command = command.commands[name]
    command.make_context(name, words)  # ends with a usage error if an option does not exist


def test_there_are_commands_to_parse() -> None:
    assert len(command_lines()) >= 8


@pytest.mark.parametrize(
    ("page", "wanted"), [("README.md", slice(None)), ("docs/first-map.md", slice(0, 1))], ids=str
)
def test_python_that_is_shown_runs(
    page: str, wanted: slice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = blocks(ROOT / page, "python")[wanted]
    assert found
    names: dict[str, object] = {}
    for block in found:
        exec(compile(block, page, "exec"), names)


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")):
                assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"
