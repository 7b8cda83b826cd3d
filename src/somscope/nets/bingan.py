"""Generator and discriminator of BinGAN (Zieba et al., NeurIPS 2018), layer by layer as in its authors' code."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = [
    "NOISE",
    "TASKS",
    "Discriminator",
    "Features",
    "Generator",
    "WeightNorm",
    "draw_weights",
    "initialise_from",
]

TASKS = ("retrieval", "matching")
NOISE = 100  # numbers that an image is generated from
_DEVIATION = 0.05  # of the first weights
_SLOPE = 0.2  # of the leaky rectifiers

Layer = nn.Conv2d | nn.ConvTranspose2d | nn.Linear


class WeightNorm(nn.Module):
    """A layer whose weights are g v / sqrt(1e-6 + |v|^2), a length g and a direction v for each output, and a bias.

    layer: has v as its weight, and the bias. deviation: of the outputs after `initialise_from`. trained: also learn g;
    otherwise it stays as it was initialised.
    """

    scale: Tensor

    def __init__(self, layer: Layer, deviation: float = 1.0, trained: bool = False) -> None:
        super().__init__()
        self.layer, self.deviation = layer, deviation
        self.axis = 1 if isinstance(layer, nn.ConvTranspose2d) else 0
        ones = torch.ones(layer.weight.shape[self.axis])
        if trained:
            self.scale = nn.Parameter(ones)
        else:
            self.register_buffer("scale", ones)

    def weight(self) -> Tensor:
        """g v / sqrt(1e-6 + |v|^2), in the shape of v."""
        v = self.layer.weight
        others = [axis for axis in range(v.ndim) if axis != self.axis]
        lengths = v.square().sum(others, keepdim=True).add(1e-6).sqrt()
        return v * (self.scale.view_as(lengths) / lengths)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = functional_call(self.layer, {"weight": self.weight()}, (x,))
        return out

    def standardise(self, out: Tensor) -> Tensor:
        """Outputs (b, outputs, ...) -> the same with mean 0 and `deviation`, by the scale and the bias that the layer
        has from now on. An output that is the same everywhere keeps its scale."""
        across = [axis for axis in range(out.ndim) if axis != 1]
        mean, spread = out.mean(across), out.std(across, correction=0)
        factor = torch.where(spread > 1e-6, self.deviation / spread, 1.0)
        bias = self.layer.bias
        assert bias is not None
        bias.copy_((bias - mean) * factor)
        self.scale.copy_(self.scale * factor)
        shape = [1, -1, *[1] * (out.ndim - 2)]
        return (out - mean.view(shape)) * factor.view(shape)


@torch.no_grad()
def initialise_from(net: nn.Module, batch: Tensor) -> None:
    """Pass a batch through a net, whose weight-normalised layers standardise what they see of it, one after the other
    (Salimans & Kingma, NIPS 2016, section 3). What is random in the net, as dropout, is so here."""
    hooks = [
        module.register_forward_hook(lambda layer, given, out: layer.standardise(out))
        for module in net.modules()
        if isinstance(module, WeightNorm)
    ]
    try:
        net(batch)
    finally:
        for hook in hooks:
            hook.remove()


class Features(NamedTuple):
    """What a discriminator says of b images.

    low: (b, K) f, whose signs are the bits. high: (b, M) h, whose distances the bits are to have. matched: (b, F) what
    generated images have to match. output: (b, 2).
    """

    low: Tensor
    high: Tensor
    matched: Tensor
    output: Tensor


class Discriminator(nn.Module):
    """Seven convolutions, two layers of 1x1, the mean over the image, and linear layers; all with weight norm.

    bits: K. task: "retrieval": f is a linear layer of K behind the mean, h the mean of the second 1x1 layer (M = 192);
    generated images have to match f. "matching": f is the mean of the first 1x1 layer, of K, h the last convolution
    flattened (M = 128 x 6 x 6 for 32 x 32 pixels), and generated images have to match the mean of the second 1x1 layer.
    width: factor for the filters of all layers but f and the output. pooled_high: in matching, h is the mean of the
    second 1x1 layer, as the text has it.
    """

    def __init__(
        self, bits: int, task: str = "retrieval", width: float = 1.0, *, pooled_high: bool = False
    ) -> None:
        super().__init__()
        self.pooled_high = pooled_high
        first, second = (round(n * width) for n in ((96, 192) if task == "retrieval" else (96, 128)))
        middle = bits if task == "matching" else second
        self.convolutions = nn.Sequential(
            nn.Dropout(0.2),
            *_convolution(3, first),
            *_convolution(first, first),
            *_convolution(first, first, stride=2),
            nn.Dropout(0.5),
            *_convolution(first, second),
            *_convolution(second, second),
            *_convolution(second, second, stride=2),
            nn.Dropout(0.5),
            *_convolution(second, second, padding=0),
        )
        self.first = nn.Sequential(*_convolution(second, middle, size=1, padding=0))
        self.second = nn.Sequential(*_convolution(middle, second, size=1, padding=0))
        self.code = WeightNorm(nn.Linear(second, bits), 0.1, trained=True) if task == "retrieval" else None
        self.output = WeightNorm(nn.Linear(second if self.code is None else bits, 2), 0.1, trained=True)

    def forward(self, images: Tensor) -> Features:
        """(b, 3, H, W) in -1 .. 1."""
        maps = self.convolutions(images)
        inner = self.first(maps)
        pooled = self.second(inner).mean((2, 3))
        if self.code is not None:
            low = self.code(pooled)
            return Features(low, pooled, low, self.output(low))
        high = pooled if self.pooled_high else maps.flatten(1)
        return Features(inner.mean((2, 3)), high, pooled, self.output(pooled))

    def low(self, images: Tensor) -> Tensor:
        """(b, 3, H, W) -> (b, K) f alone."""
        inner = self.first(self.convolutions(images))
        low: Tensor = inner.mean((2, 3)) if self.code is None else self.code(self.second(inner).mean((2, 3)))
        return low


class Generator(nn.Module):
    """Noise (b, 100), uniform in 0 .. 1 -> images (b, 3, H, W) in -1 .. 1: a linear layer and three transposed
    convolutions. It always takes mean and variance of its batch, and its normalisations learn a shift alone.

    height, width: of the images, multiples of 8. share: factor for the filters of all layers but the last.
    """

    def __init__(self, height: int = 32, width: int = 32, share: float = 1.0) -> None:
        super().__init__()
        first, second, third = (round(n * share) for n in (512, 256, 128))
        start = (first, height // 8, width // 8)
        self.layers = nn.Sequential(
            nn.Linear(NOISE, start[0] * start[1] * start[2], bias=False),
            _normalisation(nn.BatchNorm1d, start[0] * start[1] * start[2]),
            nn.ReLU(),
            nn.Unflatten(1, start),
            _doubling(first, second, bias=False),
            _normalisation(nn.BatchNorm2d, second),
            nn.ReLU(),
            _doubling(second, third, bias=False),
            _normalisation(nn.BatchNorm2d, third),
            nn.ReLU(),
            WeightNorm(_doubling(third, 3, bias=True), 0.1, trained=True),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.layers(noise)
        return images


@torch.no_grad()
def draw_weights(net: nn.Module, generator: torch.Generator | None) -> None:
    """Every weight from N(0, 0.05^2), every bias 0; None leaves them to be loaded."""
    if generator is None:
        return
    for module in net.modules():
        if isinstance(module, Layer):
            module.weight.normal_(0.0, _DEVIATION, generator=generator)
            if module.bias is not None:
                module.bias.zero_()


def _convolution(
    channels: int, filters: int, *, size: int = 3, stride: int = 1, padding: int = 1
) -> list[nn.Module]:
    layer = nn.Conv2d(channels, filters, size, stride=stride, padding=padding)
    return [WeightNorm(layer), nn.LeakyReLU(_SLOPE)]


def _doubling(channels: int, filters: int, *, bias: bool) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, filters, 5, stride=2, padding=2, output_padding=1, bias=bias)


def _normalisation(kind: type[nn.BatchNorm1d] | type[nn.BatchNorm2d], features: int) -> nn.Module:
    layer = kind(features, eps=1e-6, track_running_stats=False)
    layer.weight.requires_grad_(False)
    return layer
