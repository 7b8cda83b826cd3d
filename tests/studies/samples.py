"""A tiny labelled data set, a model that trains in no time, and a study of both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from somscope.data import Collection
from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.studies import Cell, Entry, Study
from somscope.studies.cells import FinishedCell

CENTRES = np.array([[0.0, 0.0], [0.0, 9.0], [9.0, 0.0]], dtype=np.float32)


def blobs(n: int = 60, seed: int = 0, name: str = "blobs") -> Collection:
    """n items in three far groups of the plane, labelled by their group."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    features = (CENTRES[labels] + rng.normal(0, 0.5, (n, 2))).astype(np.float32)
    return Collection(name=name, kind="vectors", features=features, labels=labels)


TINY = {"blobs": blobs(), "blobs:train": blobs(45, 1), "blobs:test": blobs(30, 2)}


class Stand:
    """Prototypes are random items; what goes wrong is chosen by `mode`."""

    calls: list[int] = []  # noqa: RUF012 - the seeds of all fits; tests empty it
    lattice_: Lattice | None
    stop_reason_ = "completed"
    device_ = "cpu"

    def __init__(self, grid: tuple[int, int] = (2, 2), mode: str = "good", random_state: int = 0) -> None:
        self.grid, self.mode, self.random_state = grid, mode, random_state

    def fit(self, X: Any) -> Stand:
        Stand.calls.append(self.random_state)
        assert X.labels is None, "a label reached the training"
        if self.mode == "bad":
            raise InputError("the loss is not finite")
        if self.mode == "ctrl-c" and self.random_state == 1:
            raise KeyboardInterrupt
        self.stop_reason_ = "interrupted" if self.mode == "kept" and self.random_state == 1 else "completed"
        rows, columns = self.grid
        rng = np.random.default_rng(self.random_state)
        self.prototypes_ = X.matrix()[rng.choice(len(X), rows * columns, replace=False)]
        self.lattice_ = Lattice(rows, columns)
        return self


class Slow(Stand):
    """Trains one of three steps in a file of its checkpoints, then is stopped by Ctrl-C until all are done."""

    def __init__(
        self, random_state: int = 0, checkpoints: Path | None = None, resume: bool = False, start: int = 0
    ) -> None:
        super().__init__(random_state=random_state)
        self.checkpoints, self.resume, self.start = checkpoints, resume, start

    def fit(self, X: Any) -> Slow:
        assert self.checkpoints is not None
        assert self.resume == self.checkpoints.exists()
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        steps = self.checkpoints / "steps"
        done = int(steps.read_text()) + 1 if steps.exists() else self.start + 1
        steps.write_text(str(done))
        super().fit(X)
        self.seconds_ = 100.0 * done
        self.stop_reason_ = "completed" if done == 3 else "interrupted"
        return self


STANDS = {"stand": "studies.samples:Stand", "slow": "studies.samples:Slow"}


def entry(**changes: Any) -> Entry:
    return Entry(**{"data": "blobs", "model": "stand", **changes})


def study(*entries: Entry, name: str = "tiny") -> Study:
    return Study(name, "A tiny study", entries or (entry(published={"purity": 0.9}),), n_seeds=2)


class Notes:
    """A watch that keeps what it is told."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.left: list[float | None] = []
        self.ended: list[str] = []
        self.said: list[str] = []

    def starts(self, cell: Cell, done: int, total: int, left: float | None) -> None:
        self.started.append(str(cell))
        self.left.append(left)

    def finished(self, cell: FinishedCell) -> None:
        self.ended.append(str(cell.cell))

    def says(self, text: str) -> None:
        self.said.append(text)
