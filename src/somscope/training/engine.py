"""The tools that a task gets to take a step with: precision, optimizers, sums over processes, random numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.errors import InputError

if TYPE_CHECKING:
    from somscope.training.fabric import Runtime

__all__ = ["Engine"]

_log = logging.getLogger("somscope.training")


class Engine:
    """One per training.

    device: of modules and batches. n_processes. optimizers: of the phase, by name.
    generator: random numbers on the device; its state is in every checkpoint, and differs between processes.
    warnings: see `warn`.
    """

    def __init__(self, runtime: Runtime, generator: torch.Generator) -> None:
        self._runtime = runtime
        self.device = runtime.device
        self.n_processes = runtime.n_processes
        self.generator = generator
        self.optimizers: Mapping[str, Optimizer] = {}
        self.clip_norm: float | None = None
        self.warnings: list[str] = []
        self._share = 1.0

    def autocast(self) -> AbstractContextManager[Any]:
        """The context for forward passes, which have the training's precision in it."""
        return self._runtime.autocast()

    def step(self, loss: Tensor, *names: str, retain_graph: bool = False) -> None:
        """Gradient of `loss` () with respect to the weights of the named optimizers (all), and a step of each.

        The gradient is that of the mean over the global batch, whatever the processes hold of it, then clipped to
        the phase's clip_norm, optimizer by optimizer. The weights of other optimizers get none.
        Raises InputError for a name that the task's optimizers do not have.
        """
        unknown = set(names) - set(self.optimizers)
        if unknown:
            raise InputError(f"no optimizer {sorted(unknown)[0]!r}; there are: {', '.join(self.optimizers)}")
        groups = {name: _parameters(self.optimizers[name]) for name in names or self.optimizers}
        parameters = [p for group in groups.values() for p in group]
        for parameter in parameters:
            parameter.grad = None
        loss.backward(inputs=parameters, retain_graph=retain_graph)  # type: ignore[no-untyped-call]
        if self.n_processes > 1:
            self._average(parameters)
        for name, group in groups.items():
            if self.clip_norm is not None:
                nn.utils.clip_grad_norm_(group, self.clip_norm)
            self.optimizers[name].step()

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over the processes of a sum over the items of their batches, for updates in closed form."""
        if self.n_processes == 1:
            return tensor
        return self._runtime.sum(tensor * float(self._share > 0))

    def warn(self, message: str) -> None:
        """Log a warning, which `Trained.warnings` keeps; the same message only once."""
        if message not in self.warnings:
            self.warnings.append(message)
            if self._runtime.rank == 0:
                _log.warning("%s", message)

    def _average(self, parameters: list[nn.Parameter]) -> None:
        """Weighted mean of the gradients over the processes, in one message."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients]).mul_(self._share)
        flat = self._runtime.sum(flat)
        for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


def _parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
