"""Checkpoints of a batch training: after a pass, all that it takes to go on with the same bits.

That is little: a pass depends on the items and on the prototypes before it alone. The units of the pass before, by
which the share of moved items is counted, are found again from the prototypes before it.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from somscope import __version__
from somscope.checkpoint import (
    Checkpoint,
    checkpoints_in,
    jsonable,
    read_checkpoint,
    refuse_changed,
    refuse_others,
    remove_leftovers,
    sole_training,
    understood,
    write_checkpoint,
)
from somscope.errors import RunError
from somscope.maps.shared import summed
from somscope.processes import process_rank

__all__ = ["MINUTES", "Passed", "Passes", "kept_passes"]

MINUTES = 5.0  # between two checkpoints, at least; they are written at the end of a pass
_PROTOTYPES, _BEFORE = "module.prototypes", "module.before"

_log = logging.getLogger(__name__)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Passed:
    """After a pass: prototypes (K, d), those before it, and the rows of the history."""

    prototypes: Floats
    before: Floats
    rows: list[tuple[float, ...]]


class Passes:
    """Checkpoints of one training in a folder, which `sole_training` made; the first process reads and writes them.

    settings: what must be the same when the training is resumed. data: which items it is of.
    Raises RunError if the folder holds checkpoints that the training is not to go on from.
    """

    def __init__(self, folder: Path, resume: bool, settings: Mapping[str, Any], data: str) -> None:
        self._folder, self._resume, self._data = folder, resume, data
        self._settings: dict[str, Any] = jsonable(settings)
        self._unsaved: Passed | None = None
        self._last = monotonic()
        self._first = process_rank() == 0
        if self._first:
            if not resume:
                refuse_others(folder)
            remove_leftovers(folder)

    def newest(self, shape: tuple[int, int]) -> Passed | None:
        """What to go on from, the same in all processes; None where there is no checkpoint. shape: (K, d).

        Raises RunError if it is damaged, of other settings, or of other data.
        """
        if not self._resume:
            return None
        found = self._read(shape) if self._first else None
        (n_rows,) = summed(np.array([0 if found is None else len(found.rows)]))
        if not n_rows[0]:
            return None
        if found is None:
            found = Passed(np.zeros(shape), np.zeros(shape), [(0.0,) * 5] * int(n_rows[0]))
        prototypes, before, rows = summed(found.prototypes, found.before, np.array(found.rows))
        return Passed(prototypes, before, [tuple(row) for row in rows.tolist()])

    def _read(self, shape: tuple[int, int]) -> Passed | None:
        found = checkpoints_in(self._folder)
        if not found:
            _log.warning("%s holds no checkpoint: the training begins at its start", self._folder)
            return None
        checkpoint = read_checkpoint(found[-1])
        with understood(checkpoint):
            return self._checked(checkpoint, shape)

    def _checked(self, checkpoint: Checkpoint, shape: tuple[int, int]) -> Passed:
        refuse_changed(checkpoint, "settings", self._settings, "settings")
        if checkpoint.facts["data"] != self._data:
            raise RunError(f"{checkpoint.path} was trained on other data than those given now")
        tensors = checkpoint.tensors([_PROTOTYPES, _BEFORE])
        prototypes, before = (tensors[name].numpy() for name in (_PROTOTYPES, _BEFORE))
        rows = [tuple(float(value) for value in row) for row in checkpoint.facts["rows"]]
        sound = len(rows) == checkpoint.facts["position"]["done"] >= 1 and all(len(row) == 5 for row in rows)
        if not sound or any(a.shape != shape or a.dtype != np.float64 for a in (prototypes, before)):
            raise ValueError(f"prototypes {prototypes.shape} and {before.shape} after {len(rows)} passes")
        if not all(np.isfinite(a).all() for a in (prototypes, before, rows)):
            raise ValueError("prototypes or a history with NaN or infinity")
        return Passed(prototypes, before, rows)

    def done(self, passed: Passed) -> None:
        """A pass is over: write a checkpoint where the last one is old enough. `passed` must not change later."""
        self._unsaved = passed
        if monotonic() - self._last >= 60 * MINUTES:
            self.save()

    def save(self) -> None:
        """Write a checkpoint of the last pass; a warning where that fails, because the training is worth more."""
        passed = self._unsaved
        if passed is None or not self._first:
            return
        import torch

        arrays = {_PROTOTYPES: passed.prototypes, _BEFORE: passed.before}
        n_passes = len(passed.rows)
        facts = {
            "somscope": __version__,
            "settings": self._settings,
            "data": self._data,
            "position": {"done": n_passes},
            "rows": passed.rows,
        }
        try:
            tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
            write_checkpoint(self._folder, n_passes, tensors, facts)
        except RunError as error:
            _log.warning(
                "no checkpoint after pass %d: %s; those written before are untouched", n_passes, error
            )
        self._last, self._unsaved = monotonic(), None  # Ctrl-C before this line saves again


@contextmanager
def kept_passes(
    folder: str | Path | None, resume: bool, settings: Mapping[str, Any], *data: Any
) -> Iterator[Passes | None]:
    """The checkpoints of a training inside the block; None without a folder. data: arrays that tell its items."""
    if folder is None:
        yield None
        return
    place = Path(folder).expanduser()
    with sole_training(place if process_rank() == 0 else None):
        yield Passes(place, resume, settings, _digest(data))


def _digest(data: tuple[Any, ...]) -> str:
    digest = hashlib.sha256()
    for one in data:
        for array in (one.data, one.indices, one.indptr) if issparse(one) else (one,):
            if array is not None:
                digest.update(f"{array.dtype} {array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
