"""The authors' training of a map, in plain loops: fixed batches, the short one too, the grid slip, Keras's Adam."""

from __future__ import annotations

import numpy as np


def published_map_training(items, start, columns, n_steps, batch_size):
    """(K, d) prototypes from `start` (K, d), after Kerasom.py."""
    x, m = items.astype(np.float64), start.astype(np.float64).copy()
    first, second = np.zeros_like(m), np.zeros_like(m)
    units, at = np.arange(len(m)), 0
    for t in range(n_steps):
        batch = x[at : at + batch_size]
        at = 0 if at + batch_size >= len(x) else at + batch_size
        difference = m - batch[:, None]
        best = (difference**2).sum(2).argmin(1)
        grid = np.abs(best[:, None] - units) // columns + np.abs(best[:, None] % columns - units % columns)
        temperature = 10.0 * (0.1 / 10.0) ** (t / (n_steps - 1))
        gradient = (2 * np.exp(-(grid**2) / temperature**2)[:, :, None] * difference).sum(0) / len(batch)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * gradient**2
        m -= keras_rate(t + 1) * first / (np.sqrt(second) + 1e-7)
    return m


def keras_rate(t, rate=1e-3):
    """lr_t of Keras's Adam at its t-th step; the step is lr_t m / (sqrt(v) + epsilon)."""
    return rate * (np.sqrt(1.0 - 0.999**t) / (1.0 - 0.9**t))
