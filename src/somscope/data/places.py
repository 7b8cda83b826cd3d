"""Where the files of a named data set may lie, in the order in which they are looked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["BUNDLED", "cache_folder", "places"]

BUNDLED = Path(__file__).parent / "bundled"


def cache_folder() -> Path:
    """Where downloads go: `SOMSCOPE_CACHE`, or the user's cache folder of this operating system."""
    chosen = os.environ.get("SOMSCOPE_CACHE")
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "somscope" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "somscope"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "somscope"


def places(folders: Sequence[str]) -> list[Path]:
    """The folders that may hold a set called `folders[0]` (or one of the other names), best first.

    1. in `SOMSCOPE_DATA`; 2. in `datasets/` of the system's data folders (`XDG_DATA_DIRS`, by default
    /usr/local/share and /usr/share: Debian's `dataset-fashion-mnist` puts its files there); 3. in the cache;
    4. in the package itself.
    """
    roots = [Path(os.environ["SOMSCOPE_DATA"])] if os.environ.get("SOMSCOPE_DATA") else []
    system = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    roots += [Path(folder) / "datasets" for folder in system.split(os.pathsep) if folder]
    roots += [cache_folder() / "data", BUNDLED]
    return [root / folder for root in roots for folder in folders]
