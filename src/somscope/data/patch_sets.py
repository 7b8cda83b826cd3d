"""Published sets of local patches, in the layout that their authors distribute: Brown's PhotoTourism and HPatches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from somscope.data.images import IMAGE_SUFFIXES
from somscope.data.keypoints import read_grey
from somscope.errors import DataError

__all__ = ["PatchPairs", "read_brown", "read_hpatches"]

_BROWN, _HPATCHES = 64, 65  # pixels along each side of a patch
_HARDNESS = tuple(f"{level}{i}" for level in "eht" for i in range(1, 6))


@dataclass(frozen=True)
class PatchPairs:
    """patches (n, 64, 64) uint8; points (n,) the place of the scene that each shows; pairs (m, 2) rows, same (m,):
    whether both show one place."""

    patches: NDArray[np.uint8]
    points: NDArray[np.int64]
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]


def read_brown(folder: str | Path, pairs: str = "m50_100000_100000_0.txt") -> PatchPairs:
    """One set (liberty, notredame or yosemite) of Brown, Hua and Winder (PAMI 2011).

    In the folder: patches0000.bmp, patches0001.bmp, ... with 16 x 16 patches of 64 x 64 pixels each, row by row;
    info.txt with a line for each patch, the number of its place first; and a file of pairs, with seven numbers a line:
    patch, place, unused, patch, place, and two unused.
    Raises DataError for what is missing or does not fit together.
    """
    folder = Path(folder)
    info = _numbers(folder / "info.txt", 1)[:, 0]
    sheets = sorted(path for path in folder.glob("patches*") if path.suffix.lower() in IMAGE_SUFFIXES)
    found, read = [], 0
    for path in sheets:
        sheet = read_grey(path)
        if sheet.shape[0] % _BROWN or sheet.shape[1] % _BROWN:
            raise DataError(
                f"{path} has {sheet.shape} pixels, which are no whole patches of {_BROWN}x{_BROWN}"
            )
        rows, columns = (side // _BROWN for side in sheet.shape)
        tiles = sheet.reshape(rows, _BROWN, columns, _BROWN).swapaxes(1, 2).reshape(-1, _BROWN, _BROWN)
        found.append(tiles[: len(info) - read])  # the last sheet is filled up
        read += len(found[-1])
    if read != len(info) or not read:
        raise DataError(f"{folder}: info.txt names {len(info)} patches, and {len(sheets)} sheets hold {read}")
    lines = _numbers(folder / pairs, 5)
    rows_of = lines[:, [0, 3]]
    if (rows_of < 0).any() or (rows_of >= read).any() or not np.array_equal(info[rows_of], lines[:, [1, 4]]):
        raise DataError(f"{folder / pairs} names patches or places that are not those of info.txt")
    return PatchPairs(np.concatenate(found), info, rows_of, lines[:, 1] == lines[:, 4])


def _numbers(path: Path, columns: int) -> NDArray[np.int64]:
    """The first columns of whole numbers of a text file."""
    try:
        found = np.loadtxt(path, dtype=np.int64, usecols=range(columns), ndmin=2)
    except OSError:
        raise DataError(f"{path} is missing, or cannot be read") from None
    except ValueError as error:
        raise DataError(f"{path}: {error}") from None
    if not len(found):
        raise DataError(f"{path} is empty")
    return found


def read_hpatches(folder: str | Path) -> Mapping[str, Mapping[str, NDArray[np.uint8]]]:
    """HPatches (Balntas et al., CVPR 2017) -> {sequence: {"ref", "e1" to "e5", "h1" to ..., "t5": (n, 65, 65)}}.

    Each sequence is a folder, i_NAME (light) or v_NAME (viewpoint), with an image ref.png of patches below each other,
    and up to fifteen others in which the same places lie in the same order: easy, hard and tough.
    Raises DataError for a folder without sequences, and for images that are no columns of as many patches.
    """
    folder = Path(folder)
    sequences = {}
    for place in sorted(path for path in folder.glob("[iv]_*") if path.is_dir()):
        parts = {"ref": _column(place / "ref.png")}
        for name in _HARDNESS:
            if (place / f"{name}.png").is_file():
                parts[name] = _column(place / f"{name}.png")
                if len(parts[name]) != len(parts["ref"]):
                    raise DataError(
                        f"{place}: {name}.png has {len(parts[name])} patches, ref.png {len(parts['ref'])}"
                    )
        sequences[place.name] = parts
    if not sequences:
        raise DataError(f"{folder} has no folders i_NAME or v_NAME: it is not HPatches")
    return sequences


def _column(path: Path) -> NDArray[np.uint8]:
    image = read_grey(path)
    if image.shape[1] != _HPATCHES or image.shape[0] % _HPATCHES:
        raise DataError(
            f"{path} has {image.shape} pixels; needed: a column of patches of {_HPATCHES}x{_HPATCHES}"
        )
    return image.reshape(-1, _HPATCHES, _HPATCHES)
