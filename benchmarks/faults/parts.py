"""What a loader is: files, how they are made and read, and which of them to break; and the data that they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Loader", "Part", "colour", "numbers"]


@dataclass(frozen=True)
class Part:
    """A file to break. unwrap: its content as it is to be broken; wrap: the file that holds such content; sign: mends
    the check sums that would otherwise refuse it before it is looked at."""

    name: str
    unwrap: Callable[[bytes], bytes] = bytes
    wrap: Callable[[bytes], bytes] = bytes
    sign: Callable[[Path], None] | None = None


@dataclass(frozen=True)
class Loader:
    """make: writes valid files into a folder. parts: which to break. load: reads all of it."""

    make: Callable[[Path], object]
    parts: Sequence[Part]
    load: Callable[[Path], object]


def numbers(width: int = 4) -> Any:
    return np.random.default_rng(0).random((40, width))


def colour(n: int) -> Any:
    return np.random.default_rng(0).integers(0, 256, (n, 16, 16, 3), dtype=np.uint8)
