"""Two images -> keypoints, descriptors, matches and a homography: the flow behind `somscope match`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from somscope.codes import CodeIndex
from somscope.codes.descriptors import DESCRIPTORS
from somscope.data.collection import Collection
from somscope.data.keypoints import SIDE, Grey, Keypoints, Patches, cut_patches, even_light, find_keypoints
from somscope.errors import DataError, InputError, check_choice
from somscope.figures.matches import matches_figure
from somscope.figures.save import save_figure
from somscope.runs.code_run import CodeRun
from somscope.runs.writer import new_file

__all__ = ["Matches", "descriptor", "match_images", "two_nearest", "write_matches"]

Describe = Callable[[Patches], NDArray[Any]]  # (n, w) uint8 packed bits, or (n, d) float32

_TRIALS = 2000  # of RANSAC, at most
_FEWEST = 4  # matches that a homography needs


@dataclass(frozen=True)
class Matches:
    """a, b: keypoints of both images. pairs (m, 2) rows in a and b that match, distances (m,) of their descriptors.

    homography (3, 3) from a to b, with 1 in its last place, or None where no four matches agree; inliers (m,) those
    that agree with it.
    """

    a: Keypoints
    b: Keypoints
    pairs: NDArray[np.int64]
    distances: NDArray[np.float64]
    inliers: NDArray[np.bool_]
    homography: NDArray[np.float64] | None


def descriptor(name: str, run: CodeRun | None = None) -> Describe:
    """What describes patches (n, 32, 32): brief, orb or sift, or the coder of a run ("run").

    Raises InputError for another name, and for a run that was not learned from images of 32 x 32 pixels.
    """
    check_choice("descriptor", name, ("run", *DESCRIPTORS))
    if name != "run":
        return DESCRIPTORS[name]
    if run is None:
        raise InputError("descriptor='run' needs a run folder of codes")
    shape = run.config["collection"]["image_shape"]
    if shape is None or tuple(shape[:2]) != (SIDE, SIDE):
        what = (
            run.config["collection"]["kind"] if shape is None else f"images of {shape[0]}x{shape[1]} pixels"
        )
        raise InputError(
            f"{run.path} holds codes of {what}; matching needs a run on patches of {SIDE}x{SIDE} pixels: "
            "`somscope codes PHOTOS --patches 500` makes one"
        )
    encoder, channels = run.encoder, shape[2]

    def describe(patches: Patches) -> NDArray[np.uint8]:
        images = np.repeat(even_light(patches)[..., None], channels, axis=3)
        return np.asarray(encoder.encode(Collection("patches", "images", images)))

    return describe


def two_nearest(a: NDArray[Any], b: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """(n, 2) rows of the two nearest of b's descriptors to each of a's, and their distances: bits for packed ones,
    Euclidean for others. b has two or more."""
    if a.dtype == np.uint8:
        index = CodeIndex(8 * a.shape[1])
        index.add(b)
        found = index.search(a, 2)
        return found.ids, found.distances.astype(np.float64)
    distances = cdist(a, b)
    rows = np.argsort(distances, axis=1, kind="stable")[:, :2]
    return rows, np.take_along_axis(distances, rows, axis=1)


def match_images(
    a: Grey,
    b: Grey,
    describe: Describe,
    *,
    n_keypoints: int = 1000,
    detector: str = "orb",
    ratio: float = 0.8,
    pixels: float = 3.0,
    seed: int = 0,
) -> Matches:
    """Match two grey images (H, W). detector: of the keypoints, see `data.keypoints.find_keypoints`.

    A keypoint of a matches the nearest one of b if it is nearer than `ratio` times the second nearest (Lowe, IJCV 2004,
    section 7.1). RANSAC (Fischler and Bolles 1981) takes the homography that most matches agree with, those that it
    brings within `pixels` of where they are in b.
    Raises InputError for a ratio outside 0 .. 1 and other parameters below their least, DataError for an image with
    fewer than two keypoints.
    """
    if not 0 < ratio <= 1:
        raise InputError(f"ratio={ratio!r}; allowed: above 0, up to 1")
    if not pixels > 0 or n_keypoints < 2:
        raise InputError(
            f"pixels={pixels!r} and n_keypoints={n_keypoints!r}; allowed: above 0, and from 2 on"
        )
    keypoints = [find_keypoints(image, n_keypoints, detector) for image in (a, b)]
    for found, which in zip(keypoints, ("first", "second"), strict=True):
        if len(found) < 2:
            raise DataError(
                f"the {which} image has {len(found)} keypoints: it is too flat, or under 64 pixels a side"
            )
    codes = [describe(cut_patches(image, found)) for image, found in zip((a, b), keypoints, strict=True)]
    rows, distances = two_nearest(*codes)
    good = np.flatnonzero(distances[:, 0] < ratio * distances[:, 1])
    pairs = np.stack([good, rows[good, 0]], axis=1)
    homography, inliers = _homography(
        keypoints[0].places[pairs[:, 0]], keypoints[1].places[pairs[:, 1]], pixels, seed
    )
    return Matches(keypoints[0], keypoints[1], pairs, distances[good, 0], inliers, homography)


def _homography(
    a: NDArray[np.float64], b: NDArray[np.float64], pixels: float, seed: int
) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_]]:
    from skimage.measure import ransac
    from skimage.transform import ProjectiveTransform

    none = np.zeros(len(a), dtype=bool)
    if len(a) <= _FEWEST:  # four always agree
        return None, none
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of samples that no homography fits
        model, inliers = ransac(  # type: ignore[no-untyped-call]
            (a, b),
            ProjectiveTransform,
            _FEWEST,
            pixels,
            max_trials=_TRIALS,
            stop_probability=0.9999,
            rng=seed,
        )
    if not model or inliers is None or inliers.sum() <= _FEWEST or abs(model.params[2, 2]) < 1e-12:
        return None, none
    return model.params / model.params[2, 2], np.asarray(inliers, dtype=bool)


def write_matches(a: Grey, b: Grey, matches: Matches, title: str, path: str | Path) -> Path:
    """Write the picture of the matches; where there is a homography, with the outline of a in b."""
    outline = None
    if matches.homography is not None:
        height, width = a.shape
        corners = np.array([[0, 0, 1], [width - 1, 0, 1], [width - 1, height - 1, 1], [0, height - 1, 1]])
        ends = corners @ matches.homography.T
        outline = ends[:, :2] / ends[:, 2:] if (ends[:, 2] > 0).all() else None
    places = matches.a.places[matches.pairs[:, 0]], matches.b.places[matches.pairs[:, 1]]
    figure = matches_figure(a, b, *places, matches.inliers, title, outline)
    path = Path(path)
    with new_file(path) as partial:
        save_figure(figure, partial)
    return path
