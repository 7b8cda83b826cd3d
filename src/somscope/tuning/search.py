"""The trainings of a search, each kept at once, so that a search that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from somscope.data import Collection
from somscope.errors import RunError, SomscopeError
from somscope.runs import make_folder
from somscope.runs.jsonfile import read_object, write_object
from somscope.studies.cells import FinishedCell, cell_path, read_cell
from somscope.studies.declare import Cell, Entry
from somscope.studies.run import train_cell
from somscope.studies.sets import Split

__all__ = ["Row", "tune"]


@dataclass(frozen=True)
class Row:
    """One training. parameters: what was sampled. measures: as `studies.score` gives them, none where it failed;
    failed: why. made: by what and where, as a study's cells say it; empty where it failed."""

    number: int
    parameters: Mapping[str, float | int]
    measures: Mapping[str, float]
    failed: str = ""
    made: Mapping[str, Any] = field(default_factory=dict)


def tune(
    model: str,
    settings: Sequence[Mapping[str, float | int]],
    train: Collection,
    scored: Collection,
    work: Path,
    *,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    watch: Callable[[Row, bool], None] | None = None,
) -> list[Row]:
    """Train a model with each of the settings on `train`, without labels, and score it on the labelled `scored`.

    work: folder of the finished rows; those that are there, with these settings and items, are not trained again.
    watch: told of each row, and whether it was there already. A training that fails with an error of ours is a row
    without measures, which is trained again where device, precision or items are others than when it failed. Ctrl-C
    ends the search, and the rows that are finished stay.
    Raises RunError for a folder of other settings or items, or one that cannot be written.
    """
    cells = [
        Cell(Entry(train.name, model, f"row-{number:03}", "held-out", parameters), seed)
        for number, parameters in enumerate(settings)
    ]
    own = {path for cell in cells for path in (cell_path(work, cell), _failure(work, cell))}
    if others := sorted(set(work.glob("*.json")) - own):
        raise RunError(f"{_other(work)} ({others[0].name})")
    make_folder(work)
    split, rows = Split(train, scored), []
    for number, cell in enumerate(cells):
        asked = _asked(cell, split, device, precision)
        row = _known(cell, number, split, work, asked)
        there = row is not None
        if row is None:
            row = _trained(cell, number, split, work, asked)
        rows.append(row)
        if watch is not None:
            watch(row, there)
    return rows


def _asked(cell: Cell, split: Split, device: str, precision: str) -> dict[str, Any]:
    """What may make a training fail."""
    return {
        "parameters": dict(cell.entry.parameters),
        "trained": split.train.fingerprint,
        "scored": split.scored.fingerprint,
        "device": device,
        "precision": precision,
    }


def _known(cell: Cell, number: int, split: Split, work: Path, asked: Mapping[str, Any]) -> Row | None:
    """A row that was trained before, or could not be."""
    parameters = asked["parameters"]
    found = read_cell(work, cell)
    if isinstance(found, FinishedCell):
        if (found.trained["fingerprint"], found.scored["fingerprint"]) != (asked["trained"], asked["scored"]):
            raise RunError(f"{_other(work)} (its items are others)")
        return Row(number, parameters, found.measures, made=found.made)
    if found is not None:
        raise RunError(f"{_other(work)} ({cell.entry.variant}: {found})")
    path = _failure(work, cell)
    if path.is_file():
        content = read_object(path)
        why = content.pop("failed", None)
        if content.get("parameters") != parameters or not isinstance(why, str):
            raise RunError(f"{_other(work)} ({path.name})")
        return Row(number, parameters, {}, why) if content == asked else None
    return None


def _other(work: Path) -> str:
    return f"{work} holds rows of another search: choose another folder, or remove it"


def _trained(cell: Cell, number: int, split: Split, work: Path, asked: Mapping[str, Any]) -> Row:
    parameters = asked["parameters"]
    try:
        trained = train_cell(cell, split, work, asked["device"], asked["precision"])
    except SomscopeError as error:
        write_object(_failure(work, cell), {**asked, "failed": str(error)})
        return Row(number, parameters, {}, str(error))
    _failure(work, cell).unlink(missing_ok=True)
    return Row(number, parameters, trained.measures, made=trained.made)


def _failure(work: Path, cell: Cell) -> Path:
    return cell_path(work, cell).with_suffix(".failed.json")
