"""The tables of studies in the README and the manual are those of the committed results."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from somscope.studies import STUDIES
from somscope.studies.table import markdown

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^<!-- table of: ([a-z-]+) -->\n(.*?)^<!-- end of table -->$", re.MULTILINE | re.DOTALL)
COMMITTED = [name for name in STUDIES if (ROOT / "results" / f"{name}.json").is_file()]


def wrong_lines(text: str, results: Path) -> list[str]:
    """Lines of tables between `table of` and `end of table` that `somscope study table` does not make."""
    wrong = []
    for name, block in BLOCK.findall(text):
        content = json.loads((results / f"{name}.json").read_text(encoding="utf-8"))
        made = set(markdown(content).splitlines())
        wrong += [line for line in block.splitlines() if line.startswith("|") and line not in made]
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_published_tables_are_those_of_the_results(page: Path) -> None:
    assert wrong_lines(page.read_text(encoding="utf-8"), ROOT / "results") == []


@pytest.mark.parametrize("name", COMMITTED)
def test_every_committed_result_is_shown_whole(name: str) -> None:
    shown = dict(BLOCK.findall((ROOT / "docs" / "studies.md").read_text(encoding="utf-8")))
    content = json.loads((ROOT / "results" / f"{name}.json").read_text(encoding="utf-8"))
    assert name in shown, f"docs/studies.md has no `<!-- table of: {name} -->`"
    assert shown[name].strip() == markdown(content)


def test_an_edited_table_is_noticed(tmp_path: Path) -> None:
    row = {"data": "mnist", "model": "som", "variant": "default", "protocol": "paper", "seeds": [0]}
    content = {"somscope": "0", "rows": [{**row, "measures": {"purity": {"mean": 0.5, "std": 0.0}}}]}
    (tmp_path / "tiny.json").write_text(json.dumps(content))
    page = f"# Page\n<!-- table of: tiny -->\n{markdown(content)}\n<!-- end of table -->\n"
    assert wrong_lines(page, tmp_path) == []
    assert wrong_lines(page.replace("0.500", "0.900"), tmp_path) == ["| som | 0.900 | 1 |"]
