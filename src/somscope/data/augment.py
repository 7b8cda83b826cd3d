"""Random views of items, whole batches at a time, on the device that holds them.

Two views of one item are what a contrastive model learns from. Which changes leave an item what it is, is knowledge
from outside the data: each preset says what it takes for granted, and tables name it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from somscope import parts
from somscope.errors import InputError, check_choice

__all__ = [
    "AUGMENTATIONS",
    "Augmentation",
    "ImageAugmentation",
    "RowCorruption",
    "affine",
    "choose_augmentation",
    "colour",
    "crop",
    "elastic_field",
    "erase",
    "flip",
    "gain",
    "gamma",
    "shade",
    "strokes",
    "warp",
]

Range = tuple[float, float]

_KNOTS = 5  # of the elastic field, along each side
_ASPECT = (3 / 4, 4 / 3)  # of crops and erased rectangles
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601
_SAMPLE = 1000  # images whose statistics choose an augmentation
_NEAR = 0.06  # of a background's level: still background
_FRAMED = 0.6  # share of the frame's pixels in the background, from which on the images have one
_THIN = 0.7  # share of the foreground in lines that a square of a quarter of the side does not fit into
_SPARSE = 0.8  # share of zeros from which on rows without negative numbers are taken for counts of words


def _uniform(
    generator: torch.Generator, n: int, between: Range, *, logarithmic: bool = False
) -> Tensor:  # (n,)
    low, high = (math.log(b) for b in between) if logarithmic else between
    drawn = parts.rand(n, generator=generator, device=generator.device) * (high - low) + low
    return drawn.exp() if logarithmic else drawn


def _happens(generator: torch.Generator, n: int, probability: float) -> Tensor:  # (n,) bool
    return parts.rand(n, generator=generator, device=generator.device) < probability


def _wide(values: Tensor) -> Tensor:
    return values[:, None, None, None]


# Geometry: matrices (n, 3, 3) and fields that lead from a place in the view to the place in the image that it shows.
# Places are (x, y), each from -1 to 1 between the outer edges of the image.


def _identity(generator: torch.Generator, n: int) -> Tensor:
    return torch.eye(3, device=generator.device).repeat(n, 1, 1)


def affine(
    generator: torch.Generator,
    n: int,
    size: tuple[int, int],
    rotation: float = 0.0,
    scale: Range = (1.0, 1.0),
    shear: float = 0.0,
    shift: float = 0.0,
) -> Tensor:
    """(n, 3, 3) random affine maps about the middle of images of size (H, W).

    rotation, shear: largest angle in degrees, either way; scale: how large a view shows things, log-uniform; shift:
    largest way in shares of a side. 0, 0, 0 and (1, 1) are the identity.
    """
    turned = _uniform(generator, n, (-rotation, rotation)).deg2rad()
    skew = _uniform(generator, n, (-shear, shear)).deg2rad().tan()
    larger = _uniform(generator, n, scale, logarithmic=True)
    cos, sin = turned.cos() / larger, turned.sin() / larger
    ratio = size[0] / size[1]  # so that angles are those of the pixels, whatever the sides
    matrix = _identity(generator, n)
    matrix[:, 0, 0], matrix[:, 0, 1] = cos, (cos * skew - sin) * ratio
    matrix[:, 1, 0], matrix[:, 1, 1] = sin / ratio, sin * skew + cos
    for axis in (0, 1):
        matrix[:, axis, 2] = 2.0 * _uniform(generator, n, (-shift, shift))
    return matrix


def crop(generator: torch.Generator, n: int, area: Range) -> Tensor:
    """(n, 3, 3) random crops that are drawn out to the whole view: area in shares of the image, sides up to 4 : 3.

    (1, 1) is the identity.
    """
    share = _uniform(generator, n, area).sqrt()
    stretch = _uniform(generator, n, _ASPECT, logarithmic=True).sqrt()
    matrix = _identity(generator, n)
    for axis, side in enumerate((share * stretch, share / stretch)):
        side = side.clamp_max(1.0) if area != (1.0, 1.0) else torch.ones_like(side)
        matrix[:, axis, axis] = side
        matrix[:, axis, 2] = (1.0 - side) * _uniform(generator, n, (-1.0, 1.0))
    return matrix


def flip(generator: torch.Generator, n: int, probability: float) -> Tensor:
    """(n, 3, 3): left and right exchanged with a probability."""
    matrix = _identity(generator, n)
    matrix[:, 0, 0] = 1.0 - 2.0 * _happens(generator, n, probability).float()
    return matrix


def elastic_field(generator: torch.Generator, n: int, size: tuple[int, int], strength: float) -> Tensor:
    """(n, H, W, 2) smooth random ways: normal at 5x5 knots, of deviation `strength` in shares of a side, cubic between.

    The idea is that of Simard et al. (ICDAR 2003), who smooth a field of the images' size instead.
    """
    return 2.0 * strength * _smooth(generator, n, 2, size).permute(0, 2, 3, 1)


def _smooth(generator: torch.Generator, n: int, fields: int, size: tuple[int, int]) -> Tensor:
    """(n, fields, H, W): standard normal at 5x5 knots, cubic between."""
    knots = parts.randn(n, fields, _KNOTS, _KNOTS, generator=generator, device=generator.device)
    down, across = (_spline(side, generator.device) for side in size)
    return down @ knots @ across.T


def _spline(side: int, device: torch.device) -> Tensor:
    """(side, 5): what each knot counts at each pixel. Both sides by products is several times faster than at once."""
    knots = torch.eye(_KNOTS, device=device)[None, None]
    return functional.interpolate(knots, size=(side, _KNOTS), mode="bicubic", align_corners=True)[0, 0]


def warp(
    images: Tensor, matrices: Tensor, field: Tensor | None = None, padding: str = "background"
) -> Tensor:
    """(n, C, H, W) float -> (n, C, H, W): what the views show, with bilinear interpolation.

    matrices: (n, 3, 3) from views to images; field: (n, H, W, 2) added to where they lead; padding: what lies outside
    of an image, "background" (the median of its frame) or "reflection".
    """
    check_choice("padding", padding, ("background", "reflection"))
    n, _, height, width = images.shape
    places = functional.affine_grid(matrices[:, :2], [n, 1, height, width], align_corners=False)
    if field is not None:
        places = places + field
    if padding == "reflection":
        return functional.grid_sample(images, places, padding_mode="reflection", align_corners=False)
    ground = background(images)
    return functional.grid_sample(images - ground, places, align_corners=False) + ground


# Looks


def background(images: Tensor) -> Tensor:
    """(n, C, H, W) -> (n, C, 1, 1) median of the pixels of each image's frame."""
    return _frame(images).median(2).values[..., None, None]


def _frame(images: Tensor) -> Tensor:
    """(n, C, H, W) -> (n, C, p) pixels along the four edges, those at corners twice."""
    return torch.cat([images[:, :, 0], images[:, :, -1], images[..., 0], images[..., -1]], 2)


def strokes(generator: torch.Generator, images: Tensor, probability: float) -> Tensor:
    """Thicker or thinner lines: part of the way, uniform, to the largest or smallest value of 3x3 pixels."""
    n = len(images)
    happens = _happens(generator, n, probability).float()
    amount = _wide(_uniform(generator, n, (-1.0, 1.0)) * happens)
    dilated, eroded = _of_neighbours(images, torch.maximum), _of_neighbours(images, torch.minimum)
    return images + amount.clamp_min(0.0) * (dilated - images) + amount.clamp_max(0.0) * (images - eroded)


def _of_neighbours(images: Tensor, pick: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The largest or smallest of 3x3 pixels, first across and then down; much faster than pooling."""
    for axis in (3, 2):
        length, out = images.shape[axis] - 1, images.clone()
        before, after = out.narrow(axis, 0, length), out.narrow(axis, 1, length)
        before.copy_(pick(before, images.narrow(axis, 1, length)))
        after.copy_(pick(after, images.narrow(axis, 0, length)))
        images = out
    return images


def gain(generator: torch.Generator, images: Tensor, strength: float) -> Tensor:
    """The difference from the background times 1 - strength .. 1 + strength, within 0 .. 1."""
    ground = background(images)
    factor = _wide(_uniform(generator, len(images), (1.0 - strength, 1.0 + strength)))
    return torch.addcmul(ground, images - ground, factor).clamp(0.0, 1.0)


def gamma(generator: torch.Generator, images: Tensor, strength: float) -> Tensor:
    """Values x to the power exp(u), u uniform in -strength .. strength: lit or dimmed, but for black and white."""
    power = _wide(_uniform(generator, len(images), (-strength, strength))).exp()
    return images.clamp(0.0, 1.0) ** power


def shade(generator: torch.Generator, images: Tensor, strength: float) -> Tensor:
    """Uneven light: the difference from the background times exp(strength f), f a smooth field, within 0 .. 1.

    f: normal at 5x5 knots, of deviation 1, cubic between.
    """
    ground = background(images)
    light = (strength * _smooth(generator, len(images), 1, (images.shape[2], images.shape[3]))).exp()
    return torch.addcmul(ground, images - ground, light).clamp(0.0, 1.0)


def colour(
    generator: torch.Generator, images: Tensor, strength: float, hue: float = 0.0, grey: float = 0.0
) -> Tensor:
    """Brightness, contrast and, of three channels, saturation each times 1 - strength .. 1 + strength; then hue.

    hue: largest turn of the colours about grey, in shares of a full one; grey: probability of no colour at all. After
    SimCLR (Chen et al., ICML 2020, appendix A), in one order, and with hues turned in YIQ. Values stay within 0 .. 1.
    """
    n, channels = images.shape[:2]
    between = (1.0 - strength, 1.0 + strength)
    x = (images * _wide(_uniform(generator, n, between))).clamp(0.0, 1.0)
    tone = _tone(x).mean((2, 3), keepdim=True)
    x = (tone + (x - tone) * _wide(_uniform(generator, n, between))).clamp(0.0, 1.0)
    if channels != 3:
        return x
    colourful = _uniform(generator, n, between) * (1.0 - _happens(generator, n, grey).float())
    angle = 2.0 * math.pi * _uniform(generator, n, (-hue, hue))
    to_yiq = torch.tensor([_GREY, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)], device=x.device)
    turn = _identity(generator, n)
    turn[:, 1, 1] = turn[:, 2, 2] = angle.cos() * colourful
    turn[:, 1, 2], turn[:, 2, 1] = -angle.sin() * colourful, angle.sin() * colourful
    mix = torch.linalg.inv(to_yiq) @ turn @ to_yiq
    return torch.bmm(mix, x.flatten(2)).view_as(x).clamp(0.0, 1.0)


def _tone(images: Tensor) -> Tensor:
    """(n, C, H, W) -> (n, 1, H, W) grey."""
    if images.shape[1] != 3:
        return images.mean(1, keepdim=True)
    weights = torch.tensor(_GREY, device=images.device)[None, :, None, None]
    return (images * weights).sum(1, keepdim=True)


def erase(
    generator: torch.Generator, images: Tensor, probability: float, area: Range = (0.02, 0.2)
) -> Tensor:
    """A rectangle takes the mean of its image, with a probability; area in shares of the image (Zhong et al. 2020)."""
    n, _, height, width = images.shape
    happens = _happens(generator, n, probability)
    inside = _wide(happens)
    share = _uniform(generator, n, area).sqrt()
    stretch = _uniform(generator, n, _ASPECT, logarithmic=True).sqrt()
    for side, length, shape in (
        (share * stretch, height, (1, 1, -1, 1)),
        (share / stretch, width, (1, 1, 1, -1)),
    ):
        side = side.clamp_max(1.0)
        start = (1.0 - side) * _uniform(generator, n, (0.0, 1.0))
        at = ((torch.arange(length, device=images.device) + 0.5) / length).view(shape)
        inside = inside & (at >= _wide(start)) & (at <= _wide(start + side))
    return torch.where(inside, images.mean((2, 3), keepdim=True), images)


# Whole augmentations


@dataclass(frozen=True)
class ImageAugmentation:
    """One random view of each image: geometry first, in one look at the pixels, then looks.

    rotation, shear: degrees; scale, crop: (least, most); shift, elastic: shares of a side; flip, strokes, grey, erase:
    probabilities; gain, gamma, shade, colour, hue: strengths; padding: as of `warp`. See the functions of these names.
    Everything is off unless it is given, and a view is then the image.
    """

    rotation: float = 0.0
    scale: Range = (1.0, 1.0)
    shear: float = 0.0
    shift: float = 0.0
    crop: Range = (1.0, 1.0)
    flip: float = 0.0
    elastic: float = 0.0
    strokes: float = 0.0
    gain: float = 0.0
    gamma: float = 0.0
    shade: float = 0.0
    colour: float = 0.0
    hue: float = 0.0
    grey: float = 0.0
    erase: float = 0.0
    padding: str = "background"

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """(n, C, H, W) uint8 or float32 in 0 .. 1 -> (n, C, H, W) float32 in 0 .. 1, each image changed on its own.

        generator: on the images' device. The same state gives the same views.
        """
        x = images.float().div_(255.0) if images.dtype == torch.uint8 else images.float()
        n, size = len(x), (x.shape[2], x.shape[3])
        matrices = []
        if self.crop != (1.0, 1.0):
            matrices.append(crop(generator, n, self.crop))
        if self.flip:
            matrices.append(flip(generator, n, self.flip))
        if self.rotation or self.shear or self.shift or self.scale != (1.0, 1.0):
            matrices.append(affine(generator, n, size, self.rotation, self.scale, self.shear, self.shift))
        if matrices or self.elastic:
            whole = _identity(generator, n)
            for matrix in matrices:
                whole = whole @ matrix
            field = elastic_field(generator, n, size, self.elastic) if self.elastic else None
            x = warp(x, whole, field, self.padding)
        if self.strokes:
            x = strokes(generator, x, self.strokes)
        if self.gain:
            x = gain(generator, x, self.gain)
        if self.gamma:
            x = gamma(generator, x, self.gamma)
        if self.shade:
            x = shade(generator, x, self.shade)
        if self.colour or self.hue or self.grey:
            x = colour(generator, x, self.colour, self.hue, self.grey)
        if self.erase:
            x = erase(generator, x, self.erase)
        return x.clamp(0.0, 1.0)


@dataclass(frozen=True)
class RowCorruption:
    """One random view of each row of numbers, which takes nothing about them for granted.

    swap: probability that a value is replaced by that of another row of the batch in the same column (SCARF: Bahri et
    al., ICLR 2022); drop: probability that it becomes 0, as a word that is left out.
    """

    swap: float = 0.0
    drop: float = 0.0

    def __call__(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """(n, d) uint8 or float32 -> (n, d) float32; bytes are divided by 255. generator: on the rows' device."""
        x = rows.float().div_(255.0) if rows.dtype == torch.uint8 else rows.float()
        if self.swap:
            rows = parts.gathered(x)
            other = parts.randint(len(rows), *x.shape, generator=generator, device=generator.device)
            happens = parts.rand(*x.shape, generator=generator, device=generator.device) < self.swap
            x = torch.where(happens, rows.gather(0, other), x)
        if self.drop:
            kept = parts.rand(*x.shape, generator=generator, device=generator.device) >= self.drop
            x = x * kept
        return x


Augmentation = ImageAugmentation | RowCorruption

AUGMENTATIONS: Mapping[str, Augmentation] = {
    # A sign stays what it is when it is bent, moved a little and written with another pen.
    "digits": ImageAugmentation(
        rotation=20.0, scale=(0.8, 1.25), shear=15.0, shift=0.15, elastic=0.03, strokes=0.7, gain=0.3
    ),
    # A thing stays what it is when it is mirrored, lit in another way or partly hidden: its shape counts, not its
    # pattern.
    "objects": ImageAugmentation(
        rotation=5.0,
        scale=(0.9, 1.1),
        shift=0.05,
        flip=0.5,
        strokes=0.6,
        gain=0.8,
        gamma=1.0,
        shade=0.8,
        erase=0.3,
    ),
    # A photograph shows the same when it is cropped, mirrored, and lit in another way (SimCLR's, at half its strength).
    "photos": ImageAugmentation(
        crop=(0.25, 1.0), flip=0.5, colour=0.4, hue=0.1, grey=0.2, padding="reflection"
    ),
    "vectors": RowCorruption(swap=0.3),
    "text": RowCorruption(drop=0.3),
}


def choose_augmentation(items: NDArray[Any], image_shape: tuple[int, int, int] | None) -> tuple[str, str]:
    """The name in `AUGMENTATIONS` that fits items (n, d), images of image_shape (H, W, C) if there is one; and why.

    Looked at are up to 1000 items, evenly spread. Images without a uniform frame are photos; those with one show
    strokes, if a square of a quarter of their side fits into little of them, or objects. Rows without negative numbers,
    of which most are 0, are text.
    """
    sample = items[np.unique(np.linspace(0, len(items) - 1, min(_SAMPLE, len(items))).astype(np.int64))]
    if image_shape is None:
        zeros = float(np.mean(sample == 0))
        if zeros >= _SPARSE and (sample >= 0).all():
            return "text", f"text: {zeros:.0%} of the values are 0, and none is negative"
        return "vectors", f"vectors: items are rows of numbers, of which {zeros:.0%} are 0"
    if math.prod(image_shape) != sample[0].size:
        raise InputError(f"images of {image_shape} do not have {sample[0].size} values")
    planes = torch.from_numpy(np.ascontiguousarray(sample)).reshape(-1, *image_shape).permute(0, 3, 1, 2)
    x = planes.float().div(255.0) if planes.dtype == torch.uint8 else planes.float()
    ground = background(x)
    framed = float(((_frame(x) - ground[..., 0]).abs() <= _NEAR).float().mean())
    if framed < _FRAMED:
        return "photos", f"photos: {framed:.0%} of the pixels along the edges are of one level in each image"
    thin = _thin_share((x - ground).abs().mean(1, keepdim=True))
    facts = f"a background ({framed:.0%} of the pixels along the edges), and {thin:.0%} of what stands on it is thin"
    return ("digits", f"digits: {facts}") if thin >= _THIN else ("objects", f"objects: {facts}")


def _thin_share(foreground: Tensor) -> float:
    """Share of (n, 1, H, W) that an opening with a square of a quarter of the shorter side, but 3 at least, removes."""
    side = max(3, min(foreground.shape[2:]) // 4 | 1)
    eroded = -functional.max_pool2d(-foreground, side, stride=1, padding=side // 2)
    opened = functional.max_pool2d(eroded, side, stride=1, padding=side // 2)
    total = float(foreground.sum())
    return 1.0 - float(opened.sum()) / total if total > 0 else 0.0
