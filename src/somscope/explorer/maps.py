"""From a folder to the maps that are shown of it: a run's one map, two runs side by side, those of an audit, codes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from somscope.audit.record import FILES
from somscope.errors import InputError, RunError
from somscope.explorer.audit_maps import audit_maps
from somscope.explorer.code_map import code_map
from somscope.explorer.shown import Shown
from somscope.runs.code_run import INDEX
from somscope.runs.run import Run

__all__ = ["open_maps"]


def open_maps(
    path: str | Path, beside: str | Path | None = None, images: str | Path | None = None
) -> list[Shown]:
    """The maps in a folder: of a run of `somscope map` or `cluster`, of an audit, or of codes.

    beside: another run over some of the same items, told by their ids; the maps are then linked. images: the folder of
    the images of the runs, where it was moved. Raises RunError for a
    folder that is none of these, and InputError for two folders without a common item.
    """
    path, moved = Path(path).expanduser(), None if images is None else Path(images).expanduser()
    if beside is None and moved is None and (path / FILES[0]).is_file():
        return audit_maps(path)
    if beside is None:
        return [_one(path, moved)]
    maps = [_one(path, moved), _one(Path(beside).expanduser(), moved)]
    if maps[0].title == maps[1].title:
        maps[0].title, maps[1].title = str(path), str(beside)
    _link(maps)
    return maps


def _one(path: Path, images: Path | None) -> Shown:
    if (path / FILES[0]).is_file():
        raise RunError(f"{path} is an audit, which has several maps: look at it without --with and --images")
    return code_map(path, images) if (path / INDEX).is_file() else Shown(Run.open(path), images=images)


def _link(maps: list[Shown]) -> None:
    """Items with the same id get the same number."""
    first, second = (one.summary.ids for one in maps)
    number = {text: at for at, text in enumerate(first)}
    maps[0].pairs = np.arange(len(first))
    maps[1].pairs = np.array([number.setdefault(text, len(number)) for text in second], dtype=np.int64)
    common = int((maps[1].pairs < len(first)).sum())
    if not common:
        raise InputError(
            f"{maps[0].run.path} and {maps[1].run.path} have no item in common: two maps are linked by the ids of items"
        )
    if common < max(len(first), len(second)):
        said = f"The two maps have {common:,} items in common, of {len(first):,} and {len(second):,}."
        for one in maps:
            one.problems.append(said)
