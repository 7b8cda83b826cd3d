"""The one training loop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from time import perf_counter

import torch
from torch import Tensor

from somscope.checkpoint import Checkpoint, sole_training
from somscope.errors import InputError, TrainingError
from somscope.interrupt import Interrupt, catch_interrupt
from somscope.parts import part_of, working_on
from somscope.training.batch_norm import global_batch_norm
from somscope.training.dropout import global_dropout
from somscope.training.engine import Engine
from somscope.training.fabric import Runtime
from somscope.training.feed import Data, Feed
from somscope.training.history import History
from somscope.training.loggers import JsonLines, Loggers
from somscope.training.options import Trained, TrainingOptions
from somscope.training.order import epoch_order
from somscope.training.progress import Bar, progress_bar
from somscope.training.randomness import forked_random
from somscope.training.saver import Saver
from somscope.training.state import Position
from somscope.training.task import Phase, Task
from somscope.training.vanished import STEPS, forget_vanished

__all__ = ["train"]

_log = logging.getLogger(__name__)
_COLLAPSED = 1.5  # perplexity of a map that uses hardly more than one unit


def train(phases: Sequence[Phase], data: Data, options: TrainingOptions | None = None) -> Trained:
    """Train the tasks of `phases`, one after the other, on `data` (n, ...) uint8 or floating.

    What is learned is in the modules of the tasks, left on the training's device and in eval mode. Ctrl-C ends the
    training after the step that it is in, and keeps what was learned. Started by `torchrun`, every process takes its
    part of each batch.

    Raises InputError for data and options that cannot be used, RunError for a checkpoint that cannot, and
    TrainingError for a loss that is no number or explodes; the modules then hold nothing of use.
    """
    options = options or TrainingOptions()
    if not phases:
        raise InputError("phases is empty: there is nothing to train")
    runtime = Runtime(options.device, options.precision)
    options = replace(
        options, seed=runtime.broadcast(options.seed)
    )  # one order of the items for all processes
    feed = Feed(data, runtime.device)
    with (
        forked_random(options.seed, runtime.device) as generator,
        catch_interrupt("ending after this step, keeping what was learned") as interrupt,
        progress_bar(options.verbose if runtime.rank == 0 else False) as bar,
        sole_training(options.checkpoints if runtime.rank == 0 else None),
    ):
        engine = Engine(runtime, generator)
        saver = None
        if options.checkpoints is not None:
            saver = Saver(options.checkpoints, phases, data, feed, runtime, options)
        training = _Training(phases, feed, options, runtime, engine, saver, interrupt, bar)
        modules = [phase.task.module for phase in phases]
        with global_batch_norm(modules, runtime, engine), global_dropout(modules, runtime):
            try:
                return training.run()
            finally:
                training.loggers.close()


class _Training:
    """The state of a training between two steps, and how it goes on from there."""

    def __init__(
        self,
        phases: Sequence[Phase],
        feed: Feed,
        options: TrainingOptions,
        runtime: Runtime,
        engine: Engine,
        saver: Saver | None,
        interrupt: Interrupt,
        bar: Bar,
    ) -> None:
        self.phases, self.feed, self.options = phases, feed, options
        self.runtime, self.engine, self.saver = runtime, engine, saver
        self.interrupt, self.bar = interrupt, bar
        self.position, self.history = Position(), History()
        self.loggers = Loggers(options.loggers if runtime.rank == 0 else (), engine.warn)
        self.began = perf_counter()
        self.saved = False
        self.ended = "completed"

    def run(self) -> Trained:
        """All phases, or what is left of them after a checkpoint."""
        checkpoint = self._resume()
        first, stopped = self.position.phase, False
        for number in range(first, len(self.phases)):
            self.ended = "completed"
            if number > first:
                self.position.phase, self.position.step = number, 0
            self._begin(self.phases[number], checkpoint if number == first else None)
            stopped = self._steps(self.phases[number])
            if stopped:
                break
        self._end(stopped)
        return Trained(
            self.history.columns(),
            "interrupted" if stopped else self.ended,
            self.position.done,
            self.position.seconds,
            str(self.runtime.device),
            self.runtime.precision,
            self.engine.warnings,
        )

    def _resume(self) -> Checkpoint | None:
        if self.saver is None:
            return None
        checkpoint = self.saver.newest()
        if checkpoint is not None:
            self.position = self.saver.restore(checkpoint, self.engine, self.history)
            self.began -= self.position.seconds
        if self.runtime.rank == 0:
            path, rows = self.saver.folder / "metrics.jsonl", self.history.rows
            self.loggers.add(lambda: JsonLines(path, rows))
        return checkpoint

    def _begin(self, phase: Phase, checkpoint: Checkpoint | None) -> None:
        """Begin a phase, or go on with it from a checkpoint."""
        for each in self.phases:
            each.task.module.to(self.runtime.device).eval()
        phase.task.module.train()
        if checkpoint is None:
            self.history.limit = None
            phase.task.begin(self.feed, self.engine)
            self.runtime.agree(phase.task.module)
        self.engine.begin(phase)
        if checkpoint is not None and self.saver is not None:
            self.saver.restore_optimizers(checkpoint, self.engine)

    def _steps(self, phase: Phase) -> bool:
        """The steps of a phase from the position on; True if Ctrl-C ended them."""
        position, engine, task = self.position, self.engine, phase.task
        total, per_epoch = phase.total_steps(len(self.feed)), phase.steps_per_epoch(len(self.feed))
        self.bar.start(phase.name, position.step, total)
        order = None
        while position.step < total:
            if task.every and position.step % task.every == 0:
                reason = self._at_interval(task)
                if reason is not None:
                    self.ended = reason
                    self._write_row(phase, max(position.step - 1, 0) // per_epoch, final_half=True)
                    break
            epoch, at = divmod(position.step, per_epoch)
            if at == 0:
                task.at_epoch(epoch, self.feed, engine)
                self.runtime.agree(task.module)
            if at == 0 or order is None:
                order = epoch_order(len(self.feed), phase.shuffle, self.options.seed, position.phase, epoch)
                order = order.to(self.feed.index_device)
            engine.set_rates(position.step, epoch)
            if position.step % STEPS == 0:
                forget_vanished(engine.optimizers.values())
            self._step(phase, order[at * phase.batch_size : (at + 1) * phase.batch_size])
            position.step += 1
            position.done += 1
            row_due = position.step % self.options.log_steps == 0 or position.step == total
            if row_due:
                self._write_row(phase, epoch, final_half=2 * position.step >= total)
            stopping = self._stopping(row_due)
            if stopping or (self.saver is not None and self.saver.due(position.done, minutes=row_due)):
                self._save(phase)
            if stopping:
                self._write_row(
                    phase, epoch, final_half=False
                )  # after the checkpoint, which goes on with what waits
                return position.step < total or position.phase + 1 < len(self.phases)
        self._check_weights(phase)
        return False

    def _at_interval(self, task: Task) -> str | None:
        """Why the phase ends here, or None; the same in all processes."""
        reason = task.at_interval(self.position.step, self.feed, self.engine)
        self.runtime.agree(task.module)
        agreed: str | None = self.runtime.broadcast(reason)
        return agreed

    def _step(self, phase: Phase, indices: Tensor) -> None:
        engine, task = self.engine, phase.task
        part = part_of(len(indices), self.runtime.rank, self.runtime.n_processes)
        engine.share = part.share
        batch = self.feed.batch(indices[part.low : part.high], part.share, task.raw)
        with working_on(part if self.runtime.n_processes > 1 else None):
            losses = task.update(batch, self.position.step, engine)
        self.history.add(self.position.step, losses, engine.share)

    def _stopping(self, row_due: bool) -> bool:
        """Was Ctrl-C pressed? Several processes have to agree, which they do when a row is due."""
        if self.runtime.n_processes == 1:
            return self.interrupt.requested
        if not row_due:
            return False
        return bool(
            self.runtime.sum(torch.tensor(float(self.interrupt.requested), device=self.runtime.device)) > 0
        )

    def _write_row(self, phase: Phase, epoch: int, final_half: bool) -> None:
        """A row of the history from what has come together since the last one."""
        self.history.collect(phase.name, self.runtime.sum)
        if not self.history.waiting:
            return
        scalars = {**phase.task.scalars(self.position.step - 1), **self.engine.scheduled_rates()}
        counts = phase.task.unit_counts()
        if counts is not None:
            scalars["unit_perplexity"] = self._used_units(phase, counts, final_half)
        if self.options.hook is not None:
            watched = phase.task.watched.eval()
            with torch.inference_mode():
                scalars |= self.options.hook(watched)
            phase.task.module.train()
        row = self.history.write(phase.name, self.position.done, epoch, scalars)
        self.loggers.log(row)
        self.bar.show(self.position.step, row)

    def _used_units(self, phase: Phase, counts: Tensor, final_half: bool) -> float:
        """Perplexity of how often each unit (K,) was the best one; from half of a phase on, about 1 is a collapse."""
        share = counts[counts > 0].double() / counts.sum()
        used = float(torch.exp(-(share * share.log()).sum())) if len(share) else 0.0
        enough = float(counts.sum()) >= min(len(self.feed), 10 * len(counts))
        if final_half and enough and len(counts) > 1 and used < _COLLAPSED:
            self.engine.warn(
                f"phase {phase.name!r}: the map has collapsed, it uses {used:.2f} of its {len(counts)} units "
                "(perplexity)"
            )
        return used

    def _save(self, phase: Phase) -> None:
        """A checkpoint, if there is a folder for it, of weights that are known to be sound."""
        self.history.collect(phase.name, self.runtime.sum)
        self._check_weights(phase)
        self.position.seconds = perf_counter() - self.began
        if self.saver is not None:
            self.saved = self.saver.save(self.position, self.engine, self.history)

    def _check_weights(self, phase: Phase) -> None:
        weights = dict(phase.task.module.named_parameters())
        finite = (
            torch.stack([torch.isfinite(w).all() for w in weights.values()]) if weights else torch.ones(0)
        )
        for name, sound in zip(weights, finite.tolist(), strict=True):
            if not sound:
                raise TrainingError(f"weights {name}", phase.name, self.position.step - 1, "are not finite")

    def _end(self, stopped: bool) -> None:
        """Leave the modules ready for use, and say how to go on if Ctrl-C was pressed."""
        phase = self.phases[self.position.phase]
        if not stopped:
            self._save(phase)
        self.runtime.barrier()  # what rank 0 wrote is there when any process goes on
        for each in self.phases:
            each.task.module.eval()
        if stopped and self.runtime.rank == 0:
            where = f"interrupted after step {self.position.step} of phase {phase.name!r}: what was learned is kept"
            how = (
                "--resume (resume=True) goes on from"
                if self.saved
                else "no checkpoint was written, so it cannot be resumed"
            )
            folder = self.saver.folder if self.saver is not None and self.saved else ""
            _log.warning("%s; %s %s", where, how, folder)
