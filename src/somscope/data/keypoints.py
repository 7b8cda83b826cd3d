"""Keypoints of images, and the patches around them: what local descriptors see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from somscope.data.collection import Collection, Skipped
from somscope.data.folder import list_files, readable
from somscope.data.images import IMAGE_SUFFIXES, UnusableImage, decode_image, read_header
from somscope.errors import DataError, InputError, RunError, check_choice

__all__ = [
    "SIDE",
    "Keypoints",
    "cut_patches",
    "even_light",
    "find_keypoints",
    "patch_collection",
    "read_grey",
    "sample_patches",
]

Grey = NDArray[np.uint8]  # (H, W)
Patches = NDArray[np.uint8]  # (n, 32, 32)

SIDE = 32  # pixels of a patch, along each side
DETECTORS = ("orb", "opencv-sift")
_OF_SIFT = 6.0  # side of the square that SIFT describes, in sizes of OpenCV's keypoints (12 deviations of the Gaussian)
_DEVIATION, _LEAST = 40.0, 4.0  # grey levels, of patches in even light, and below which contrast is noise
_DOWNSCALE, _SCALES = 1.2, 8  # of ORB's pyramid, as published


@dataclass(frozen=True)
class Keypoints:
    """places (n, 2) x and y in pixels, (0, 0) the middle of the first pixel; scales (n,), 1 for the image as it is;
    angles (n,) radians from the x axis towards the y axis, which points downwards."""

    places: NDArray[np.float64]
    scales: NDArray[np.float64]
    angles: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.places)


def read_grey(path: str | Path) -> Grey:
    """The pixels of an image file in grey. Raises DataError for a file that is no usable image."""
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path} does not exist, or is no file")
    try:
        header = read_header(path)
        return decode_image(path, (header.height, header.width, 1))[..., 0]
    except UnusableImage as error:
        raise DataError(f"{path}: {error}") from None


def find_keypoints(image: Grey, n: int = 1000, detector: str = "orb") -> Keypoints:
    """The n strongest keypoints of an image; fewer where there are fewer.

    detector: "orb" (Rublee et al., ICCV 2011; scikit-image): corners by FAST on eight scales, ordered by Harris'
    measure, and turned as the centre of brightness about them. "opencv-sift" (Lowe, IJCV 2004; the extra opencv): blobs
    at the extrema of differences of Gaussians, turned as the gradients about them; patches are as wide as what SIFT
    describes.
    Raises InputError for what is no grey image, RunError where OpenCV is not installed.
    """
    check_choice("detector", detector, DETECTORS)
    if image.ndim != 2 or image.dtype != np.uint8:
        raise InputError(
            f"an image of shape {image.shape} and type {image.dtype}; needed: (H, W) uint8, grey"
        )
    if min(image.shape) < 2 * SIDE:
        return Keypoints(np.empty((0, 2)), np.empty(0), np.empty(0))
    return _orb(image, n) if detector == "orb" else _opencv_sift(image, n)


def _orb(image: Grey, n: int) -> Keypoints:
    from skimage.feature import ORB

    detector: Any = ORB(downscale=_DOWNSCALE, n_scales=_SCALES, n_keypoints=n)  # type: ignore[no-untyped-call]
    detector.detect(image)
    return Keypoints(
        np.ascontiguousarray(detector.keypoints[:, ::-1], dtype=np.float64),
        np.asarray(detector.scales, dtype=np.float64),
        np.asarray(detector.orientations, dtype=np.float64),
    )


def _opencv_sift(image: Grey, n: int) -> Keypoints:
    try:
        import cv2
    except ImportError:
        raise RunError("this detector is OpenCV's: pip install 'somscope[opencv]'") from None
    found = cv2.SIFT_create(nfeatures=n).detect(np.ascontiguousarray(image), None)
    rows = np.array([(*k.pt, k.size, k.angle) for k in found]).reshape(-1, 4)[
        :n
    ]  # a place may have two angles
    return Keypoints(rows[:, :2], rows[:, 2] * (_OF_SIFT / SIDE), np.deg2rad(rows[:, 3]))


def cut_patches(image: Grey, keypoints: Keypoints, window: float = SIDE) -> Patches:
    """(n, 32, 32): squares of `window` pixels times the scale about the keypoints, turned by their angles.

    Bilinear; what is shrunk is smoothed before; what lies outside of the image is mirrored.
    """
    steps = window * keypoints.scales / SIDE
    grid = (np.arange(SIDE) - (SIDE - 1) / 2)[None, :]
    right = np.stack([np.cos(keypoints.angles), np.sin(keypoints.angles)], axis=1) * steps[:, None]
    down = np.stack([-right[:, 1], right[:, 0]], axis=1)
    u, v = (
        right[:, :, None, None] * grid[:, None, None],
        down[:, :, None, None] * grid[:, None].swapaxes(1, 2)[None],
    )
    return sample_patches(
        image, keypoints.places[:, :, None, None] + u.reshape(len(u), 2, 1, SIDE) + v, steps
    )


def sample_patches(image: Grey, places: NDArray[np.float64], steps: NDArray[np.float64]) -> Patches:
    """The image at places (n, 2, h, w), x and y in pixels, which lie about steps (n,) pixels apart -> (n, h, w)."""
    found = np.empty((len(places), *places.shape[2:]), dtype=np.uint8)
    sizes = np.maximum(np.rint(4 * np.log2(np.maximum(steps, 1.0))), 0)  # quarters of an octave
    for size in np.unique(sizes):
        rows = sizes == size
        blur = 0.5 * np.sqrt(4.0 ** (size / 4) - 1.0)
        smooth = (
            gaussian_filter(image.astype(np.float32), blur, mode="mirror")
            if blur
            else image.astype(np.float32)
        )
        values = map_coordinates(smooth, places[rows][:, ::-1].swapaxes(0, 1), order=1, mode="mirror")
        found[rows] = np.clip(np.rint(values), 0, 255)
    return found


def even_light(patches: Patches) -> Patches:
    """(n, 32, 32) with a mean of 128 and a deviation of 40 each, cut off at 0 and 255, so that codes that are learned
    spend no bits on brightness and contrast. What hardly varies is not blown up."""
    x = patches.astype(np.float32)
    x -= x.mean(axis=(1, 2), keepdims=True)
    x *= _DEVIATION / np.maximum(x.std(axis=(1, 2), keepdims=True), _LEAST)
    return np.asarray(np.clip(np.rint(x + 128), 0, 255), dtype=np.uint8)


def patch_collection(
    folder: str | Path, per_image: int = 500, names: Sequence[str] | None = None
) -> Collection:
    """A collection of the patches (n, 32, 32, 1), in even light, about the strongest keypoints of a folder of images.

    The id of a patch is its image's path inside the folder and its number, path#12. names: only these paths. Images
    that cannot be used, or that have no keypoints, are skipped and named. Raises DataError where none is left.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder of images to cut patches from")
    if per_image < 1:
        raise InputError(f"{per_image} patches of each image; allowed: whole numbers from 1")
    files = (
        names if names is not None else [n for n in list_files(folder) if n.lower().endswith(IMAGE_SUFFIXES)]
    )
    parts, ids, skipped = [], [], []
    for name in files:
        try:
            image = read_grey(folder / name)
        except DataError as error:
            skipped.append(Skipped(readable(name), str(error).partition(": ")[2] or str(error)))
            continue
        keypoints = find_keypoints(image, per_image)
        if not len(keypoints):
            skipped.append(Skipped(readable(name), "no keypoints"))
            continue
        parts.append(even_light(cut_patches(image, keypoints)))
        ids += [f"{readable(name)}#{i}" for i in range(len(keypoints))]
    if not parts:
        raise DataError(f"{folder} holds no image with keypoints to cut patches from")
    return Collection(
        f"{folder.resolve().name} patches",
        "images",
        np.concatenate(parts)[..., None],
        ids=np.array(ids, dtype=np.str_),
        skipped=tuple(skipped),
        source={"reader": "patches", "per_image": per_image},
    )
