"""The discriminators of pix2pix, which judge patches or pixels (Isola et al., CVPR 2017), with the authors' keys."""

from __future__ import annotations

from torch import Tensor, nn

from somscope.nets.normalise import has_bias, normalisation

__all__ = ["PatchGAN", "PixelGAN"]


class PatchGAN(nn.Module):
    """One logit for each overlapping patch of a pair of images; with three layers patches are of 70x70 pixels.

    4x4 convolutions with padding 1: n of stride 2 with filters * min(2^k, 8) channels, one of stride 1, and one of
    stride 1 to the logit; norm but at the first and the last, LeakyReLU(0.2) between. 256x256 pixels give 30x30 logits
    (three layers from 6 channels: 2,768,705 parameters).
    """

    def __init__(
        self, in_channels: int = 6, n_layers: int = 3, filters: int = 64, norm: str = "batch"
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = [nn.Conv2d(in_channels, filters, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True)]
        width = filters
        for k in range(1, n_layers + 1):
            before, width = width, filters * min(2**k, 8)
            stride = 2 if k < n_layers else 1
            parts += [nn.Conv2d(before, width, 4, stride, 1, bias=has_bias(norm)), normalisation(norm, width)]
            parts += [nn.LeakyReLU(0.2, inplace=True)]
        self.model = nn.Sequential(*parts, nn.Conv2d(width, 1, 4, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(b, in_channels, H, W) -> (b, 1, H', W') logits."""
        out: Tensor = self.model(x)
        return out


class PixelGAN(nn.Module):
    """One logit for each pixel of a pair of images: 1x1 convolutions with filters and 2 * filters channels."""

    def __init__(self, in_channels: int = 6, filters: int = 64, norm: str = "batch") -> None:
        super().__init__()
        bias = has_bias(norm)
        self.net = nn.Sequential(
            nn.Conv2d(in_channels, filters, 1),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(filters, 2 * filters, 1, bias=bias),
            normalisation(norm, 2 * filters),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(2 * filters, 1, 1, bias=bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(b, in_channels, H, W) -> (b, 1, H, W) logits."""
        out: Tensor = self.net(x)
        return out
