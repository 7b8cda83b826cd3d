"""The U-Net generator of pix2pix (Isola et al., CVPR 2017), with the state-dict keys of the authors' PyTorch code."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from somscope.nets.normalise import has_bias, normalisation

__all__ = ["UNet"]


class UNet(nn.Module):
    """n halvings by 4x4 convolutions to a code, n doublings back, each beside the features of its size on the way down.

    Level k has filters * min(2^(k-1), 8) channels. All convolutions: 4x4, stride 2, padding 1. Down: LeakyReLU(0.2),
    convolution, norm; without activation at level 1, without norm at levels 1 and n. Up: ReLU, transposed
    convolution, norm; at level 1 with bias and tanh instead of the norm. dropout: 0.5 after the up-norm of levels 5 to
    n - 1. Eight levels are the published generator for 256x256 pixels (54,413,955 parameters from 3 to 3 channels),
    seven that for 128x128.

    n_levels: 2 or more; sides must be multiples of 2^n_levels.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        n_levels: int = 8,
        filters: int = 64,
        norm: str = "batch",
        dropout: bool = True,
    ) -> None:
        super().__init__()
        self.multiple = self.least = 2**n_levels
        sizes = [filters * min(2**k, 8) for k in range(n_levels)]  # channels of level k + 1
        inside = _Level(sizes[-2], sizes[-1], None, norm)
        for k in range(n_levels - 2, 0, -1):
            inside = _Level(sizes[k - 1], sizes[k], inside, norm, dropout and k >= 4)
        bias = has_bias(norm)
        layers = nn.Sequential(
            nn.Conv2d(in_channels, sizes[0], 4, 2, 1, bias=bias),
            inside,
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(2 * sizes[0], out_channels, 4, 2, 1),
            nn.Tanh(),
        )
        self.model = nn.ModuleDict({"model": layers})  # as the published keys have it

    def forward(self, x: Tensor) -> Tensor:
        """(b, in_channels, H, W) -> (b, out_channels, H, W), both from -1 to 1."""
        out: Tensor = self.model["model"](x)
        return out


class _Level(nn.Module):
    """x -> (x, what the levels below make of it), side by side."""

    def __init__(
        self, outer: int, inner: int, inside: nn.Module | None, norm: str, dropout: bool = False
    ) -> None:
        super().__init__()
        bias = has_bias(norm)
        down: list[nn.Module] = [nn.LeakyReLU(0.2), nn.Conv2d(outer, inner, 4, 2, 1, bias=bias)]
        if inside is not None:
            down += [normalisation(norm, inner), inside]
        width = inner if inside is None else 2 * inner
        up = [
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(width, outer, 4, 2, 1, bias=bias),
            normalisation(norm, outer),
        ]
        self.model = nn.Sequential(*down, *up, *([nn.Dropout(0.5)] if dropout else []))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.model(x)], 1)
