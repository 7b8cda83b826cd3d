"""The convolutional autoencoder of ConvDESOM: 3x3 filters, halved by maxima and doubled by repetition."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from somscope.errors import InputError
from somscope.nets.initialise import glorot_uniform

__all__ = ["ConvAutoencoder", "check_side", "to_planes"]


def to_planes(items: Tensor, image_shape: tuple[int, int, int]) -> Tensor:
    """(b, ...) images in the order height, width, channel -> (b, C, H, W)."""
    return items.reshape(-1, *image_shape).permute(0, 3, 1, 2)


def check_side(side: int, n_halvings: int) -> tuple[int, int]:
    """Pixels of the code of a side, and the padding of the last convolution before the last doubling.

    A side is halved (rounded up) n times and doubled n times. It comes back whole if it is a multiple of 2^n; or if it
    is 4 pixels short of one, for then a last convolution without padding takes 2 of the half-size pixels (28 -> 14 ->
    7 -> 4 -> 8 -> 16 - 2 -> 28, as published). InputError for all others.
    """
    whole = 2**n_halvings
    code = -(-side // whole)
    if code * whole == side:
        return code, 1
    if code * whole == side + 4 and n_halvings > 1:
        return code, 0
    below = [s for s in range(1, side) if s % whole == 0 or (s + 4) % whole == 0]
    above = next(s for s in range(side, side + whole + 1) if s % whole == 0 or (s + 4) % whole == 0)
    near = f"{below[-1]} or {above}" if below else f"{above}"
    raise InputError(
        f"a side of {side} pixels cannot be halved {n_halvings} times and doubled back; the nearest that can: {near} "
        "pixels (give image_size when reading the images, or fewer filters)"
    )


class ConvAutoencoder(nn.Module):
    """Convolutions to a linear code and back to a linear image.

    image_shape: (H, W, C); filters: of each halving. generator: draws Glorot's weights; None leaves them to be loaded.
    Raises InputError for images that cannot be halved so often.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        filters: Sequence[int] = (32, 64, 64),
        latent_dim: int = 10,
        *,
        batch_norm: bool = False,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        height, width, channels = image_shape
        self.image_shape = (height, width, channels)
        (rows, last_down), (columns, last_across) = (check_side(s, len(filters)) for s in (height, width))
        self.code_shape = (filters[-1], rows, columns)
        size = filters[-1] * rows * columns
        sizes = [channels, *filters]
        down: list[nn.Module] = []
        for i in range(len(filters)):
            down += [nn.Conv2d(sizes[i], sizes[i + 1], 3, padding=1), nn.ReLU()]
            down += [nn.BatchNorm2d(sizes[i + 1], eps=1e-3, momentum=0.01)] if batch_norm else []
            down += [nn.MaxPool2d(2, ceil_mode=True)]
        up: list[nn.Module] = []
        before = filters[-1]
        for i in reversed(range(len(filters))):
            padding = (last_down, last_across) if i == 0 else (1, 1)
            up += [nn.Conv2d(before, filters[i], 3, padding=padding), nn.ReLU()]
            up += [nn.BatchNorm2d(filters[i], eps=1e-3, momentum=0.01)] if batch_norm else []
            up += [nn.Upsample(scale_factor=2, mode="nearest")]
            before = filters[i]
        self.encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(size, latent_dim))
        self.to_code = nn.Linear(latent_dim, size)
        self.decoder = nn.Sequential(*up, nn.Conv2d(before, channels, 3, padding=1))
        glorot_uniform(self, generator)

    def encode(self, items: Tensor) -> Tensor:
        """(b, H, W, C), or (b, H W C) -> (b, L)."""
        z: Tensor = self.encoder(to_planes(items, self.image_shape))
        return z

    def decode(self, codes: Tensor) -> Tensor:
        """(b, L) -> (b, H W C), in the order of the items."""
        planes = self.decoder(self.to_code(codes).unflatten(1, self.code_shape))
        x: Tensor = planes.permute(0, 2, 3, 1).flatten(1)
        return x
