"""The residual generator of the authors' pix2pix and CycleGAN code (after Johnson et al., ECCV 2016), with its keys."""

from __future__ import annotations

from torch import Tensor, nn

from somscope.nets.normalise import has_bias, normalisation

__all__ = ["ResNet"]


class ResNet(nn.Module):
    """7x7 convolution, two halvings, n residual blocks, two doublings, 7x7 convolution and tanh.

    Blocks: x + f(x), f two 3x3 convolutions with norm, ReLU between, and dropout of 0.5 behind that ReLU. Padding by
    reflection, in the halvings and doublings by zeros. filters: of the first convolution, four times as many in the
    blocks. Sides must be multiples of 4, and at least 8 pixels.
    """

    multiple, least = 4, 8

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 3,
        n_blocks: int = 9,
        filters: int = 64,
        norm: str = "batch",
        dropout: bool = True,
    ) -> None:
        super().__init__()
        bias = has_bias(norm)
        parts: list[nn.Module] = [
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, filters, 7, bias=bias),
            normalisation(norm, filters),
            nn.ReLU(inplace=True),
        ]
        for width in (filters, 2 * filters):
            parts += [nn.Conv2d(width, 2 * width, 3, 2, 1, bias=bias), normalisation(norm, 2 * width)]
            parts += [nn.ReLU(inplace=True)]
        parts += [_Block(4 * filters, norm, dropout) for _ in range(n_blocks)]
        for width in (4 * filters, 2 * filters):
            parts += [nn.ConvTranspose2d(width, width // 2, 3, 2, 1, output_padding=1, bias=bias)]
            parts += [normalisation(norm, width // 2), nn.ReLU(inplace=True)]
        parts += [nn.ReflectionPad2d(3), nn.Conv2d(filters, out_channels, 7), nn.Tanh()]
        self.model = nn.Sequential(*parts)

    def forward(self, x: Tensor) -> Tensor:
        """(b, in_channels, H, W) -> (b, out_channels, H, W), both from -1 to 1."""
        out: Tensor = self.model(x)
        return out


class _Block(nn.Module):
    def __init__(self, width: int, norm: str, dropout: bool) -> None:
        super().__init__()
        bias = has_bias(norm)
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=bias),
            normalisation(norm, width),
            nn.ReLU(inplace=True),
            *([nn.Dropout(0.5)] if dropout else []),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3, bias=bias),
            normalisation(norm, width),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.conv_block(x)
        return out
