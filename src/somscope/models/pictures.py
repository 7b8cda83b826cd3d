"""Images of a translator as tensors: bytes to -1 .. 1 and back, and the jitter of its training."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from somscope import parts
from somscope.data.derive import grey
from somscope.errors import InputError

__all__ = ["Pixels", "as_pixels", "jitter", "to_bytes", "to_planes", "with_channels"]

Pixels = NDArray[np.uint8]


def as_pixels(x: Any, what: str) -> Pixels:
    """(n, H, W, C) uint8 from a collection of images, or an array or tensor (n, H, W) or (n, H, W, C) of bytes.

    Raises InputError for anything else; `what` says in it which images they are.
    """
    found = getattr(x, "features", x)
    pixels = found.cpu().numpy() if isinstance(found, Tensor) else np.asarray(found)
    if pixels.ndim == 3:
        pixels = pixels[..., None]
    if pixels.dtype != np.uint8 or pixels.ndim != 4 or 0 in pixels.shape:
        raise InputError(
            f"{what} images are {pixels.dtype} of shape {np.shape(found)}; allowed: (n, height, width, channels) "
            "uint8, none of them 0, or a collection of images"
        )
    return pixels


def with_channels(pixels: Pixels, channels: int, what: str) -> Pixels:
    """The images with so many channels: grey ones repeated, coloured ones as luminance.

    Raises InputError where that is not possible.
    """
    has = pixels.shape[3]
    if has == channels:
        return pixels
    if has == 1:
        return np.repeat(pixels, channels, axis=3)
    if has == 3 and channels == 1:
        return grey(pixels)
    raise InputError(f"{what} images have {has} channels; the generator takes {channels}")


def to_planes(pixels: Tensor) -> Tensor:
    """(b, H, W, C) bytes -> (b, C, H, W) float32 in -1 .. 1; channels last in memory on a GPU.

    On a CPU the planes lie one after the other: with channels last a training step on one image takes half as long
    again, since the weights, which are larger than the image, are brought into another order each time.
    """
    planes = pixels.permute(0, 3, 1, 2)
    planes = planes.contiguous() if planes.device.type == "cpu" else planes
    return planes.float().div(127.5).sub_(1.0)


def to_bytes(planes: Tensor) -> Tensor:
    """(b, C, H, W) in -1 .. 1 -> (b, H, W, C) bytes: (x + 1) / 2 * 255, cut off and not rounded, as published."""
    scaled = planes.float().add(1.0).div_(2.0).mul_(255.0).clamp_(0.0, 255.0)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1)


def jitter(pixels: Tensor, enlarge: float, flip: bool, generator: torch.Generator) -> Tensor:
    """(b, H, W, C) bytes, enlarged (bicubic) by the factor, cut back to H x W at a random place, and mirrored or not.

    All channels of an item, so both images of a pair, get the same place and side. Published: 256 to 286 pixels.
    """
    n, height, width = pixels.shape[:3]
    device = pixels.device
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    rows, columns = rows.expand(n, -1), columns.expand(n, -1)
    size = (round(height * enlarge), round(width * enlarge))
    if size != (height, width):
        planes = pixels.permute(0, 3, 1, 2).float()
        for step in (
            (height, size[1]),
            size,
        ):  # Pillow's bicubic: across, then down, in whole numbers each time
            planes = F.interpolate(planes, size=step, mode="bicubic", antialias=True).round_().clamp_(0, 255)
        pixels = planes.to(torch.uint8).permute(0, 2, 3, 1)

        def place(largest: int) -> Tensor:
            return parts.randint(largest + 1, n, 1, generator=generator, device=device)

        rows, columns = rows + place(size[0] - height), columns + place(size[1] - width)
    if flip:
        mirrored = parts.rand(n, 1, generator=generator, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    if size == (height, width) and not flip:
        return pixels
    items = torch.arange(n, device=device)[:, None, None]
    return pixels[items, rows[:, :, None], columns[:, None, :]]
