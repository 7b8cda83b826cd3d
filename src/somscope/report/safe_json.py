"""JSON that can stand inside an HTML page whatever the strings in it say."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from markupsafe import Markup

__all__ = ["safe_json", "short"]

_ESCAPES = {ord(char): f"\\u{ord(char):04x}" for char in "<>&'\u2028\u2029"}


def safe_json(value: Any) -> Markup:
    """`value` as JSON in which no "<", ">", "&" or quote can end the script element that holds it.

    The escapes are JSON's own, so that JSON.parse gives back the very strings. Lone surrogates are replaced.
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.encode("utf-8", "replace").decode("utf-8").translate(_ESCAPES))


def short(values: Any, digits: int = 4) -> Any:
    """Numbers of an array as a list with `digits` significant digits; NaN and infinities become None."""

    def one(value: float) -> float | int | None:
        if not math.isfinite(value):
            return None
        rounded = float(f"{value:.{digits}g}")
        return int(rounded) if rounded == int(rounded) and abs(rounded) < 1e15 else rounded

    array = np.asarray(values, dtype=np.float64)
    if array.ndim > 1:
        return [short(row, digits) for row in array]
    return [one(value) for value in array.tolist()]
