"""Images of signs, texts of three topics, and settings with which contrastive maps learn them in seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

QUICK = {
    "grid": (3, 4),
    "latent_dim": 8,
    "hidden": (32,),
    "network": "small",  # fewer than 500 images are not learned from unless it is asked for
    "device": "cpu",
    "verbose": False,
    "random_state": 0,
}
ROWS = {**QUICK, "network": "dense"}
STEPS = {"n_steps": 250, "joint_steps": 50, "decoder_steps": 400, "batch_size": 64, "learning_rate": 0.003}


def signs(n: int = 400, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """(n, 16, 16, 1) four signs, moved, turned and written thinly or thickly, so that pixels say little; and which."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1:1:16j, -1:1:16j]
    kinds = rng.integers(0, 4, n)
    images = np.zeros((n, 16, 16, 1), np.uint8)
    for i, kind in enumerate(kinds):
        angle, thick = rng.uniform(-0.25, 0.25), rng.uniform(0.08, 0.16)
        u, v = x - rng.uniform(-0.2, 0.2), y - rng.uniform(-0.2, 0.2)
        u, v = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
        length = np.maximum(np.abs(u), np.abs(v)) < 0.6
        lines = (
            np.abs(np.hypot(u, v) - 0.45) < thick,  # ring
            ((np.abs(u) < thick) | (np.abs(v) < thick)) & length,  # plus
            (np.abs(u) < thick) & length,  # bar
            ((np.abs(v - 0.4) < thick) | (np.abs(v + 0.4) < thick)) & length,  # equals
        )
        images[i, ..., 0] = 255 * lines[kind]
    return images, kinds


def texts(n: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Three topics, of whose 60 words each text holds four: two texts of a topic may have no word in common."""
    rng = np.random.default_rng(0)
    topics = np.repeat([0, 1, 2], n // 3)
    words = np.zeros((n, 180), np.float32)
    for row, topic in enumerate(topics):
        words[row, 60 * topic + rng.choice(60, 4, replace=False)] = 1.0
        words[row, rng.choice(180, 1)] = 1.0
    return words / np.linalg.norm(words, axis=1, keepdims=True), topics
