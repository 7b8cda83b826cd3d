"""Every deep map on a GPU: no step waits for it, and what was fitted there can be read without one."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from models.clusters import CLUSTERS
from models.zoo import ZOO

EVERY = ZOO | CLUSTERS
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU")


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())
def test_no_step_waits_for_the_gpu(make, blobs):
    model = make(device="cuda", training={"log_steps": 1000})
    phases = model._phases

    def watched(*args):
        made = phases(*args)
        for phase in made:
            _watch(phase.task)
        return made

    model._phases = watched
    try:
        model.fit(blobs[0])
    finally:
        torch.cuda.set_sync_debug_mode("default")


def _watch(task):
    update = task.update

    def watched(batch, step, engine):
        torch.cuda.set_sync_debug_mode("error" if step > 2 else "default")
        try:
            return update(batch, step, engine)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    task.update = watched


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY.keys())
def test_a_pickle_of_a_map_that_was_fitted_on_a_gpu_holds_nothing_of_it(make, blobs, monkeypatch, tmp_path):
    model = make(device="cuda").fit(blobs[0])
    content = pickle.dumps(model)
    assert model.module_.prototypes.device.type == "cuda"
    assert pickle.loads(content).module_.prototypes.device.type == "cuda"
    assert type(model).load(model.save(tmp_path)).module_.prototypes.device.type == "cuda"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    alone = pickle.loads(content)
    tensors = [*alone.module_.parameters(), *alone.module_.buffers()]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}
    np.testing.assert_allclose(alone.transform(blobs[0]), model.transform(blobs[0]), atol=1e-4)
