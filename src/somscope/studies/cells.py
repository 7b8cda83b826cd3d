"""Finished cells of a study: one small JSON file each in a work folder, so that an interrupted study loses nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from somscope.errors import RunError
from somscope.runs.jsonfile import read_object, write_object
from somscope.runs.writer import new_file
from somscope.studies.declare import Cell
from somscope.studies.learners import what_differs

__all__ = ["FinishedCell", "cell_path", "read_cell", "work_folder", "write_cell"]


@dataclass(frozen=True)
class FinishedCell:
    """What one training gave.

    parameters: of the model, all of them. trained, scored: number of items and fingerprint of both collections.
    measures, chance: as `score` returns them, with the seconds of the training. made: somscope's version and commit,
    versions of other packages, device and time of the training.
    """

    cell: Cell
    parameters: Mapping[str, Any]
    trained: Mapping[str, Any]
    scored: Mapping[str, Any]
    measures: Mapping[str, float]
    chance: Mapping[str, float]
    made: Mapping[str, Any]


def work_folder(out: Path) -> Path:
    """Where the cells of a study lie by default: results/NAME.cells beside results/NAME.json."""
    return out.with_name(out.stem + ".cells")


def cell_path(work: Path, cell: Cell) -> Path:
    """The file of a cell; its name says which it is."""
    words = [re.sub(r"[^\w.=+-]+", "_", word) for word in cell.entry.key]
    return work / f"{'~'.join(words)}~{cell.seed}.json"


def write_cell(work: Path, finished: FinishedCell) -> None:
    """Write a finished cell, whole or not at all."""
    data, model, variant, protocol = finished.cell.entry.key
    content = {
        "data": data,
        "model": model,
        "variant": variant,
        "protocol": protocol,
        "seed": finished.cell.seed,
        "parameters": dict(finished.parameters),
        "trained": dict(finished.trained),
        "scored": dict(finished.scored),
        "measures": dict(finished.measures),
        "chance": dict(finished.chance),
        "made": dict(finished.made),
    }
    with new_file(cell_path(work, finished.cell)) as partial:
        write_object(partial, content)


def read_cell(work: Path, cell: Cell) -> FinishedCell | str | None:
    """The finished cell; None if there is no file; why it cannot be used where it was trained with other settings.

    Raises RunError for a file that is not a cell: it is not somscope's to delete.
    """
    path = cell_path(work, cell)
    if not path.is_file():
        return None
    content = read_object(path)
    name = (content.get("data"), content.get("model"), content.get("variant"), content.get("protocol"))
    if name != cell.entry.key or content.get("seed") != cell.seed:
        raise RunError(f"{path} does not hold the cell that its name says: move it away")
    parts = [content.get(part) for part in ("parameters", "trained", "scored", "measures", "chance", "made")]
    if not all(isinstance(part, dict) for part in parts) or not _all_numbers(parts[3], parts[4]):
        raise RunError(f"{path} is not a whole cell: move it away, and it is trained again")
    parameters, trained, scored, measures, chance, made = parts
    difference = what_differs(cell.entry, parameters or {})
    if difference:
        return difference
    return FinishedCell(
        cell, parameters or {}, trained or {}, scored or {}, measures or {}, chance or {}, made or {}
    )


def _all_numbers(*parts: Any) -> bool:
    return all(isinstance(value, int | float) for part in parts for value in part.values())
