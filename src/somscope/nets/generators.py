"""What an image translator is made of, in the words of the authors' options: unet_256, resnet_9blocks and so on."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from somscope.errors import InputError, check_choice
from somscope.nets.normalise import NORMS
from somscope.nets.resnet import ResNet
from somscope.nets.unet import UNet

__all__ = ["Architecture", "padded", "parse_generator", "unet_for"]

_MOST_CHANNELS, _MOST_FILTERS, _MOST_BLOCKS = 64, 1024, 64


@dataclass(frozen=True)
class Architecture:
    """A generator. name: "unet_N" (log2 N levels, N a power of two from 4 to 1024) or "resnet_Nblocks" (N from 1).

    in_channels, out_channels: of the images; filters: of the first layer; norm: "batch", "instance" or "none"; dropout:
    whether there is any, as in the published U-Net. Raises InputError for what cannot be built.
    """

    name: str = "unet_256"
    in_channels: int = 3
    out_channels: int = 3
    filters: int = 64
    norm: str = "batch"
    dropout: bool = True

    def __post_init__(self) -> None:
        parse_generator(self.name)
        check_choice("norm", self.norm, NORMS)
        limits = {"in_channels": _MOST_CHANNELS, "out_channels": _MOST_CHANNELS, "filters": _MOST_FILTERS}
        for what, most in limits.items():
            value = getattr(self, what)
            if type(value) is not int or not 1 <= value <= most:
                raise InputError(f"{what}={value!r}; allowed: a whole number from 1 to {most}")
        if not isinstance(self.dropout, bool):
            raise InputError(f"dropout={self.dropout!r}; allowed: True or False")

    def build(self) -> UNet | ResNet:
        """The network, with PyTorch's first weights."""
        kind, size = parse_generator(self.name)
        build = UNet if kind == "unet" else ResNet
        return build(self.in_channels, self.out_channels, size, self.filters, self.norm, self.dropout)

    @property
    def sides(self) -> tuple[int, int]:
        """Of which number the sides of images must be multiples, and the least that they may be, in pixels."""
        kind, size = parse_generator(self.name)
        return (2**size, 2**size) if kind == "unet" else (ResNet.multiple, ResNet.least)

    def __str__(self) -> str:
        channels = f"{self.in_channels} to {self.out_channels} channels"
        return f"{self.name}, {self.norm} norm, {self.filters} filters, {channels}"


def parse_generator(name: object) -> tuple[str, int]:
    """("unet", levels) or ("resnet", blocks). Raises InputError for other names."""
    found = re.fullmatch(r"unet_(\d{1,4})|resnet_(\d{1,2})blocks", name) if isinstance(name, str) else None
    if found is not None and found[1]:
        levels = int(found[1]).bit_length() - 1
        if 2**levels == int(found[1]) and 2 <= levels <= 10:
            return "unet", levels
    if found is not None and found[2] and 1 <= int(found[2]) <= _MOST_BLOCKS:
        return "resnet", int(found[2])
    raise InputError(
        f"generator {name!r} is not known; allowed: unet_256, unet_128 and the like from unet_4 to unet_1024, "
        f"resnet_6blocks, resnet_9blocks and the like from 1 to {_MOST_BLOCKS}"
    )


def unet_for(height: int, width: int) -> str:
    """The U-Net that halves the shorter side until one pixel is left (rounded to the smaller size), eight times at
    most."""
    return f"unet_{2 ** min(8, max(2, min(height, width).bit_length() - 1))}"


def padded(net: nn.Module, x: Tensor) -> Tensor:
    """net(x) for images (b, c, H, W) of any size: edges are repeated up to sides that it takes, and cut off again."""
    multiple, least = int(net.multiple), int(net.least)  # type: ignore[arg-type]
    height, width = x.shape[2:]
    down, right = (max(-(-side // multiple) * multiple, least) - side for side in (height, width))
    if down == right == 0:
        out: Tensor = net(x)
        return out
    top, left = down // 2, right // 2
    made: Tensor = net(F.pad(x, (left, right - left, top, down - top), mode="replicate"))
    return made[:, :, top : top + height, left : left + width]
