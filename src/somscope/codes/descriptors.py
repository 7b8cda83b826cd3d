"""Local descriptors that learn nothing, of patches that are turned and scaled already: BRIEF, ORB and SIFT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.codes.packing import Packed, pack
from somscope.errors import InputError

__all__ = ["DESCRIPTORS", "brief", "orb", "sift"]

_MARGIN = 24  # pixels about the sheet of patches: scikit-image leaves out keypoints near the border
_APART = 4  # pixels that BRIEF's smoothing reaches: each patch has its border repeated so far
_CELLS, _BINS = 4, 8  # of SIFT
_CLIP = 0.2  # largest share of one number of SIFT


def brief(patches: NDArray[np.uint8]) -> Packed:
    """(n, 32, 32) -> (n, 32) uint8, 256 bits: which of two pixels is brighter, of pairs that were drawn once (Calonder
    et al., ECCV 2010), as scikit-image has it, within 31 pixels."""
    from skimage.feature import BRIEF

    sheet, places = _sheet(patches)
    made: Any = BRIEF(descriptor_size=256, patch_size=31)  # type: ignore[no-untyped-call]
    made.extract(sheet, places)
    return pack(made.descriptors)


def orb(patches: NDArray[np.uint8]) -> Packed:
    """The same with the pairs of ORB (Rublee et al., ICCV 2011), which were learned so that bits vary and differ."""
    from skimage.feature import ORB

    sheet, places = _sheet(patches)
    made: Any = ORB(n_scales=1)  # type: ignore[no-untyped-call]
    made.extract(sheet, places.astype(np.float64), np.ones(len(places)), np.zeros(len(places)))
    return pack(made.descriptors)


def _sheet(patches: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All patches on one sheet with values 0 .. 1, and the rows and columns of their middles."""
    tiles = np.pad(_checked(patches), ((0, 0), (_APART, _APART), (_APART, _APART)), "edge")
    n, side, _ = tiles.shape
    columns = int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    tiles = np.concatenate([tiles, np.zeros((rows * columns - n, side, side), dtype=np.uint8)])
    sheet = tiles.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side)
    at = np.arange(n)
    places = np.stack([at // columns, at % columns], axis=1) * side + side // 2 + _MARGIN
    return np.pad(sheet, _MARGIN) / 255.0, places


def sift(patches: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, H, W) -> (n, 128) of length 1: histograms of the gradients' directions over 4 x 4 cells (Lowe, IJCV 2004,
    section 6), in 8 bins each.

    Gradients count by their length and a Gaussian of half the side as its deviation; each spreads linearly over the two
    nearest cells along each side and the two nearest bins. Numbers above 0.2 are cut off, and the length is made 1
    again. Patches of one value give zeros.
    """
    x = _checked(patches).astype(np.float32)
    n, height, width = x.shape
    down, across = np.gradient(x, axis=(1, 2))
    length = np.hypot(across, down) * np.outer(_gaussian(height), _gaussian(width)).astype(np.float32)
    turn = np.mod(np.arctan2(down, across), 2 * np.pi) * (_BINS / (2 * np.pi))
    low = np.floor(turn).astype(np.int64)
    share = turn - low
    bins = np.zeros((n, height, width, _BINS), dtype=np.float32)
    np.put_along_axis(bins, (low % _BINS)[..., None], (length * (1 - share))[..., None], axis=3)
    np.put_along_axis(bins, ((low + 1) % _BINS)[..., None], (length * share)[..., None], axis=3)
    found = np.einsum("ih,jw,nhwb->nijb", _cells(height), _cells(width), bins, optimize=True).reshape(n, -1)
    return _unit(np.minimum(_unit(found), _CLIP))


def _gaussian(side: int) -> NDArray[np.float64]:
    return np.asarray(np.exp(-0.5 * np.square((np.arange(side) - (side - 1) / 2) / (side / 2))))


def _cells(side: int) -> NDArray[np.float32]:
    """(4, side): how much each pixel counts in each cell, falling linearly from its middle to the next one's."""
    place = (np.arange(side) + 0.5) * (_CELLS / side) - 0.5
    return np.asarray(np.maximum(0, 1 - np.abs(np.arange(_CELLS)[:, None] - place)), dtype=np.float32)


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(
        values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-6), dtype=np.float32
    )


def _checked(patches: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if patches.ndim != 3 or patches.dtype != np.uint8 or min(patches.shape[1:]) < 32:
        raise InputError(
            f"patches of shape {patches.shape} and type {patches.dtype}; needed: (n, 32, 32) uint8"
        )
    return patches


DESCRIPTORS: dict[str, Callable[[NDArray[np.uint8]], NDArray[Any]]] = {
    "brief": brief,
    "orb": orb,
    "sift": sift,
}
