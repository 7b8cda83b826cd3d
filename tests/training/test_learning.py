"""Training learns: bad before, good after, in both precisions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from somscope.training import Phase, TrainingOptions, train
from training.toys import Autoencoder, blobs


def error(task, x):
    """Mean squared error of the reconstruction of x (n, d)."""
    with torch.no_grad():
        return float((task.module.eval()(torch.from_numpy(x)) - torch.from_numpy(x)).square().mean())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_autoencoder_learns(precision):
    x = blobs()
    task = Autoencoder(dropout=0.0)
    before = error(task, x)
    trained = train([Phase("joint", task, n_epochs=60, batch_size=32)], x, TrainingOptions("cpu", precision))
    after = error(task, x)
    mean_only = float(x.var(axis=0).mean())
    assert before > 3 * mean_only
    assert after < 0.35 * mean_only
    assert trained.history["loss"][-1] == pytest.approx(after, rel=0.3)
    assert (trained.stop_reason, trained.n_steps, trained.precision) == ("completed", 60 * 9, precision)
    assert trained.history["step"] == [*range(50, 540, 50), 540]
    np.testing.assert_array_equal(trained.history["loss"], trained.history["reconstruction"])
