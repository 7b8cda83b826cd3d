"""Small data for deep maps: items on a bent sheet, and bytes that look like images."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.contrastive import signs


@pytest.fixture(scope="session")
def sheet():
    """(600, 12) float32: a sheet bent through 12 dimensions, so that a map has something to follow."""
    rng = np.random.default_rng(0)
    place = rng.random((600, 2))
    waves = np.concatenate([np.sin(3 * place), np.cos(3 * place), place, place[:, :1] * place[:, 1:]], axis=1)
    return (waves @ rng.standard_normal((7, 12)) + 0.01 * rng.standard_normal((600, 12))).astype(np.float32)


@pytest.fixture(scope="session")
def blobs():
    """(300, 20) float32 in 6 groups, and the group of each."""
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, 300)
    items = rng.random((6, 20))[labels] + 0.05 * rng.standard_normal((300, 20))
    return items.astype(np.float32), labels


@pytest.fixture(scope="session")
def pictures():
    """(120, 8, 8, 1) uint8: bars at four places, with noise."""
    rng = np.random.default_rng(2)
    images = rng.integers(0, 60, (120, 8, 8, 1))
    for i in range(120):
        images[i, :, 2 * (i % 4) : 2 * (i % 4) + 2] += 180
    return images.astype(np.uint8)


@pytest.fixture(scope="session")
def drawn() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """400 images (400, 16, 16, 1) of four signs, and which sign each shows."""
    return signs()
