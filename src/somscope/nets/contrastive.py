"""Encoders that a contrastive model trains, and the decoder that shows what its codes stand for."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from somscope.nets.conv import to_planes
from somscope.nets.dense import layers
from somscope.nets.initialise import glorot_uniform

__all__ = ["NETWORKS", "CodeDecoder", "DenseEncoder", "ImageEncoder", "projector"]

ImageShape = tuple[int, int, int]

NETWORKS = ("small", "medium", "resnet10", "resnet18", "dense")

_FILTERS = (32, 64, 64, 128)  # of the small encoder, each halving the sides
_BLOCKS = {"medium": (1, 1, 1, 1), "resnet10": (1, 1, 1, 1), "resnet18": (2, 2, 2, 2)}
_WIDTHS = {
    "medium": 32,
    "resnet10": 32,
    "resnet18": 64,
}  # filters of the first stage, doubled from stage to stage
_SHOWN = 32  # longest side at which the decoder draws; larger images are drawn at this size and enlarged


class ImageEncoder(nn.Module):
    """(b, C, H, W) -> (b, L).

    network: "small" (four 3x3 convolutions of stride 2, for about 28 pixels); "resnet10" and "resnet18" (He et al.,
    CVPR 2016, with 1 or 2 blocks a stage, from 32 or 64 filters), whose stages begin on sides up to 32 pixels as they
    are, on sides up to 64 halved, on larger ones halved twice; "medium", resnet10 on sides halved once more, which is
    a quarter of the work.
    generator: draws Glorot's weights; None leaves them to be loaded.
    """

    def __init__(
        self, image_shape: ImageShape, latent_dim: int, network: str, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        height, width, channels = image_shape
        if network == "small":
            sizes = [channels, *_FILTERS]
            parts = [part for i in range(len(_FILTERS)) for part in _conv(sizes[i], sizes[i + 1], 2)]
            shrunk = 2 ** len(_FILTERS)
            n_out = _FILTERS[-1] * math.ceil(height / shrunk) * math.ceil(width / shrunk)
            self.net = nn.Sequential(*parts, nn.Flatten(), nn.Linear(n_out, latent_dim))
        else:
            filters, side = _WIDTHS[network], max(height, width)
            halved = (
                (side > 32) + (side > 64) + (network == "medium")
            )  # by the first convolution, then by pooling
            parts = _conv(channels, filters, 2 if halved else 1)
            parts += [nn.MaxPool2d(3, 2, 1) for _ in range(halved - 1)]
            before = filters
            for stage, n_blocks in enumerate(_BLOCKS[network]):
                for block in range(n_blocks):
                    after = filters * 2**stage
                    parts.append(_Residual(before, after, 2 if stage and not block else 1))
                    before = after
            self.net = nn.Sequential(
                *parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(before, latent_dim)
            )
        glorot_uniform(self, generator)

    def forward(self, planes: Tensor) -> Tensor:
        # In this order convolutions are fastest, on CPU and GPU.
        z: Tensor = self.net(planes.contiguous(memory_format=torch.channels_last))
        return z


class _Residual(nn.Module):
    """Two 3x3 convolutions beside the identity, or beside a 1x1 convolution where the shape changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        first = _conv(before, after, stride)
        self.body = nn.Sequential(*first, *_conv(after, after, 1)[:-1])
        self.beside = (
            nn.Identity()
            if before == after and stride == 1
            else nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))
        )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.beside(x))


def _conv(before: int, after: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(before, after, 3, stride, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


class DenseEncoder(nn.Module):
    """(b, ...) -> (b, L), items flattened: hidden layers, batch-normalised and rectified, and a linear code."""

    def __init__(
        self,
        n_features: int,
        hidden: tuple[int, ...],
        latent_dim: int,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        sizes = [n_features, *hidden]
        parts: list[nn.Module] = []
        for before, after in pairwise(sizes):
            parts += [nn.Linear(before, after, bias=False), nn.BatchNorm1d(after), nn.ReLU()]
        self.net = nn.Sequential(*parts, nn.Linear(sizes[-1], latent_dim))
        glorot_uniform(self, generator)

    def forward(self, items: Tensor) -> Tensor:
        z: Tensor = self.net(items.flatten(1))
        return z


def projector(latent_dim: int, generator: torch.Generator | None = None) -> nn.Sequential:
    """(b, L) -> (b, L): what the codes are contrasted through, L-2L-L, so that they need not forget all that views
    change (SimCLR: Chen et al., ICML 2020, section 4.2)."""
    net = layers([latent_dim, 2 * latent_dim, latent_dim])
    glorot_uniform(net, generator)
    return net


class CodeDecoder(nn.Module):
    """(b, L) codes -> (b, d) items: hidden layers, rectified, and a linear output; for images in 0 .. 1.

    image_shape: None for rows of numbers. Images of longer sides than 32 pixels are drawn at that size and enlarged:
    what a unit has in common is blurred, anyway.
    """

    def __init__(
        self,
        latent_dim: int,
        hidden: tuple[int, ...],
        n_features: int,
        image_shape: ImageShape | None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.image_shape, self.drawn = image_shape, image_shape
        if image_shape is not None:
            height, width, channels = image_shape
            share = min(1.0, _SHOWN / max(height, width))
            self.drawn = (max(1, round(height * share)), max(1, round(width * share)), channels)
            n_features = math.prod(self.drawn)
        self.net = layers([latent_dim, *hidden, n_features])
        glorot_uniform(self, generator)

    def forward(self, codes: Tensor) -> Tensor:
        x: Tensor = self.net(codes)
        if self.image_shape is None or self.drawn is None:
            return x
        x = x.sigmoid()
        if self.drawn != self.image_shape:
            planes = to_planes(x, self.drawn)
            larger = functional.interpolate(
                planes, size=self.image_shape[:2], mode="bilinear", align_corners=False
            )
            x = larger.permute(0, 2, 3, 1).flatten(1)
        return x
