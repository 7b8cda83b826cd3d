"""The trainings of a search, each kept at once, so that a search that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from somscope.data import Collection
from somscope.errors import RunError, SomscopeError
from somscope.runs.jsonfile import read_object, write_object
from somscope.studies.cells import FinishedCell, cell_path, read_cell
from somscope.studies.declare import Cell, Entry
from somscope.studies.run import train_cell
from somscope.studies.sets import Split

__all__ = ["Row", "tune"]


@dataclass(frozen=True)
class Row:
    """One training. parameters: what was sampled. measures: as `studies.score` gives them, none where it failed;
    failed: why."""

    number: int
    parameters: Mapping[str, float | int]
    measures: Mapping[str, float]
    failed: str = ""


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
    without measures. Ctrl-C ends the search, and the rows that are finished stay.
    Raises RunError for a folder of other settings or items.
    """
    cells = [
        Cell(Entry(train.name, model, f"row-{number:03}", "held-out", parameters), seed)
        for number, parameters in enumerate(settings)
    ]
    own = {path for cell in cells for path in (cell_path(work, cell), _failure(work, cell))}
    if others := sorted(set(work.glob("*.json")) - own):
        raise RunError(f"{_other(work)} ({others[0].name})")
    rows = []
    for number, cell in enumerate(cells):
        row = _known(cell, number, train, scored, work)
        there = row is not None
        if row is None:
            row = _trained(cell, number, Split(train, scored), work, device, precision)
        rows.append(row)
        if watch is not None:
            watch(row, there)
    return rows


def _known(cell: Cell, number: int, train: Collection, scored: Collection, work: Path) -> Row | None:
    """A row that was trained before, or could not be."""
    parameters = dict(cell.entry.parameters)
    found = read_cell(work, cell)
    if isinstance(found, FinishedCell):
        if (found.trained["fingerprint"], found.scored["fingerprint"]) != (
            train.fingerprint,
            scored.fingerprint,
        ):
            raise RunError(f"{_other(work)} (its items are others)")
        return Row(number, parameters, found.measures)
    if found is not None:
        raise RunError(f"{_other(work)} ({cell.entry.variant}: {found})")
    path = _failure(work, cell)
    if path.is_file():
        content = read_object(path)
        if content.get("parameters") != parameters or not isinstance(content.get("failed"), str):
            raise RunError(f"{_other(work)} ({path.name})")
        return Row(number, parameters, {}, content["failed"])
    return None


def _other(work: Path) -> str:
    return f"{work} holds rows of another search: choose another folder, or remove it"


def _trained(cell: Cell, number: int, split: Split, work: Path, device: str, precision: str) -> Row:
    parameters: dict[str, Any] = dict(cell.entry.parameters)
    try:
        return Row(number, parameters, train_cell(cell, split, work, device, precision).measures)
    except SomscopeError as error:
        work.mkdir(parents=True, exist_ok=True)
        write_object(_failure(work, cell), {"parameters": parameters, "failed": str(error)})
        return Row(number, parameters, {}, str(error))


def _failure(work: Path, cell: Cell) -> Path:
    return cell_path(work, cell).with_suffix(".failed.json")
