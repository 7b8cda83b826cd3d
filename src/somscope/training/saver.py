"""When a training writes checkpoints, and what it takes to go on from one."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import torch

import somscope
from somscope.atomic import whole_file
from somscope.checkpoint import (
    Checkpoint,
    checkpoints_in,
    jsonable,
    read_checkpoint,
    refuse_changed,
    refuse_others,
    remove_leftovers,
    understood,
    write_checkpoint,
)
from somscope.errors import RunError
from somscope.training.engine import Engine
from somscope.training.fabric import Runtime
from somscope.training.feed import Data, Feed
from somscope.training.fingerprint import fingerprint
from somscope.training.history import History
from somscope.training.options import TrainingOptions
from somscope.training.randomness import random_states, set_random_states
from somscope.training.state import (
    Position,
    history_facts,
    learned,
    optimizer_facts,
    optimizer_settings,
    optimizer_tensors,
    restore_history,
    restore_learned,
    restore_optimizers,
)
from somscope.training.task import Phase

__all__ = ["Saver", "stored_seed"]

_log = logging.getLogger(__name__)


class Saver:
    """Checkpoints of one training in a folder, which `sole_training` made.

    Raises RunError if it holds checkpoints that the training is not to go on from.
    """

    def __init__(
        self,
        folder: Path,
        phases: Sequence[Phase],
        data: Data,
        feed: Feed,
        runtime: Runtime,
        options: TrainingOptions,
    ) -> None:
        self.folder = folder
        self._phases, self._runtime, self._options = phases, runtime, options
        self._settings = _settings(phases, len(feed), runtime, options)
        self._data = fingerprint(data) if runtime.rank == 0 or options.resume else ""
        self._tried, self._saved = -1, False  # the step of the last attempt, the same in all processes
        self._last = monotonic()
        if not options.resume:
            refuse_others(folder)
        if runtime.rank == 0:
            remove_leftovers(folder)

    def newest(self) -> Checkpoint | None:
        """The checkpoint to go on from, if there is one.

        Raises RunError if it is damaged, of other settings, or of other data.
        """
        if not self._options.resume:
            return None
        found = self._runtime.broadcast(checkpoints_in(self.folder))
        if not found:
            _log.warning("%s holds no checkpoint: the training begins at its start", self.folder)
            return None
        checkpoint = read_checkpoint(found[-1])
        with understood(checkpoint):
            self._check(checkpoint)
        return checkpoint

    def _check(self, checkpoint: Checkpoint) -> None:
        refuse_changed(checkpoint, "settings", self._settings, "settings")
        if checkpoint.facts["data"] != self._data and not self._options.other_data:
            raise RunError(
                f"{checkpoint.path} was trained on other data than those given now; "
                "the training option other_data=True goes on with these all the same"
            )
        threads = int(checkpoint.facts["threads"])
        if threads != torch.get_num_threads():
            _log.warning(
                "resuming with %d threads instead of %d: the result will be the same only up to rounding",
                torch.get_num_threads(),
                threads,
            )

    def restore(self, checkpoint: Checkpoint, engine: Engine, history: History) -> Position:
        """Weights, history, random states and position; the optimizers follow when the phase has begun."""
        with understood(checkpoint):
            facts = checkpoint.facts
            position = Position(**facts["position"])
            restore_learned(self._phases, checkpoint)
            restore_history(history, facts["history"])
            engine.warnings = list(facts["warnings"])
            prefix = f"random.{self._runtime.rank}."
            states = checkpoint.tensors([name for name in checkpoint.shapes if name.startswith(prefix)])
            set_random_states(
                engine.generator, {n.removeprefix(prefix): state for n, state in states.items()}
            )
        self._runtime.barrier()  # nobody writes, and so removes, before everybody has read
        self._tried, self._saved = position.done, True
        return position

    def restore_optimizers(self, checkpoint: Checkpoint, engine: Engine) -> None:
        """Once the phase's optimizers are made. Raises RunError if they were made differently."""
        with understood(checkpoint):
            now = optimizer_settings(engine.optimizers, engine.rates)
            refuse_changed(checkpoint, "optimizer_settings", now, "optimizers")
            restore_optimizers(engine.optimizers, checkpoint)

    def due(self, done: int, minutes: bool) -> bool:
        """Is it time for a checkpoint? minutes: ask the clock, too, that of rank 0."""
        options = self._options
        if options.checkpoint_steps is not None and done % options.checkpoint_steps == 0:
            return True
        if not minutes or options.checkpoint_minutes is None:
            return False
        return bool(self._runtime.broadcast(monotonic() - self._last >= 60 * options.checkpoint_minutes))

    def save(self, position: Position, engine: Engine, history: History) -> bool:
        """Write a checkpoint; False, and a warning, where that fails, because the training is worth more."""
        if position.done == self._tried:
            self._write_history(engine, history)  # a process killed after the checkpoint left it out
            return self._saved
        self._tried, self._saved = position.done, True
        states = {n: self._runtime.gather(state) for n, state in random_states(engine.generator).items()}
        self._last = monotonic()
        if self._runtime.rank != 0:
            return True
        tensors = {f"random.{rank}.{n}": s for n, every in states.items() for rank, s in enumerate(every)}
        tensors |= learned(self._phases) | optimizer_tensors(engine.optimizers)
        facts: dict[str, Any] = {
            "somscope": somscope.__version__,
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "settings": self._settings,
            "data": self._data,
            "position": vars(position),
            "optimizer_settings": optimizer_settings(engine.optimizers, engine.rates),
            "optimizers": optimizer_facts(engine.optimizers),
            "history": history_facts(history),
            "warnings": engine.warnings,
        }
        try:
            write_checkpoint(self.folder, position.done, tensors, facts)
        except RunError as error:
            engine.warn(f"no checkpoint at step {position.done}: {error}; those written before are untouched")
            self._saved = False
        self._write_history(engine, history)
        return self._saved

    def _write_history(self, engine: Engine, history: History) -> None:
        """Whole, or as it was."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._runtime.rank != 0:
            return
        columns = {name: np.asarray(values) for name, values in history.columns().items()}
        try:
            with whole_file(self.folder / "history.parquet") as partial:
                pq.write_table(pa.table(columns), partial, compression="zstd")
        except OSError as error:
            engine.warn(f"history.parquet was not written: {error.strerror or error}")


def stored_seed(folder: Path) -> int | None:
    """The seed of the training whose checkpoints a folder holds, or None if it holds none.

    Raises RunError for a newest checkpoint that is damaged.
    """
    found = checkpoints_in(folder)
    if not found:
        return None
    checkpoint = read_checkpoint(found[-1])
    with understood(checkpoint):
        return int(checkpoint.facts["settings"]["seed"])


def _settings(
    phases: Sequence[Phase], n_items: int, runtime: Runtime, options: TrainingOptions
) -> dict[str, Any]:
    """What must be the same when a training resumes."""
    settings = {
        "phases": [
            {
                "name": phase.name,
                "task": type(phase.task).__name__,
                "steps": phase.total_steps(n_items),
                "batch_size": phase.batch_size,
                "shuffle": phase.shuffle,
                "clip_norm": phase.clip_norm,
            }
            for phase in phases
        ],
        "items": n_items,
        "seed": options.seed,
        "log_steps": options.log_steps,
        "device": runtime.device.type,
        "precision": runtime.precision,
        "processes": runtime.n_processes,
        "model": options.settings,
    }
    plain: dict[str, Any] = jsonable(settings)
    return plain
