"""Strict JSON objects in files: bounded in size, no NaN, errors that name the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from somscope.atomic import whole_file
from somscope.errors import RunError

__all__ = ["MAX_BYTES", "read_object", "write_object"]

MAX_BYTES = 64 * 2**20  # far above any run's config (it lists skipped files), far below a machine's memory


def write_object(path: Path, value: dict[str, Any]) -> None:
    """Write `value` as indented JSON. Raises ValueError for NaN and infinity, which JSON does not have."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with whole_file(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises RunError, naming the file, if it is missing, too large or not a JSON object."""
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise RunError(f"{path} has {size} bytes; a run's JSON file has at most {MAX_BYTES}")
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing: the folder is not a whole run") from error
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise RunError(f"{path} must hold a JSON object, not {type(value).__name__}")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
