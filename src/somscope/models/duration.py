"""How long a ContrastiveSOM is likely to take on this machine: its longest part, steps of the encoder, is tried."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import numpy as np
import torch
from sklearn.base import clone

from somscope.data.collection import Collection
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.models.similar import SIMILAR_DIM, Similar
from somscope.training import Batch

__all__ = ["expected_seconds"]

_TRIED = 3  # steps, the first of which is slower than all others
_PLACED = 3  # times that all items are encoded: for the first prototypes, the last passes and the assignments
_BACK = 3  # forward and backward, in passes forward


def expected_seconds(model: ContrastiveSOM, collection: Collection) -> float:
    """Seconds of training, from the time of a step on some of the items; 0 where the encoder does not learn.

    Steps of the decoder, small beside the others, are left out. Raises InputError for what cannot be trained on.
    """
    model._check_choices()
    ended: list[float] = []

    def note(_: Any) -> dict[str, float]:
        ended.append(perf_counter())
        return {}

    n = collection.n_items
    some = np.unique(np.linspace(0, n - 1, min(n, max(1024, 2 * model.batch_size))).astype(np.int64))
    short = {"n_steps": _TRIED, "joint_steps": 0, "decoder_steps": 0}
    run = {"training": {"hook": note, "log_steps": 1}, "checkpoints": None, "resume": False, "verbose": False}
    tried: ContrastiveSOM = clone(model)
    tried.set_params(**short, **run, n_clusters=None, start=None, random_state=0).fit(collection.take(some))
    if len(ended) < _TRIED:
        return 0.0
    step = float(np.diff(ended[:_TRIED]).min())
    if tried._n_neighbours:  # in the training they are looked for among more items
        step += _searching(tried, len(tried._spread(np.arange(n)))) - _searching(tried, len(some))
    placing = _PLACED * n / (_BACK * 2 * min(n, model.batch_size))  # of two views a step
    tried.set_params(n_steps=model.n_steps, joint_steps=model.joint_steps)
    return step * (model.n_steps + tried.asked_joint_steps + placing)


def _searching(model: ContrastiveSOM, m: int) -> float:
    """Seconds in which an item beside each of a batch is found among m items."""
    numbers = torch.Generator(model.device_).manual_seed(0)
    items = torch.randn(m, SIMILAR_DIM, generator=numbers, device=model.device_)
    similar = Similar(torch.arange(m, device=model.device_), items, torch.Tensor.clone, model._n_neighbours)
    rows = torch.arange(min(m, model.batch_size), device=model.device_)
    ended = []
    for _ in range(_TRIED):
        similar.beside(Batch(items[rows], rows, 1.0), numbers)
        ended.append(perf_counter())
    return float(np.diff(ended).min())
