"""The networks of SOM-VAE: wide 4x4 convolutions for images, small dense layers for vectors (Fortuin et al., 2019)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from somscope.errors import InputError
from somscope.nets.conv import to_planes
from somscope.nets.dense import layers
from somscope.nets.initialise import glorot_uniform, truncated_normal

__all__ = ["dense_decoder", "dense_encoder", "image_decoder", "image_encoder"]

ImageShape = tuple[int, int, int]
_BIAS = 0.1
_DEVIATION = 0.1


class _SameConv(nn.Conv2d):
    """A convolution with a filter of 4x4 whose output has the size of its input: one pixel before, two after."""

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator | None) -> None:
        super().__init__(n_in, n_out, 4)
        if generator is not None:
            truncated_normal(self.weight, _DEVIATION, generator)
            nn.init.constant_(self.bias, _BIAS)  # type: ignore[arg-type]  # it has one

    def forward(self, planes: Tensor) -> Tensor:
        return super().forward(nn.functional.pad(planes, (1, 2, 1, 2)))


class _DoublingConv(_SameConv):
    """Each pixel four times, then a convolution as `_SameConv`: the same sums, without the pixels that are repeated.

    An output in an even row sees the rows above, own, own and below of the smaller plane, one in an odd row own, own,
    below, below; so do columns. Each of the four kinds of output is then a convolution with a filter of 3x3, whose
    weights are sums of the 4x4 ones: a bit more than half the products, on a quarter of the memory.
    """

    seen: Tensor

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator | None) -> None:
        super().__init__(n_in, n_out, generator)
        # (even or odd, place in the filter of 3, place in the filter of 4)
        seen = [[[1, 0, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], [[0, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1]]]
        self.register_buffer("seen", torch.tensor(seen, dtype=torch.float32), persistent=False)

    def forward(self, planes: Tensor) -> Tensor:
        kinds = torch.einsum("pca,qdb,oiab->opqicd", self.seen, self.seen, self.weight).flatten(0, 2)
        assert self.bias is not None
        out = nn.functional.conv2d(planes, kinds, self.bias.repeat_interleave(4), padding=1)
        return nn.functional.pixel_shuffle(out, 2)


class _Planes(nn.Module):
    """(b, H W C) -> (b, C, H, W)."""

    def __init__(self, image_shape: ImageShape) -> None:
        super().__init__()
        self.image_shape = image_shape

    def forward(self, items: Tensor) -> Tensor:
        return to_planes(items, self.image_shape)


class _Items(nn.Module):
    """(b, C, H, W) -> (b, H W C)."""

    def forward(self, planes: Tensor) -> Tensor:
        return planes.permute(0, 2, 3, 1).flatten(1)


def image_encoder(
    image_shape: ImageShape, latent_dim: int, filters: int, generator: torch.Generator | None
) -> nn.Sequential:
    """(b, H W C) -> (b, L): two 4x4 convolutions, each rectified and halved by maxima, then a linear layer.

    Raises InputError for sides that cannot be halved twice.
    """
    height, width, channels = image_shape
    if height % 4 or width % 4:
        raise InputError(
            f"images of {height}x{width} pixels cannot be halved twice; both sides must be multiples of 4 "
            "(give image_size when reading the images, or net='dense')"
        )
    last = nn.Linear(filters * height * width // 16, latent_dim)
    glorot_uniform(last, generator)
    return nn.Sequential(
        _Planes(image_shape),
        _SameConv(channels, filters, generator), nn.ReLU(), nn.MaxPool2d(2),
        _SameConv(filters, filters, generator), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), last,
    )  # fmt: skip


def image_decoder(
    image_shape: ImageShape, latent_dim: int, filters: int, generator: torch.Generator | None
) -> nn.Sequential:
    """(b, L) -> (b, H W C) in [0, 1]: a linear layer, two doublings, each before a 4x4 convolution, a sigmoid."""
    height, width, channels = image_shape
    code = (filters, height // 4, width // 4)
    first = nn.Linear(latent_dim, math.prod(code))
    glorot_uniform(first, generator)
    return nn.Sequential(
        first, nn.Unflatten(1, code),
        _DoublingConv(filters, filters, generator), nn.ReLU(),
        _DoublingConv(filters, channels, generator), nn.Sigmoid(),
        _Items(),
    )  # fmt: skip


def dense_encoder(
    n_features: int,
    latent_dim: int,
    hidden: Sequence[int],
    rectified: bool,
    generator: torch.Generator | None,
) -> nn.Sequential:
    """(b, d) -> (b, L): rectified layers, and a code that is linear or, as published, rectified, too."""
    net = layers([n_features, *hidden, latent_dim])
    glorot_uniform(net, generator)
    return nn.Sequential(nn.Flatten(), net, *([nn.ReLU()] if rectified else []))


def dense_decoder(
    n_features: int, latent_dim: int, hidden: Sequence[int], bounded: bool, generator: torch.Generator | None
) -> nn.Sequential:
    """(b, L) -> (b, d): rectified layers in reverse order, and an output that is linear or, bounded, in [0, 1]."""
    net = layers([latent_dim, *reversed(hidden), n_features])
    glorot_uniform(net, generator)
    return nn.Sequential(net, *([nn.Sigmoid()] if bounded else []))
