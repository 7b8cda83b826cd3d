"""How long a step of a phase takes here, before a training that may take hours."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import torch

from somscope.training.engine import Engine
from somscope.training.fabric import Runtime
from somscope.training.feed import Data, Feed
from somscope.training.randomness import forked_random
from somscope.training.task import Phase

__all__ = ["seconds_of_a_step"]

_TRIED = 3  # steps, the first of which is slower than all others


def seconds_of_a_step(phase: Phase, data: Data, device: str, precision: str) -> float:
    """Seconds of one step of a phase on the first items of `data` (n, ...), in a single process.

    The module of its task learns from them. Nothing is logged, and Ctrl-C raises KeyboardInterrupt, as it does not in
    a training. device, precision: as of `TrainingOptions`.
    """
    runtime, task = Runtime(device, precision), phase.task
    feed = Feed(data, runtime.device)
    ended = []
    with forked_random(0, runtime.device) as generator:
        engine = Engine(runtime, generator)
        task.module.to(runtime.device).train()
        engine.begin(phase)
        rows = torch.arange(min(len(feed), phase.batch_size), device=feed.index_device)
        for step in range(_TRIED):
            losses = task.update(feed.batch(rows, raw=task.raw), step, engine)
            losses.total.item()  # waits for a GPU
            ended.append(perf_counter())
    return float(np.diff(ended).min())
