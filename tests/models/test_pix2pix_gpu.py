"""pix2pix on a GPU: what it learns there, that no step waits for it, and that its files need none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from models.test_pix2pix import PLAIN, disks
from somscope import Pix2Pix
from somscope.models.pix2pix_module import Pix2PixTask

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA GPU")

GPU = {**PLAIN, "device": "cuda", "filters": 8, "batch_size": 8, "learning_rate": 2e-3, "flip": False,
       "enlarge": 1.0, "dropout": False, "n_decay_epochs": 0}  # fmt: skip


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_there(precision):
    a, b = disks(96)
    model = Pix2Pix(**GPU, n_epochs=14, precision=precision).fit(a, b)
    weight = model.discriminator_.model[0].weight
    assert (weight.device.type, weight.dtype) == ("cuda", torch.float32)
    assert weight.is_contiguous(memory_format=torch.channels_last)
    new_a, new_b = disks(40, seed=1)
    error = np.abs(model.transform(new_a).astype(float) - new_b).mean()
    assert error < 0.65 * np.abs(b.mean(0) - new_b).mean()


def test_no_step_waits_for_the_gpu(monkeypatch):
    update = Pix2PixTask.update

    def watched(self, batch, step, engine):
        torch.cuda.set_sync_debug_mode("error" if step > 2 else "default")
        try:
            return update(self, batch, step, engine)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(Pix2PixTask, "update", watched)
    options = {
        **GPU,
        "enlarge": 286 / 256,
        "flip": True,
        "precision": "bf16",
        "training": {"log_steps": 1000},
    }
    Pix2Pix(**options, n_epochs=2).fit(*disks(32))


def test_files_of_a_gpu_are_used_on_a_cpu(tmp_path, monkeypatch):
    a, b = disks(16)
    model = Pix2Pix(**GPU, n_epochs=2).fit(a, b)
    made = model.transform(a)
    folder, path = model.save(tmp_path / "model"), model.export_official(tmp_path / "latest_net_G.pth")
    state = {name: t.cuda() for name, t in torch.load(path, weights_only=True).items()}
    torch.save(state, tmp_path / "gpu_net_G.pth")
    one = np.concatenate([model.transform(image[None]) for image in a])
    assert np.abs(made.astype(int) - one).mean() < 0.5  # convolutions in TF32, bytes cut off
    assert np.array_equal(
        model.transform(a, mode="official", seed=3), model.transform(a, mode="official", seed=3)
    )
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    files = [Pix2Pix.from_official(tmp_path / name) for name in ("latest_net_G.pth", "gpu_net_G.pth")]
    for alone in (Pix2Pix.load(folder), *files):
        assert next(alone.module_.parameters()).device.type == "cpu"
        assert np.abs(alone.transform(a).astype(int) - made).mean() < 0.5
