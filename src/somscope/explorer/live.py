"""The progress of a training that is under way: what it has written beside the run so far."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from somscope.runs.checkpoints import checkpoint_folder

__all__ = ["Live"]

_MOST_BYTES = 64 * 2**20
_MOST_ROWS = 2000


class Live:
    """The rows of `metrics.jsonl` in the checkpoints of a run, as far as they are written."""

    def __init__(self, run: str | Path) -> None:
        self.run, self.file = Path(run).expanduser(), checkpoint_folder(run) / "metrics.jsonl"

    @property
    def running(self) -> bool:
        """Whether there is a training that wrote something."""
        return self.file.is_file()

    @property
    def finished(self) -> bool:
        """Whether the run is there by now."""
        return (self.run / "config.json").is_file()

    def rows(self, since: int = 0) -> dict[str, Any]:
        """Rows from number `since` on, at most 2,000 evenly chosen, and whether the run is there by now.

        A line that is still being written is left for the next time.
        """
        read: list[dict[str, Any]] = []
        if self.running and self.file.stat().st_size <= _MOST_BYTES:
            for line in self.file.read_text(encoding="utf-8", errors="replace").splitlines():
                try:
                    row = json.loads(line)
                except ValueError:
                    continue
                if isinstance(row, dict):
                    read.append({str(name): _plain(value) for name, value in row.items()})
        read = read[since:]
        read = read[:: -(-len(read) // _MOST_ROWS) or 1]
        return {"running": self.running, "finished": self.finished, "rows": read}


def _plain(value: Any) -> float | str | None:
    if isinstance(value, bool | int | float):
        number = float(value)
        return number if abs(number) < float("inf") else None
    return None if value is None else str(value)[:200]
