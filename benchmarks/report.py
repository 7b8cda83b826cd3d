"""The form in which benchmarks keep what they measured: that of the result files of studies."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import somscope

__all__ = ["write_report"]


def write_report(
    path: Path, study: str, rows: Sequence[dict[str, Any]], began: float, device: str, **more: Any
) -> None:
    """Write rows with what they were measured by; began: of time.perf_counter; more: other entries of the file."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=False
    )
    content = {
        "study": study,
        "somscope": somscope.__version__,
        "commit": commit.stdout.strip() or None,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": device,
        "seconds": round(time.perf_counter() - began, 1),
        **more,
        "rows": list(rows),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
