"""Images with many corners, and what they look like after a homography, for the tests of matching."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

HOMOGRAPHY = np.array([[0.95, -0.2, 30.0], [0.18, 0.9, 5.0], [2e-4, -1e-4, 1.0]])


def scene(seed: int = 0, height: int = 200, width: int = 260) -> np.ndarray:
    """(H, W) uint8: a few hundred grey rectangles on each other, slightly smoothed."""
    random = np.random.default_rng(seed)
    image = np.full((height, width), 128.0)
    for _ in range(300):
        y, x = random.integers(height), random.integers(width)
        h, w = random.integers(4, 40, size=2)
        image[y : y + h, x : x + w] = random.uniform(0, 255)
    return gaussian_filter(image, 0.7).clip(0, 255).astype(np.uint8)


def warped(image: np.ndarray, homography: np.ndarray = HOMOGRAPHY) -> np.ndarray:
    """The image after a homography, in the same size."""
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    back = np.linalg.inv(homography) @ np.stack([x, y, np.ones_like(x)]).reshape(3, -1)
    places = (back[:2] / back[2])[::-1].reshape(2, *image.shape)
    return map_coordinates(image.astype(float), places, order=1, mode="constant", cval=128).astype(np.uint8)


def projected(places: np.ndarray, homography: np.ndarray = HOMOGRAPHY) -> np.ndarray:
    """(n, 2) places after a homography."""
    ends = np.concatenate([places, np.ones((len(places), 1))], axis=1) @ homography.T
    return ends[:, :2] / ends[:, 2:]
