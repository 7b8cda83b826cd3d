"""How far a reconstruction lies from its item."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["bernoulli_loss", "gaussian_loss", "squared_error", "squared_norm"]


def squared_error(reconstructed: Tensor, items: Tensor) -> Tensor:
    """(b, ...), (b, ...) -> (): mean over all elements of (x' - x)^2, in float32 at least."""
    wide = torch.promote_types(reconstructed.dtype, torch.float32)
    return functional.mse_loss(reconstructed.to(wide), items.to(wide))


def bernoulli_loss(logits: Tensor, items: Tensor) -> Tensor:
    """(b, ...), (b, ...) -> (): mean over items of -sum_j [x log p + (1 - x) log(1 - p)], p = sigmoid(logits), in nats.

    items in [0, 1].
    """
    wide = torch.promote_types(logits.dtype, torch.float32)
    total = functional.binary_cross_entropy_with_logits(logits.to(wide), items.to(wide), reduction="sum")
    return total / len(items)


def gaussian_loss(means: Tensor, items: Tensor) -> Tensor:
    """(b, ...), (b, ...) -> (): mean over items of 1/2 sum_j (x' - x)^2, -log N(x; x', I) in nats less a constant."""
    wide = torch.promote_types(means.dtype, torch.float32)
    return 0.5 * functional.mse_loss(means.to(wide), items.to(wide), reduction="sum") / len(items)


def squared_norm(reconstructed: Tensor, items: Tensor) -> Tensor:
    """(b, ...), (b, ...) -> (): mean over items of ||x' - x||^2, summed over features."""
    wide = torch.promote_types(reconstructed.dtype, torch.float32)
    return functional.mse_loss(reconstructed.to(wide), items.to(wide), reduction="sum") / len(items)
