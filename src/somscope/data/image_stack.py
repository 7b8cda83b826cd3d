"""Many images to one (n, H, W, C) uint8 array: one resize policy, threads, and the unusable ones named.

The policy. Without `image_size`: when all images have one size of at most 64 pixels a side they stay as they are;
otherwise each is resized until a 64 x 64 square is just covered, and the centre is cropped. With `image_size` every
image is brought to that size in the same way. The array is grey (C = 1) only when every image is.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from somscope.data.collection import Skipped
from somscope.data.images import Header, ImageSource, UnusableImage, decode_image, read_header
from somscope.data.room import room
from somscope.errors import DataError, InputError
from somscope.mapped import release
from somscope.progress import track

__all__ = ["DEFAULT_IMAGE_SIZE", "ImageStack", "parse_image_size", "stack_images"]

DEFAULT_IMAGE_SIZE = 64
_MAX_IMAGE_SIZE = 4096
_THREADS = min(16, 2 * (os.cpu_count() or 1))
# Pixels; below, the interpreter's share of the work is larger than the decoder's: no threads.
_SMALL = 64 * 64
_BLOCK = 1024
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class ImageStack:
    """features: (n, H, W, C) uint8. kept: (n,) which of the given images they are. policy: what was done."""

    features: NDArray[np.uint8]
    kept: NDArray[np.int64]
    skipped: tuple[Skipped, ...]
    policy: str


def parse_image_size(image_size: Any) -> tuple[int, int] | None:
    """(height, width) in pixels from None, 64, "64", "48x64" (height x width) or (48, 64).

    Raises InputError for anything else, and for sizes outside 1..4096.
    """
    if image_size is None:
        return None
    sides = image_size
    if isinstance(sides, str):
        sides = sides.lower().split("x")
    elif isinstance(sides, (int, np.integer)) and not isinstance(sides, bool):
        sides = [sides]
    try:
        numbers = [int(side) for side in sides]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) not in (1, 2) or not all(1 <= side <= _MAX_IMAGE_SIZE for side in numbers):
        raise InputError(
            f"image_size={image_size!r}: give pixels from 1 to {_MAX_IMAGE_SIZE}, such as 64 or 48x64 (height x width)"
        )
    return numbers[0], numbers[-1]


def stack_images(sources: Sequence[ImageSource], places: Sequence[str], image_size: Any = None) -> ImageStack:
    """Decode all `sources` in threads, in their order.

    places: how to name each image when it is skipped. Raises DataError when no image can be used.
    """
    size = parse_image_size(image_size)
    with warnings.catch_warnings():
        # Pillow warns of damaged EXIF blocks and of large images; what cannot be used is reported as skipped.
        warnings.simplefilter("ignore")
        headers = _parallel(
            lambda row: _attempt(read_header, sources[row]), len(sources), "Reading headers", threads=1
        )
        shape, policy = _choose_shape([header for header in headers if isinstance(header, Header)], size)
        usable = [row for row, header in enumerate(headers) if isinstance(header, Header)]
        out = room("images", (len(usable), *shape), np.uint8)

        def decode(position: int) -> str | None:
            pixels = _attempt(lambda source: decode_image(source, shape), sources[usable[position]])
            if isinstance(pixels, str):
                return pixels
            out[position] = pixels
            if position % _BLOCK == 0:
                release(out)
            return None

        large = sum(h.height * h.width for h in headers if isinstance(h, Header)) > _SMALL * len(usable)
        failures = _parallel(decode, len(usable), "Decoding images", threads=_THREADS if large else 1)
    why = {row: header for row, header in enumerate(headers) if isinstance(header, str)}
    why.update({usable[position]: text for position, text in enumerate(failures) if text is not None})
    skipped = tuple(Skipped(places[row], why[row]) for row in sorted(why))
    good = np.flatnonzero([text is None for text in failures])
    if not len(good):
        reasons = "; ".join(f"{item.where}: {item.why}" for item in skipped[:3])
        raise DataError(f"none of {len(sources)} images can be used ({reasons})")
    return ImageStack(_compact(out, good), np.asarray(usable, dtype=np.int64)[good], skipped, policy)


def _attempt(read: Callable[[ImageSource], T], source: ImageSource) -> T | str:
    try:
        return read(source)
    except UnusableImage as error:
        return str(error)


def _parallel(work: Callable[[int], T], n: int, description: str, threads: int) -> list[T]:
    """[work(0), ..., work(n - 1)]; in threads Pillow decodes and resizes outside the interpreter lock."""
    if threads == 1:
        return [work(row) for row in track(range(n), description)]
    pool = ThreadPoolExecutor(threads)
    try:
        blocks: Iterator[list[T]] = pool.map(
            lambda start: [work(row) for row in range(start, min(start + 16, n))], range(0, n, 16)
        )
        return list(track((result for block in blocks for result in block), description, total=n))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _choose_shape(headers: list[Header], size: tuple[int, int] | None) -> tuple[tuple[int, int, int], str]:
    channels = 1 if headers and all(header.grey for header in headers) else 3
    sizes = {(header.height, header.width) for header in headers}
    if size is None and len(sizes) == 1 and max(*next(iter(sizes))) <= DEFAULT_IMAGE_SIZE:
        height, width = next(iter(sizes))
        return (height, width, channels), f"as they are, {height}x{width} pixels"
    height, width = size or (DEFAULT_IMAGE_SIZE, DEFAULT_IMAGE_SIZE)
    if sizes == {(height, width)}:
        return (height, width, channels), f"as they are, {height}x{width} pixels"
    policy = f"resized to cover {height}x{width} pixels, centre cropped"
    return (height, width, channels), policy


def _compact(features: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.uint8]:
    """features[rows] for ascending rows, moved within the same memory."""
    if len(rows) < len(features):
        for start in range(0, len(rows), _BLOCK):
            block = rows[start : start + _BLOCK]
            features[start : start + len(block)] = features[block]
            release(features)
    return features[: len(rows)]
