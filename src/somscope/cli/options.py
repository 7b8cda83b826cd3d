"""How option values are written on the command line, and what they mean in Python."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from somscope.errors import InputError

__all__ = ["check_grid", "default_run", "parse_columns", "parse_radius"]


def check_grid(text: str) -> str:
    """The text if it says how many units; InputError in the words of the command line otherwise."""
    from somscope.maps.defaults import parse_grid

    try:
        parse_grid(text)
    except InputError:
        raise InputError(
            f"--grid {text!r}: expected ROWSxCOLUMNS such as 20x20, a number of units for a chain, or auto"
        ) from None
    return text


def parse_radius(text: str) -> str | float | tuple[float, float]:
    """ "auto", the last radius alone, or START:END, in lattice steps. Raises InputError for anything else."""
    if text == "auto":
        return text
    try:
        first, *rest = (float(part) for part in text.split(":"))
        if len(rest) > 1:
            raise ValueError
    except ValueError:
        raise InputError(
            f"--radius {text!r}: expected the last radius such as 0.5, START:END such as 5:0.5, or auto"
        ) from None
    return (first, rest[0]) if rest else first


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
