"""What is known of a fault after it was tried, and the table of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Row", "as_json", "table"]


@dataclass(frozen=True)
class Row:
    """fault: what was done. tried: how often. lost: what was lost. seen: what the user saw. failed: how often more was
    lost than the manual promises."""

    fault: str
    tried: int
    lost: str
    seen: str
    failed: int = 0


def as_json(row: Row) -> dict[str, Any]:
    """As `results/faults.json` holds it."""
    return asdict(row)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Markdown: one line for each fault."""
    lines = ["| fault | tried | what was lost | what the user saw |", "|---|---:|---|---|"]
    for row in rows:
        cells = (str(row[name]).replace("|", "\\|") for name in ("fault", "tried", "lost", "seen"))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
