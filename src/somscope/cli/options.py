"""How option values are written on the command line, and what they mean in Python."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from somscope.errors import InputError

__all__ = ["default_run", "parse_columns", "parse_radius"]


def parse_radius(text: str) -> str | tuple[float, float]:
    """ "auto", or START:END in lattice steps as (start, end). Raises InputError for anything else."""
    if text == "auto":
        return text
    try:
        start, end = (float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"--radius {text!r}: expected START:END such as 5:0.5, or auto") from None
    return start, end


def parse_columns(text: str | None) -> list[str] | None:
    """Names separated by commas; a name that holds a comma stands in double quotes."""
    if text is None:
        return None
    names = [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]
    if not names or not all(names):
        raise InputError(f"--columns {text!r}: expected names separated by commas, such as a,b,c")
    return names


def default_run(data: str) -> Path:
    """runs/NAME for a file, a folder or a named set: photos/ -> runs/photos, mnist:test -> runs/mnist-test."""
    name = Path(data).resolve().name if Path(data).exists() else data
    if Path(data).is_file():
        name = name.split(".")[0] or name
    return Path("runs") / (re.sub(r"[^\w.-]+", "-", name).strip("-.") or "map")
