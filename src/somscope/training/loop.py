"""The one training loop."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import torch

from somscope.errors import InputError
from somscope.training.engine import Engine
from somscope.training.fabric import Runtime
from somscope.training.feed import Data, Feed
from somscope.training.history import History
from somscope.training.options import Trained, TrainingOptions
from somscope.training.order import epoch_order, part_of, seed_for
from somscope.training.schedule import set_rates
from somscope.training.task import Phase

__all__ = ["train"]


def train(phases: Sequence[Phase], data: Data, options: TrainingOptions | None = None) -> Trained:
    """Train the tasks of `phases`, one after the other, on `data` (n, ...).

    What is learned is in the modules of the tasks, left on the training's device and in eval mode.
    Raises InputError for data or options that cannot be used.
    """
    options = options or TrainingOptions()
    if not phases:
        raise InputError("phases is empty: there is nothing to train")
    runtime = Runtime(options.device, options.precision)
    feed = Feed(data, runtime.device)
    began = perf_counter()
    generator = torch.Generator(runtime.device).manual_seed(seed_for(options.seed, 2**32 - 1, runtime.rank))
    engine = Engine(runtime, generator)
    history = History()
    done = 0
    for number, phase in enumerate(phases):
        task = phase.task
        task.module.to(runtime.device).train()
        task.begin(feed, engine)
        engine.optimizers, engine.clip_norm = task.optimizers(), phase.clip_norm
        schedules = task.schedules()
        rates = {name: [float(g["lr"]) for g in o.param_groups] for name, o in engine.optimizers.items()}
        per_epoch, total = phase.steps_per_epoch(len(feed)), phase.total_steps(len(feed))
        history.limit = None
        for step in range(total):
            epoch, at = divmod(step, per_epoch)
            if at == 0:
                task.at_epoch(epoch, feed, engine)
                order = epoch_order(len(feed), phase.shuffle, options.seed, number, epoch).to(
                    feed.index_device
                )
            for name, schedule in schedules.items():
                set_rates(engine.optimizers[name], rates[name], schedule, step, epoch)
            own, share = part_of(
                order[at * phase.batch_size : (at + 1) * phase.batch_size], runtime.rank, runtime.n_processes
            )
            engine._share = share
            losses = task.update(feed.batch(own, share, task.raw), step, engine)
            history.add(step, losses, share)
            done += 1
            if (step + 1) % options.log_steps == 0 or step + 1 == total:
                history.collect(phase.name, runtime.sum)
                history.write(phase.name, done, epoch, task.scalars(step))
        task.module.eval()
    return Trained(
        history.columns(),
        "completed",
        done,
        perf_counter() - began,
        str(runtime.device),
        runtime.precision,
        engine.warnings,
    )
