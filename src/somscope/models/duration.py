"""How long a ContrastiveSOM is likely to take on this machine: its longest part, steps of the encoder, is tried."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from somscope.data.collection import Collection
from somscope.models.contrastive_module import EncoderTask
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.models.similar import MOST_COMPARED
from somscope.nets.fixed import FIXED
from somscope.training import seconds_of_a_step

__all__ = ["expected_seconds"]

_PLACED = 3  # times that all items are encoded: for the first prototypes, the last passes and the assignments
_BACK = 3  # forward and backward, in passes forward


def expected_seconds(model: ContrastiveSOM, collection: Collection) -> float:
    """Seconds of training, from the time of a step on some of the items; 0 where the encoder does not learn.

    Steps of the decoder, small beside the others, are left out. Raises InputError for what cannot be trained on.
    """
    model._check_choices()
    n = collection.n_items
    some = np.unique(np.linspace(0, n - 1, min(n, max(1024, 2 * model.batch_size))).astype(np.int64))
    # Few items may leave an automatic grid too small for n_clusters.
    tried: ContrastiveSOM = clone(model).set_params(n_clusters=None, start=None)
    items, _ = tried._read(collection.take(some))
    if tried.network_ in FIXED:
        return 0.0
    _, phases = tried._planned(items, seed=0)
    encoder = phases[0].task
    assert isinstance(encoder, EncoderTask)
    if encoder.similar is not None:  # in the training they are looked for among more items
        encoder.similar = encoder.similar.repeated(min(n, MOST_COMPARED))
    step = seconds_of_a_step(phases[0], items, model.device, model.precision)
    placing = _PLACED * n / (_BACK * 2 * min(n, model.batch_size))  # of two views a step
    return step * (model.n_steps + tried._joint_steps + placing)
