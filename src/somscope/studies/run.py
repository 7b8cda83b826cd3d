"""Train the cells of a study that are not finished yet, and keep each at once."""

from __future__ import annotations

import hashlib
import json
import shutil
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from somscope.data import Collection
from somscope.errors import DataError, SomscopeError
from somscope.studies.cells import FinishedCell, cell_path, read_cell, write_cell
from somscope.studies.declare import Cell, Entry
from somscope.studies.learners import build, learner_parameters
from somscope.studies.machine import made_here, resolved_device
from somscope.studies.memory import MemoryPeak
from somscope.studies.pretrained import take_shared
from somscope.studies.score import score
from somscope.studies.sets import Split, load_split

__all__ = ["Outcome", "Watch", "run_cells", "seconds_left", "train_cell"]


class Watch(Protocol):
    """Is told how a study goes on."""

    def starts(self, cell: Cell, done: int, total: int, left: float | None) -> None:
        """A cell begins; `done` of `total` are finished; `left`: expected seconds for all that are missing."""

    def finished(self, cell: FinishedCell) -> None:
        """A cell was trained, scored and written."""

    def says(self, text: str) -> None:
        """Something that the user should know."""


@dataclass
class Outcome:
    """What became of the cells that were asked for.

    finished: how many are on the disk now. missing: rows whose data are not here, and why. failed: trainings that
    failed, and why: a loss that exploded, a package that is not installed. interrupted: Ctrl-C ended the run.
    """

    finished: int = 0
    missing: dict[Entry, str] = field(default_factory=dict)
    failed: dict[Cell, str] = field(default_factory=dict)
    interrupted: bool = False


@lru_cache(maxsize=1)
def _split(name: str, protocol: str) -> Split:
    return load_split(name, protocol)


def run_cells(cells: Sequence[Cell], work: Path, device: str, precision: str, watch: Watch) -> Outcome:
    """Train every cell that has no file in `work`, in order; Ctrl-C ends it, and what is finished stays.

    A cell that was trained with other settings is trained again. A row whose data are not here, and a training that
    fails with an error of ours, are noted in the outcome, and the others go on.
    """
    outcome = Outcome()
    known: list[FinishedCell] = []
    todo: list[Cell] = []
    for cell in cells:
        found = read_cell(work, cell)
        if isinstance(found, FinishedCell):
            known.append(found)
            continue
        if found is not None:
            watch.says(f"{cell}: trained again, because of other settings: {found}")
        todo.append(cell)
    if known:
        watch.says(f"{len(known)} of {len(cells)} cells are finished already, in {work}")
    outcome.finished = len(known)
    try:
        for at, cell in enumerate(todo):
            if cell.entry in outcome.missing:
                continue
            waiting = [other for other in todo[at:] if other.entry not in outcome.missing]
            watch.starts(cell, outcome.finished, len(cells), seconds_left(waiting, known))
            try:
                trained = train_cell(
                    cell, _split(cell.entry.data, cell.entry.protocol), work, device, precision
                )
            except DataError as error:
                for other in waiting:
                    if other.entry.data == cell.entry.data:
                        outcome.missing[other.entry] = str(error)
                watch.says(f"{cell.entry.data} is left out: {error}")
                continue
            except SomscopeError as error:
                outcome.failed[cell] = str(error)
                watch.says(f"{cell} failed: {error}")
                continue
            known.append(trained)
            outcome.finished += 1
            watch.finished(trained)
    except KeyboardInterrupt:
        outcome.interrupted = True
    finally:
        _split.cache_clear()  # a collection can be large
    return outcome


def train_cell(cell: Cell, split: Split, work: Path, device: str, precision: str) -> FinishedCell:
    """Train the model of a cell on `split.train`, score it on `split.scored`, and write it into `work`.

    Seconds of a training that it shares with other cells count, whichever did it. memory_mb: the most memory of what
    was left to be trained, beyond the data.

    A model that writes checkpoints has them there until its cell is written, and goes on from them after a crash or
    Ctrl-C. Labels never reach the training. Raises KeyboardInterrupt where the model kept what it had learned when
    Ctrl-C was pressed: half a training is no cell.
    """
    parameters = learner_parameters(cell.entry)
    device = resolved_device(device)  # a training on a GPU does not go on from one on a processor
    settings = json.dumps([parameters, split.train.fingerprint, device, precision], sort_keys=True).encode()
    checkpoints = cell_path(work, cell).with_suffix(f".{hashlib.sha256(settings).hexdigest()[:8]}")
    model = build(cell.entry, cell.seed, device, precision, checkpoints)
    unlabelled = replace(split.train, labels=None, label_names=())
    before = take_shared(model, unlabelled, work)
    memory, start = MemoryPeak(device), time.perf_counter()
    model.fit(unlabelled)
    # A model that went on from a checkpoint counts the seconds before it too.
    seconds = max(time.perf_counter() - start, float(getattr(model, "seconds_", 0.0)))
    if getattr(model, "stop_reason_", None) == "interrupted":
        raise KeyboardInterrupt
    peak = memory.megabytes()
    measures, chance = score(model, split.scored, cell.seed)
    finished = FinishedCell(
        cell=cell,
        parameters=parameters,
        trained=_items(split.train),
        scored=_items(split.scored),
        measures={**measures, "seconds": before + seconds, **({} if peak is None else {"memory_mb": peak})},
        chance=chance,
        made=made_here(str(getattr(model, "device_", "cpu")), str(getattr(model, "precision_", "fp32"))),
    )
    write_cell(work, finished)
    if checkpoints.is_dir():
        shutil.rmtree(checkpoints)
    return finished


def _items(collection: Collection) -> dict[str, Any]:
    return {"n_items": collection.n_items, "fingerprint": collection.fingerprint}


def seconds_left(waiting: Sequence[Cell], known: Sequence[FinishedCell]) -> float | None:
    """Expected seconds of training for the waiting cells: each as long as finished cells that are most like it.

    Most like it: same row, then same model and variant, then same model, then any. None before the first is finished.
    """
    if not known:
        return None
    likenesses = (
        lambda entry: entry.key,
        lambda entry: (entry.model, entry.variant),
        lambda entry: entry.model,
        lambda entry: None,
    )
    total = 0.0
    for cell in waiting:
        for likeness in likenesses:
            alike = [
                float(done.measures["seconds"])
                for done in known
                if likeness(done.cell.entry) == likeness(cell.entry)
            ]
            if alike:
                total += statistics.fmean(alike)
                break
    return total
