"""GIST (Oliva and Torralba, IJCV 2001): how much energy of each scale and orientation lies in each part of an image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from somscope.codes.features import ImageFeatures, Images
from somscope.codes.kept import Arrays
from somscope.errors import InputError

__all__ = ["GIST"]

_GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # luma of ITU-R BT.601
_CUTOFF = 4.0  # cycles per image of the filter that takes the local mean away
_LEAST = 0.2  # added to the local standard deviation: contrast below it is not raised to the same level


class GIST(ImageFeatures):
    """Means of |image * Gabor filter| over a grid of cells, for filters of several scales and orientations.

    As in the authors' code: the grey image goes through log(1 + x) and local contrast normalisation, and the filter of
    scale s = 0, 1, ... and of O orientations, orientation o, has in frequencies (radius f in cycles per pixel, angle t)
    the transfer function

        exp(-3.5 (f / f_s - 1)^2 - 2 pi (O^2 / 64) (t + pi o / O)^2),    f_s = 0.3 / 1.85^s,

    t + pi o / O being taken within [-pi, pi]. Their sizes are for images of 256 pixels; here the border that an image
    gets, mirrored, is half its shorter side (theirs: 32 pixels), and images stay in their own size.

    Parameters
    ----------
    scales, orientations: of the filters, 4 and 8. grid: cells along each side, 4; so 512 features by default.
    """

    model_name: ClassVar[str] = "gist"

    def __init__(self, scales: int = 4, orientations: int = 8, grid: int = 4) -> None:
        self.scales = scales
        self.orientations = orientations
        self.grid = grid

    @property
    def _n_features_out(self) -> int:
        return self.scales * self.orientations * self.grid**2

    @property
    def _values(self) -> int:
        return int(np.prod(self._padded())) * 16  # several complex arrays

    def _padded(self) -> tuple[int, int]:
        height, width, _ = self.image_shape_
        border = min(height, width) // 2
        return height + 2 * border, width + 2 * border

    def _learn(self, images: Images) -> None:
        self._prepare()

    def _prepare(self) -> None:
        for name in ("scales", "orientations", "grid"):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < 1:
                raise InputError(f"{name}={value!r}; allowed: whole numbers from 1")
        if min(self.image_shape_[:2]) < self.grid:
            raise InputError(
                f"grid={self.grid} has more cells along a side than images of {self.image_shape_} pixels"
            )

    def _restore(self, described: Mapping[str, Any], arrays: Arrays) -> None:
        super()._restore(described, arrays)
        self._prepare()

    def _state(self) -> tuple[dict[str, Any], Arrays]:
        described, arrays = super()._state()
        return described | {n: int(getattr(self, n)) for n in ("scales", "orientations", "grid")}, arrays

    def _features(self, images: Images) -> NDArray[np.float32]:
        height, width, channels = self.image_shape_
        border = min(height, width) // 2
        grey = images[..., 0].astype(np.float32) if channels == 1 else images @ _GREY
        around = ((0, 0), (border, border), (border, border))
        even = _contrast_normalised(np.pad(np.log1p(grey), around, "symmetric"), height, width)
        spectrum = fft.fft2(even)
        inside = (slice(None), slice(border, border + height), slice(border, border + width))
        found = np.empty((len(images), self.scales * self.orientations, self.grid**2), dtype=np.float32)
        for i, transfer in enumerate(self._transfers()):
            energy = np.abs(fft.ifft2(spectrum * transfer))[inside]
            found[:, i] = _cell_means(energy, self.grid)
        return found.reshape(len(images), -1)

    def _transfers(self) -> list[NDArray[np.float32]]:
        """The transfer functions, scale by scale, zero frequency first."""
        height, width = self._padded()
        y, x = np.meshgrid(fft.fftfreq(height), fft.fftfreq(width), indexing="ij")
        radius, angle = np.hypot(x, y), np.arctan2(y, x)
        found = []
        for scale in range(self.scales):
            along = np.square(radius / (0.3 / 1.85**scale) - 1)
            for turn in range(self.orientations):
                t = angle + np.pi * turn / self.orientations
                t -= 2 * np.pi * (t > np.pi)
                across = self.orientations**2 / 64 * np.square(t)
                found.append(np.exp(-3.5 * along - 2 * np.pi * across).astype(np.float32))
        return found


def _contrast_normalised(grey: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """Images less their local mean, over 0.2 plus their local standard deviation; local by a Gaussian filter."""
    y = fft.fftfreq(grey.shape[1])[:, None] * height  # cycles per image
    x = fft.rfftfreq(grey.shape[2])[None, :] * width
    low = np.exp(-np.log(2) * (x**2 + y**2) / _CUTOFF**2).astype(np.float32)
    shape = grey.shape[1:]
    detail = grey - fft.irfft2(fft.rfft2(grey) * low, s=shape)
    spread = np.sqrt(np.abs(fft.irfft2(fft.rfft2(np.square(detail)) * low, s=shape)))
    return np.asarray(detail / (_LEAST + spread))


def _cell_means(values: NDArray[np.float32], grid: int) -> NDArray[np.float32]:
    """(m, H, W) -> (m, grid^2) means over a grid of cells, whose sizes differ by at most one pixel."""
    height, width = values.shape[1:]
    down, across = _averages(height, grid), _averages(width, grid)
    return np.asarray((down @ values @ across.T).reshape(len(values), -1))


def _averages(size: int, grid: int) -> NDArray[np.float32]:
    """(grid, size): row i takes the mean over part i of `size` values."""
    part = np.arange(size) * grid // size
    inside = part == np.arange(grid)[:, None]
    return np.asarray(inside / inside.sum(axis=1, keepdims=True), dtype=np.float32)
