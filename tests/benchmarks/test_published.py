"""The tables in the README and the manual are those of the committed results."""

from __future__ import annotations

import json
from pathlib import Path

from benchmarks.som.table import comparison_table

ROOT = Path(__file__).parents[2]


def published(name: str) -> list[str]:
    """The rows of the comparison in a Markdown file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("| tool (defaults)"))
    end = next(i for i in range(start, len(lines)) if not lines[i].startswith("|"))
    return lines[start:end]


def test_every_published_row_is_in_the_results():
    content = json.loads((ROOT / "results" / "bench-som.json").read_text(encoding="utf-8"))
    made = comparison_table(content).splitlines()
    assert published("docs/benchmarks.md") == [line for line in made if line.startswith("|")]
    rows = published("README.md")
    assert len(rows) > 3
    assert set(rows) <= set(made)
