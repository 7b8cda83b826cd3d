"""What the study matching compares descriptors on: patches warped by known homographies, and two real pairs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from somscope.data.keypoints import SIDE, Grey, Keypoints, Patches, find_keypoints, read_grey, sample_patches
from somscope.errors import DataError

__all__ = [
    "LEVELS",
    "Level",
    "RealPair",
    "corners",
    "overlap",
    "photographs",
    "real_pairs",
    "reference",
    "warped",
]

_WINDOW = 65.0  # pixels of the image that a patch shows, along each side, as in HPatches
_LIBRARY = ("astronaut", "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "hubble_deep_field", "ihc",
            "moon", "motorcycle_left", "page", "retina", "rocket", "text")  # fmt: skip
_OURS = ("baboon", "board", "box", "building", "butterfly", "fruits", "home", "road")
_KEYPOINTS = 1000  # of each image of a real pair
_NEAR = 3.0  # pixels within which two keypoints show one place


@dataclass(frozen=True)
class Level:
    """How much a patch is changed. jitter: of its corners, in shares of its side, at most; light: its contrast is
    multiplied by 1 - light .. 1 + light and its brightness moves by as much of 128; noise: deviation in grey levels."""

    jitter: float
    light: float
    noise: float


# Overlaps of about .85, .72 and .60, as the levels of HPatches are described.
LEVELS = {"easy": Level(0.105, 0.1, 2.0), "hard": Level(0.215, 0.2, 4.0), "tough": Level(0.33, 0.3, 6.0)}


def photographs() -> dict[str, Grey]:
    """Name -> pixels: scikit-image's photographs, scikit-learn's two, and OpenCV's of SOMSCOPE_DATA."""
    import skimage
    import sklearn.datasets

    folders = [
        (Path(skimage.__file__).parent / "data", _LIBRARY),
        (Path(sklearn.datasets.__file__).parent / "images", ("china", "flower")),
    ]
    if (_data() / "matching").is_dir():
        folders.append((_data() / "matching", _OURS))
    found = {}
    for folder, names in folders:
        for name in names:
            path = next((p for p in (folder / f"{name}.png", folder / f"{name}.jpg") if p.is_file()), None)
            if path is not None:
                found[name] = read_grey(path)
    return dict(sorted(found.items()))


def _data() -> Path:
    return Path(os.environ.get("SOMSCOPE_DATA", "nowhere"))


def corners(image: Grey, n: int, apart: int) -> NDArray[np.float64]:
    """(m, 2) x and y of up to n corners by Harris' measure, at least `apart` pixels from each other and a patch's side
    from the border."""
    from skimage.feature import corner_harris, corner_peaks

    strength = corner_harris(image.astype(np.float64))  # type: ignore[no-untyped-call]
    peaks = corner_peaks(strength, min_distance=apart, num_peaks=n, exclude_border=int(_WINDOW))  # type: ignore[no-untyped-call]
    return np.ascontiguousarray(peaks[:, ::-1], dtype=np.float64)


def reference(image: Grey, places: NDArray[np.float64]) -> Patches:
    """(n, 32, 32): the squares of 65 pixels about the places."""
    return _cut(image, places, np.tile(np.eye(3), (len(places), 1, 1)))


def warped(image: Grey, places: NDArray[np.float64], level: Level, random: np.random.Generator) -> Patches:
    """The same after a random homography and change of light for each."""
    n = len(places)
    x = _cut(image, places, _homographies(n, level.jitter, random)).astype(np.float64)
    gain, shift = random.uniform(-level.light, level.light, size=(2, n, 1, 1))
    x = (x - 128.0) * (1.0 + gain) + 128.0 * (1.0 + shift) + random.normal(0.0, level.noise, x.shape)
    return np.asarray(np.clip(np.rint(x), 0, 255), dtype=np.uint8)


def overlap(jitter: float, n: int = 1000) -> float:
    """Mean intersection over union of a patch and its warped one, estimated over n of them on a grid."""
    side = (np.arange(-64, 64) + 0.5) / 64  # a patch is -0.5 .. 0.5
    grid = np.stack([*(g.ravel() for g in np.meshgrid(side, side)), np.ones(side.size**2)])
    inside = (np.abs(grid[:2]) <= 0.5).all(axis=0)
    back = np.linalg.inv(_homographies(n, jitter, np.random.default_rng(0))) @ grid
    within = (np.abs(back[:, :2]) <= 0.5 * np.abs(back[:, 2:])).all(axis=1) & (back[:, 2] > 0)
    return float(((within & inside).sum(axis=1) / (within | inside).sum(axis=1)).mean())


def _homographies(n: int, jitter: float, random: np.random.Generator) -> NDArray[np.float64]:
    """(n, 3, 3) from a patch, -0.5 .. 0.5 along each side, to where its corners go: each moved by up to `jitter`."""
    start = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    end = start + random.uniform(-jitter, jitter, size=(n, 4, 2))
    system = np.zeros((n, 8, 8))
    x, y = start.T
    for axis, rows in ((0, slice(0, 4)), (1, slice(4, 8))):
        system[:, rows, 3 * axis : 3 * axis + 3] = np.stack([x, y, np.ones(4)], axis=1)
        system[:, rows, 6:] = -start * end[..., axis, None]
    solved = np.linalg.solve(system, end.swapaxes(1, 2).reshape(n, 8, 1))[..., 0]
    return np.concatenate([solved, np.ones((n, 1))], axis=1).reshape(n, 3, 3)


def _cut(image: Grey, places: NDArray[np.float64], homographies: NDArray[np.float64]) -> Patches:
    side = (np.arange(SIDE) - (SIDE - 1) / 2) / SIDE
    grid = np.stack([*(g.ravel() for g in np.meshgrid(side, side)), np.ones(SIDE**2)])
    ends = homographies @ grid
    around = (ends[:, :2] / ends[:, 2:] * _WINDOW).reshape(-1, 2, SIDE, SIDE)
    return sample_patches(image, places[:, :, None, None] + around, np.full(len(places), _WINDOW / SIDE))


@dataclass(frozen=True)
class RealPair:
    """Two images with their keypoints a and b, and right (n, m): which of them show one place."""

    images: tuple[Grey, Grey]
    a: Keypoints
    b: Keypoints
    right: NDArray[np.bool_]


def real_pairs() -> Mapping[str, RealPair]:
    """The wall graf1 and graf3 with their homography, and the stereo pair aloe with its disparities, from the folder
    `matching` of SOMSCOPE_DATA; without it, none."""
    folder = _data() / "matching"
    if not folder.is_dir():
        return {}
    a, b = (read_grey(folder / f"graf{i}.png") for i in (1, 3))
    homography = _matrix(folder / "H1to3p.xml")

    def on_the_wall(places: NDArray[np.float64]) -> NDArray[np.float64]:
        ends = np.concatenate([places, np.ones((len(places), 1))], axis=1) @ homography.T
        return np.asarray(ends[:, :2] / ends[:, 2:])

    left, right = (read_grey(folder / f"aloe{side}.jpg") for side in "LR")
    disparity = read_grey(folder / "aloeGT.png")

    def to_the_right(places: NDArray[np.float64]) -> NDArray[np.float64]:
        x, y = np.rint(places.T).astype(np.int64)
        shift = disparity[y, x].astype(np.float64)
        return np.stack([np.where(shift > 0, places[:, 0] - shift, np.inf), places[:, 1]], axis=1)

    return {"graf1-graf3": _pair(a, b, on_the_wall), "aloe": _pair(left, right, to_the_right)}


def _pair(a: Grey, b: Grey, brought: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> RealPair:
    ours, theirs = (find_keypoints(image, _KEYPOINTS) for image in (a, b))
    ends = brought(ours.places)
    apart = np.hypot(*(ends.T[:, :, None] - theirs.places.T[:, None, :]))
    return RealPair((a, b), ours, theirs, apart <= _NEAR)


def _matrix(path: Path) -> NDArray[np.float64]:
    found = re.search(r"<data>(.*?)</data>", path.read_text(encoding="utf-8"), re.DOTALL)
    values = [float(word) for word in found[1].split()] if found else []
    if len(values) != 9:
        raise DataError(f"{path} holds no matrix of 3 x 3 numbers")
    return np.reshape(values, (3, 3))
