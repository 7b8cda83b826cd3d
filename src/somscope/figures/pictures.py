"""Prototypes of images as pictures on the lattice."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.figures.units import map_figure
from somscope.maps.lattice import Lattice

__all__ = ["mosaic", "prototype_pictures_figure"]

_LONGEST = 3000  # pixels of the mosaic's longer side; beyond it the pictures are averaged down
_SIDE = {"rectangular": 0.94, "hexagonal": 0.83}  # of a lattice step, so that pictures never overlap


def _checked(lattice: Lattice, images: ArrayLike) -> NDArray[np.float64]:
    """(K, H, W, C) in [0, 1], C 1 or 3, from uint8 or float images with or without a channel axis."""
    array = np.asarray(images)
    if array.ndim == 3:
        array = array[..., None]
    if array.ndim != 4 or len(array) != lattice.n_units or array.shape[3] not in (1, 3):
        raise InputError(
            f"images have shape {np.shape(images)}; allowed: ({lattice.n_units}, height, width) or "
            f"({lattice.n_units}, height, width, 1 or 3), one picture per unit"
        )
    scale = 255.0 if array.dtype == np.uint8 else 1.0
    return np.clip(np.nan_to_num(array.astype(np.float64) / scale), 0.0, 1.0)


def mosaic(
    lattice: Lattice, images: ArrayLike
) -> tuple[NDArray[np.float64], tuple[float, float, float, float]]:
    """All pictures on one transparent canvas (height, width, 4) in [0, 1], and its extent in lattice steps.

    images: (K, H, W[, 1 or 3]) uint8, or float in [0, 1]. On a hexagonal lattice odd rows are shifted by half a step.
    """
    pictures = _checked(lattice, images)
    side = _SIDE[lattice.shape]
    height, width = pictures.shape[1:3]
    span = lattice.positions.max(axis=0) + 1
    shrink = int(np.ceil(span.max() * max(height, width) / side / _LONGEST))
    if shrink > 1 and min(height, width) >= shrink:
        height, width = height // shrink, width // shrink
        cut = pictures[:, : height * shrink, : width * shrink]
        pictures = cut.reshape(len(cut), height, shrink, width, shrink, -1).mean(axis=(2, 4))
    step = max(height, width) / side  # pixels in one lattice step
    top_left = np.rint((lattice.positions + 0.5) * step - np.array([width, height]) / 2).astype(np.int64)
    size = np.ceil(span * step).astype(np.int64)
    canvas = np.zeros((size[1], size[0], 4))
    y = (top_left[:, 1, None] + np.arange(height))[:, :, None]
    x = (top_left[:, 0, None] + np.arange(width))[:, None, :]
    canvas[y, x, :3] = pictures
    canvas[y, x, 3] = 1.0
    right, bottom = size / step - 0.5
    return canvas, (-0.5, float(right), float(bottom), -0.5)


def prototype_pictures_figure(lattice: Lattice, images: ArrayLike, title: str = "Prototypes") -> Figure:
    """Each unit's prototype (or any picture per unit, such as its nearest member) at its place on the lattice.

    images: (K, H, W), (K, H, W, 1) or (K, H, W, 3); uint8, or float in [0, 1] (clipped).
    """
    figure, axes = map_figure(lattice, title, beside=0.3)
    canvas, extent = mosaic(lattice, images)
    axes.imshow(canvas, extent=extent, interpolation="nearest", origin="upper")
    left, right, bottom, top = extent
    axes.set(xlim=(left - 0.1, right + 0.1), ylim=(bottom + 0.1, top - 0.1))
    return figure
