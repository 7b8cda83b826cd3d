"""Batch normalisation over the items of all processes, so that several learn what one would."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from somscope.training.engine import Engine
from somscope.training.fabric import Runtime
from somscope.training.forwards import replaced_forwards

__all__ = ["global_batch_norm"]


def global_batch_norm(
    modules: Sequence[nn.Module], runtime: Runtime, engine: Engine
) -> AbstractContextManager[None]:
    """Meanwhile the batch normalisations inside `modules` take mean and variance over the global batch.

        y = (x - mean) / sqrt(variance + eps) * weight + bias

    In a single process, and in eval mode, they stay as PyTorch has them.
    """
    return replaced_forwards(modules, _BatchNorm, runtime, lambda layer: _Forward(layer, runtime, engine))


class _Forward:
    def __init__(self, module: _BatchNorm, runtime: Runtime, engine: Engine) -> None:
        self.module, self.runtime, self.engine = module, runtime, engine

    def __call__(self, x: Tensor) -> Tensor:
        """x: (b, channels, ...)."""
        module = self.module
        if not module.training:
            return type(module).forward(module, x)
        across = [d for d in range(x.ndim) if d != 1]
        shape = [1, -1, *[1] * (x.ndim - 2)]
        values = x.float()
        counts = float(self.engine.share > 0)  # the stand-in of a process without items does not count
        n = self._sum(torch.full((1,), counts * x.numel() / x.shape[1], device=x.device))
        mean = self._sum(values.sum(across) * counts) / n
        centred = values - mean.view(shape)
        variance = self._sum(centred.square().sum(across) * counts) / n
        if module.track_running_stats and module.running_mean is not None and module.running_var is not None:
            with torch.no_grad():
                assert module.num_batches_tracked is not None
                module.num_batches_tracked.add_(1)
                rate = module.momentum
                rate = 1.0 / float(module.num_batches_tracked) if rate is None else rate
                module.running_mean.lerp_(mean.detach(), rate)
                module.running_var.lerp_(variance.detach() * n / (n - 1).clamp(min=1), rate)
        out = centred * torch.rsqrt(variance + module.eps).view(shape)
        if module.affine:
            out = out * module.weight.view(shape) + module.bias.view(shape)
        return out.to(x.dtype)

    def _sum(self, tensor: Tensor) -> Tensor:
        out: Tensor = _Sum.apply(tensor, self.runtime)  # type: ignore[no-untyped-call]
        return out


class _Sum(torch.autograd.Function):
    """Sum over the processes, whose gradient is the sum of the gradients over the processes."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor, runtime: Runtime) -> Tensor:
        ctx.runtime = runtime
        return runtime.sum(tensor.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.runtime.sum(gradient.clone()), None
