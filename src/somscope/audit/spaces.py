"""Feature spaces by name: what the distances between images are distances of. Every number of an audit carries one.

pixels      all pixels, 0..1
downscaled  averages over at most 16 x 16 blocks: colours and layout, no texture
conv        a fixed convolutional net whose weights are random (seed 0) and never trained
hog         histograms of oriented gradients (Dalal & Triggs 2005): edges and their layout, no colour
run:FOLDER  what the model of a somscope run makes of an image: the latent code of a deep map such as DESOM, the
            distances to the prototypes of a plain map, the bits of a coder such as BinGAN (squared distances are
            Hamming distances)
features:FILE, inception:FILE  vectors that were computed elsewhere, see `somscope.audit.feature_files`
or any callable (n, H, W, C) uint8 -> (n, d).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from somscope.audit.rotation import rotate
from somscope.errors import InputError, RunError, closest

__all__ = ["NAMED_SPACES", "Space", "check_space", "downscaled", "embed", "file_of", "space_name", "turned"]

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Space: TypeAlias = "str | Callable[[Pixels], Any]"

_SIDE = 16  # of a downscaled image
_CONV_SIDE = 64  # pixels a side of what conv and hog look at
_CELLS, _BINS = 8, 9  # of hog: 8 x 8 pixels a cell, 9 directions
_BATCH = 256
_ROTATED = 3000  # items: beyond, an (n, n) product costs more than long vectors


def space_name(space: Space) -> str:
    """What numbers in this space are labelled with."""
    if not isinstance(space, str):
        return str(getattr(space, "__name__", type(space).__name__))
    kind = space.partition(":")[0]
    return f"{kind}:{Path(space.removeprefix(kind + ':')).name}" if file_of(space) else space


def file_of(space: Space) -> str | None:
    """The file of features:FILE or inception:FILE; None for other spaces."""
    kind, colon, file = space.partition(":") if isinstance(space, str) else ("", "", "")
    return file if colon and kind in ("features", "inception") else None


def check_space(space: Space) -> None:
    """Raises InputError for a name that is none, before anything is computed."""
    if callable(space) or space in NAMED_SPACES or space.startswith("run:") or file_of(space):
        return
    allowed = [*NAMED_SPACES, "run:FOLDER", "features:FILE", "inception:FILE"]
    raise InputError(
        f"space={space!r} is not known; allowed: {', '.join(allowed)}, or a function{closest(space, allowed)}"
    )


def embed(space: Space, *sets: Pixels) -> tuple[Floats, ...]:
    """The images of all sets in one space, (n_k, d) each, turned into few dimensions where that changes no distance.

    Raises InputError for an unknown name, and for a callable that does not return one finite row for each image.
    """
    return turned(*(_features(space, pixels) for pixels in sets))


def turned(*parts: NDArray[Any]) -> tuple[Floats, ...]:
    """Features of all sets in few dimensions, where that changes no distance."""
    if sum(len(part) for part in parts) <= _ROTATED:
        return rotate(*parts)
    return tuple(np.asarray(part.reshape(len(part), -1), dtype=np.float64) for part in parts)


def _features(space: Space, pixels: Pixels) -> NDArray[Any]:
    if callable(space):
        return _checked(space_name(space), space(pixels), len(pixels))
    if space.startswith("run:"):
        return _checked(space, _of_run(space.removeprefix("run:"), pixels), len(pixels))
    check_space(space)
    return NAMED_SPACES[space](pixels)


def _checked(name: str, features: Any, n: int) -> NDArray[Any]:
    array = np.asarray(features)
    if array.ndim != 2 or len(array) != n or array.dtype.kind not in "fiub" or not np.isfinite(array).all():
        raise InputError(
            f"space {name} gave an array of shape {array.shape}, {array.dtype}; allowed: ({n}, d) finite numbers"
        )
    return array


def _pixels(pixels: Pixels) -> NDArray[Any]:
    return np.divide(pixels, np.float32(255), dtype=np.float32).reshape(len(pixels), -1)


def downscaled(pixels: Pixels) -> NDArray[Any]:
    """(n, d) averages over at most 16 x 16 blocks, 0..1."""
    return (_resized(pixels, _SIDE) / np.float32(255)).reshape(len(pixels), -1)


def _resized(pixels: Pixels, side: int) -> Pixels:
    """Images brought to at most side x side pixels, each the average of those it covers."""
    height, width = pixels.shape[1:3]
    if height <= side and width <= side:
        return pixels
    size = (min(side, width), min(side, height))
    out = np.empty((len(pixels), size[1], size[0], pixels.shape[3]), dtype=np.uint8)
    for at, picture in enumerate(pixels):
        image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture)
        out[at] = np.asarray(image.resize(size, Image.Resampling.BOX)).reshape(out.shape[1:])
    return out


def _conv(pixels: Pixels) -> NDArray[Any]:
    """Mean and deviation over the image of every channel after each of three random 5 x 5 layers with stride 2."""
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(0)
    channels = (pixels.shape[3], 32, 64, 128)
    weights = [
        torch.randn(out, into, 5, 5, generator=generator) * (2.0 / (25 * into)) ** 0.5
        for into, out in pairwise(channels)
    ]
    rows = []
    with torch.no_grad():
        for start in range(0, len(pixels), _BATCH):
            small = _resized(pixels[start : start + _BATCH], _CONV_SIDE)
            x = torch.from_numpy(small.astype(np.float32) / 127.5 - 1.0).permute(0, 3, 1, 2)
            pooled = []
            for weight in weights:
                x = functional.relu(functional.conv2d(x, weight, stride=2, padding=2))
                pooled += [x.mean(dim=(2, 3)), x.std(dim=(2, 3), unbiased=False)]
            rows.append(torch.cat(pooled, dim=1).numpy())
    return np.concatenate(rows)


def _hog(pixels: Pixels) -> NDArray[Any]:
    """Gradients of the grey image in 9 directions (0..180 degrees), summed over cells of 8 x 8 pixels, shared between
    the two nearest directions; blocks of 2 x 2 cells scaled to length 1, cut at 0.2 and scaled again."""
    small = _resized(pixels, _CONV_SIDE)
    if min(small.shape[1:3]) < 2 * _CELLS:
        raise InputError(
            f"space hog needs images of at least {2 * _CELLS} pixels a side, got {small.shape[1:3]}"
        )
    return np.concatenate([_hog_batch(small[at : at + _BATCH]) for at in range(0, len(small), _BATCH)])


def _hog_batch(small: Pixels) -> NDArray[Any]:
    grey = small.mean(axis=3)
    rows, columns = (side // _CELLS for side in grey.shape[1:])
    grey = grey[:, : rows * _CELLS, : columns * _CELLS]
    down, across = np.zeros_like(grey), np.zeros_like(grey)
    down[:, 1:-1] = grey[:, 2:] - grey[:, :-2]
    across[:, :, 1:-1] = grey[:, :, 2:] - grey[:, :, :-2]
    strength = np.hypot(down, across)
    turn = (np.arctan2(down, across) / np.pi % 1.0) * _BINS - 0.5
    lower = np.floor(turn)
    upper_share = turn - lower
    cells = np.zeros((len(grey), rows, columns, _BINS))
    for direction in range(_BINS):
        share = np.where(lower % _BINS == direction, 1 - upper_share, 0.0)
        share += np.where((lower + 1) % _BINS == direction, upper_share, 0.0)
        cells[..., direction] = (strength * share).reshape(-1, rows, _CELLS, columns, _CELLS).sum(axis=(2, 4))
    blocks = np.concatenate(
        [cells[:, i : rows - 1 + i, j : columns - 1 + j] for i in (0, 1) for j in (0, 1)], axis=3
    )
    blocks = blocks / (np.linalg.norm(blocks, axis=3, keepdims=True) + 1e-6)
    blocks = np.minimum(blocks, 0.2)
    blocks = blocks / (np.linalg.norm(blocks, axis=3, keepdims=True) + 1e-6)
    return np.asarray(blocks.reshape(len(blocks), -1))


def _of_run(folder: str, pixels: Pixels) -> Any:
    from somscope.data.collection import Collection
    from somscope.runs import Run
    from somscope.runs.code_run import CodeRun
    from somscope.runs.features import feature_matrix, is_deep

    try:
        run: CodeRun | Run = CodeRun.open(folder)
    except RunError:
        run = Run.open(folder)
    shape = run.config["collection"].get("image_shape")
    if shape is None:
        raise InputError(
            f"{folder} is a run of {run.config['collection']['kind']}; a space needs a run of images"
        )
    collection = Collection("audit", "images", _shaped(pixels, tuple(shape)))
    if isinstance(run, CodeRun):
        return np.unpackbits(run.encoder.encode(collection), axis=1)
    model = run.model()
    return model.encode(collection) if is_deep(model) else model.transform(feature_matrix(collection))


def _shaped(pixels: Pixels, shape: tuple[int, int, int]) -> Pixels:
    """Images in the shape that a run was trained on: resized, and made grey or coloured."""
    mode = "L" if shape[2] == 1 else "RGB"
    out = np.empty((len(pixels), *shape), dtype=np.uint8)
    for at, picture in enumerate(pixels):
        image = Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).convert(mode)
        if image.size != (shape[1], shape[0]):
            image = image.resize((shape[1], shape[0]), Image.Resampling.LANCZOS)
        out[at] = np.asarray(image).reshape(shape)
    return out


NAMED_SPACES: dict[str, Callable[[Pixels], NDArray[Any]]] = {
    "pixels": _pixels,
    "downscaled": downscaled,
    "conv": _conv,
    "hog": _hog,
}
