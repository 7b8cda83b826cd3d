"""The engine on a GPU: resident and streamed data, both precisions, checkpoints with the GPU's random states."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from somscope.checkpoint import checkpoints_in
from somscope.training import Feed, Phase, TrainingOptions, train
from training.toys import Autoencoder, Rivals, blobs

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU")


def run(task, data=None, steps=100, **options):
    phase = Phase("joint", task, n_steps=steps, batch_size=64)
    return train([phase], blobs() if data is None else data, TrainingOptions(**{"device": "cuda", **options}))


@pytest.mark.parametrize(("precision", "close"), [("fp32", 1e-3), ("bf16", 0.05)])
def test_it_learns_what_the_cpu_learns(precision, close):
    gpu, cpu = Autoencoder(dropout=0.0), Autoencoder(dropout=0.0)
    on_gpu = run(gpu, precision=precision)
    on_cpu = run(cpu, device="cpu")
    assert on_gpu.device == "cuda:0"
    assert on_gpu.history["loss"] == pytest.approx(on_cpu.history["loss"], rel=close)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_resident_and_streamed_batches_are_the_same(monkeypatch, dtype):
    x, indices = blobs(dtype=dtype), torch.tensor([5, 256, 0])
    device = torch.device("cuda", 0)
    resident = Feed(x, device)
    assert resident.index_device == device
    assert resident.data.dtype == (torch.uint8 if dtype == np.uint8 else torch.float32)
    monkeypatch.setattr("somscope.training.feed.RESIDENT_SHARE", 0.0)
    streamed = Feed(x, device)
    assert streamed.index_device.type == "cpu"
    one, two = resident.batch(indices.to(device)), streamed.batch(indices)
    assert one.items.device == two.items.device == one.indices.device == two.indices.device == device
    assert torch.equal(one.items, two.items)
    assert torch.equal(one.indices, two.indices)


def test_an_interrupted_training_is_resumed_with_the_random_states_of_the_gpu(tmp_path):
    class Stopped(Autoencoder):
        def losses(self, batch, step):
            if step == 60:
                raise KeyError
            return super().losses(batch, step)

    Stopped.__name__ = "Autoencoder"
    whole, resumed = Autoencoder(dropout=0.5), Autoencoder(dropout=0.5)
    run(whole)
    with pytest.raises(KeyError):
        run(Stopped(dropout=0.5), checkpoints=tmp_path, checkpoint_steps=25)
    assert [p.name for p in checkpoints_in(tmp_path)] == ["step-000000025", "step-000000050"]
    run(resumed, checkpoints=tmp_path, resume=True)
    for a, b in zip(whole.module.parameters(), resumed.module.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)  # sums on a GPU need not be in one order


def test_the_global_random_states_are_as_before():
    task = Rivals()
    torch.manual_seed(3)
    before = torch.cuda.get_rng_state(), torch.get_rng_state()
    run(task, steps=5)
    assert torch.equal(torch.cuda.get_rng_state(), before[0])
    assert torch.equal(torch.get_rng_state(), before[1])


def test_no_step_waits_for_the_gpu():
    class Watched(Autoencoder):
        def update(self, batch, step, engine):
            torch.cuda.set_sync_debug_mode("error" if 2 < step < 40 else "default")
            return super().update(batch, step, engine)

    try:
        run(Watched(), steps=50, log_steps=50)
    finally:
        torch.cuda.set_sync_debug_mode("default")
