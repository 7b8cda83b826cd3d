"""Normalisations and dropout of image translators, and the three ways in which they act after training."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from somscope.errors import check_choice

__all__ = ["MODES", "NORMS", "BatchNorm", "has_bias", "normalisation", "set_mode"]

NORMS = ("batch", "instance", "none")
MODES = ("deterministic", "official", "eval")


class BatchNorm(nn.BatchNorm2d):
    """y = (x - mean) / sqrt(variance + eps) * weight + bias, over batch and pixels while training.

    per_image: outside of training take mean and variance of each image and channel, instead of the running ones. That
    is what batch normalisation in train mode does to a batch of one image, to the bit, and what it does not depend on
    is the rest of the batch.
    """

    per_image = False

    def forward(self, x: Tensor) -> Tensor:
        """x: (b, channels, H, W), H W > 1 where statistics are those of the image."""
        if self.training or not self.per_image:
            return super().forward(x)
        return F.instance_norm(x, weight=self.weight, bias=self.bias, eps=self.eps)


def normalisation(kind: str, channels: int) -> nn.Module:
    """ "batch"; "instance", of each image and channel, with neither weights nor running statistics; or "none"."""
    check_choice("norm", kind, NORMS)
    if kind == "batch":
        return BatchNorm(channels)
    return nn.InstanceNorm2d(channels) if kind == "instance" else nn.Identity()


def has_bias(kind: str) -> bool:
    """Whether convolutions before the normalisation have a bias: in the published networks under "instance" alone."""
    return kind == "instance"


def set_mode(net: nn.Module, mode: str) -> None:
    """Make a network ready for use in one of MODES; `train()` undoes it.

    "deterministic": statistics of each image, no dropout. "official": as the published test script runs it, statistics
    of each image (its batches are of one) and dropout. "eval": running statistics, no dropout.
    """
    check_choice("mode", mode, MODES)
    net.eval()
    for part in net.modules():
        if isinstance(part, BatchNorm):
            part.per_image = mode != "eval"
        elif isinstance(part, nn.Dropout):
            part.train(mode == "official")
