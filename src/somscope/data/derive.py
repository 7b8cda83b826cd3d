"""The other half of a pair from an image: its edges, its luminance, itself with a hole, or at a quarter of the size.

All take (n, H, W, 1 or 3) uint8 and return (n, H, W, C) uint8.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from somscope.progress import track

__all__ = ["DERIVED", "downsample", "edges", "grey", "inpaint"]

Pixels = NDArray[np.uint8]
_FACTOR = 4


def edges(pixels: Pixels, sigma: float = 1.0) -> Pixels:
    """(n, H, W, 1): 0 on the edges that Canny's detector finds (scikit-image), 255 elsewhere.

    sigma: pixels of the Gaussian before it; its thresholds are 0.1 and 0.2 of the range of a pixel.
    """
    from skimage.feature import canny

    light = grey(pixels)[..., 0]
    out = np.full((*light.shape, 1), 255, dtype=np.uint8)
    for at in track(range(len(light)), "Finding edges"):
        found: NDArray[np.bool_] = canny(light[at] / 255.0, sigma=sigma)  # type: ignore[no-untyped-call]
        out[at, found, 0] = 0
    return out


def grey(pixels: Pixels) -> Pixels:
    """(n, H, W, 1): the luminance of ITU-R 601 in whole numbers, as Pillow rounds it."""
    if pixels.shape[3] == 1:
        return pixels
    weighted = pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], dtype=np.uint32)
    return ((weighted + 0x8000) >> 16).astype(np.uint8)[..., None]


def inpaint(pixels: Pixels) -> Pixels:
    """The images with a grey square (128) over the middle half of their height and width."""
    height, width = pixels.shape[1:3]
    out = pixels.copy()
    out[:, height // 4 : height - height // 4, width // 4 : width - width // 4] = 128
    return out


def downsample(pixels: Pixels) -> Pixels:
    """The images at a quarter of their height and width (means of 4x4 pixels), brought back to size (bicubic)."""
    out = np.empty_like(pixels)
    height, width = pixels.shape[1:3]
    small = (max(1, width // _FACTOR), max(1, height // _FACTOR))
    for at, one in enumerate(track(pixels, "Shrinking images")):
        image = Image.fromarray(one[..., 0] if one.shape[2] == 1 else one).resize(small, Image.Resampling.BOX)
        large: Any = image.resize((width, height), Image.Resampling.BICUBIC)
        out[at] = np.asarray(large).reshape(one.shape)
    return out


DERIVED: dict[str, Callable[[Pixels], Pixels]] = {
    "edges": edges,
    "grey": grey,
    "inpaint": inpaint,
    "downsample": downsample,
}
