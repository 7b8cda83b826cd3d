"""Images for coders, and how well codes find what is alike."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from somscope.codes import hamming_distances


def digits():
    """(1797, 16, 16, 1) uint8 handwritten digits, each pixel of scikit-learn's four times, and what they show."""
    data = load_digits()
    pixels = (data.images * 15.9).astype(np.uint8)
    return pixels.repeat(2, 1).repeat(2, 2)[..., None], data.target


def neighbours_alike(codes, labels):
    """Mean share of the same label among the ten nearest codes of each item."""
    distances = hamming_distances(codes, codes).astype(float)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :10]
    return float((labels[nearest] == labels[:, None]).mean())
