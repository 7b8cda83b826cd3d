"""Pairs of images in files of their own: A on the left half, B on the right one, as pix2pix has them; and in folders.

Size: that which most images have where neither side is above 256 pixels, else 256x256, unless one is asked for.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from somscope.data.collection import Collection
from somscope.data.folder import list_files, read_image_folder, readable
from somscope.data.image_stack import parse_image_size, stack_images
from somscope.data.images import IMAGE_SUFFIXES, Half, UnusableImage, read_header
from somscope.data.pairs import Pairs
from somscope.data.sampling import choose
from somscope.errors import DataError

__all__ = ["look_aligned", "read_aligned", "read_picture_folder", "read_two_folders"]

_LARGEST = 256  # pixels a side, unless a size is asked for
_log = logging.getLogger(__name__)


def read_aligned(
    folder: str | Path, *, image_size: Any = None, limit: int | None = None, seed: int | None = None
) -> Pairs:
    """Pairs from files with A on the left half and B on the right one, under `folder`, in the order of their paths.

    image_size: of a half, see `somscope.data.image_stack`. limit, seed: as in `open_collection`. Files that cannot be
    used are left out, and are in `skipped` of both collections. Raises DataError where there is no usable image.
    """
    folder = Path(folder)
    names = _image_files(folder)
    names = [names[row] for row in choose(len(names), limit, seed)]
    sources = [[Half(folder / name, right) for name in names] for right in (False, True)]
    size = parse_image_size(image_size) or _usual_size(sources[0])
    odd = sum(_size(folder / name)[1] % 2 for name in names)
    if odd:
        _log.warning(
            "%d of %d files have an odd width: their middle column belongs to neither half", odd, len(names)
        )
    places = [readable(name) for name in names]
    sides = []
    for side, halves in zip("AB", sources, strict=True):
        stack = stack_images(halves, places, size)
        kept = [names[row] for row in stack.kept]
        sides.append(
            Collection(
                name=f"{folder.resolve().name} {side}",
                kind="images",
                features=stack.features,
                ids=np.array([readable(name) for name in kept], dtype=np.str_),
                paths=np.array([str(folder / name) for name in kept], dtype=object),
                skipped=stack.skipped,
                source={
                    "reader": "aligned pairs",
                    "side": side,
                    "images": stack.policy,
                    "path": str(folder.resolve()),
                },
            )
        )
    a, b = sides
    return Pairs.align(a, b)


def read_two_folders(a: str | Path, b: str | Path, *, image_size: Any = None) -> Pairs:
    """Pairs from two folders, by the names of the files without extension. Raises as `Pairs.align` does."""
    size = parse_image_size(image_size) or _usual_size([Path(a) / name for name in _image_files(Path(a))])
    return Pairs.align(read_picture_folder(a, image_size=size), read_picture_folder(b, image_size=size))


def read_picture_folder(
    folder: str | Path, *, image_size: Any = None, limit: int | None = None, seed: int | None = None
) -> Collection:
    """All images under a folder, whatever its subfolders mean; for the rest as `read_aligned`."""
    folder = Path(folder)
    names = _image_files(folder)
    size = parse_image_size(image_size) or _usual_size([folder / name for name in names])
    return read_image_folder(folder, image_size=size, subfolders="ignore", limit=limit, seed=seed)


def look_aligned(folder: str | Path, height: int, width: int) -> bool:
    """Whether most images under a folder have the shape of a pair of images of that shape: twice as wide."""
    folder = Path(folder)
    sizes = [size for name in _image_files(folder) if (size := _size(folder / name)) != (0, 0)]
    wide = sum(abs(w / h - 2 * width / height) < 0.1 * width / height for h, w in sizes)
    return 2 * wide > len(sizes) > 0


def _image_files(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder of images")
    files = list_files(folder)
    images = [name for name in files if name.lower().endswith(IMAGE_SUFFIXES)]
    if not images:
        held = f"holds {len(files)} files but no image" if files else "is an empty folder"
        raise DataError(f"{folder} {held}; images are files ending in {', '.join(IMAGE_SUFFIXES)}")
    return images


def _usual_size(sources: Sequence[Path | Half]) -> tuple[int, int]:
    found = Counter(size for source in sources if (size := _size(source)) != (0, 0))
    size = found.most_common(1)[0][0] if found else (_LARGEST, _LARGEST)
    return size if max(size) <= _LARGEST and min(size) > 0 else (_LARGEST, _LARGEST)


def _size(source: Path | Half) -> tuple[int, int]:
    """(height, width); (0, 0) for images that cannot be used, which are named when they are read."""
    try:
        header = read_header(source)
    except UnusableImage:
        return 0, 0
    return header.height, header.width
