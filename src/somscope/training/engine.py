"""The tools that a task gets to take a step with: precision, optimizers, sums over processes, random numbers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.errors import check_choice
from somscope.training.schedule import Schedule, set_rate
from somscope.training.task import Phase

if TYPE_CHECKING:
    from somscope.training.fabric import Runtime

__all__ = ["Engine"]

_log = logging.getLogger("somscope.training")


class Engine:
    """One per training.

    device: of modules and batches. n_processes. optimizers: of the phase, by name.
    generator: random numbers on the device, the same in all processes; its state is in every checkpoint. What is drawn
    for the items of a batch is drawn by `somscope.parts`, for all of the batch.
    share: of the batch at hand, see `Batch`. rates: learning rates of the optimizers' groups when the phase began.
    warnings: see `warn`.
    """

    def __init__(self, runtime: Runtime, generator: torch.Generator) -> None:
        self._runtime = runtime
        self.device = runtime.device
        self.n_processes = runtime.n_processes
        self.generator = generator
        self.share = 1.0
        self.warnings: list[str] = []
        self.optimizers: Mapping[str, Optimizer] = {}
        self._schedules: Mapping[str, Schedule] = {}
        self.rates: dict[str, list[float]] = {}
        self._clip_norm: float | None = None

    def begin(self, phase: Phase) -> None:
        """Take the optimizers and schedules of a phase. Raises InputError for a schedule of no optimizer."""
        self.optimizers, self._schedules = phase.task.optimizers(), phase.task.schedules()
        self._check(*self._schedules)
        self.rates = {n: [float(g["lr"]) for g in o.param_groups] for n, o in self.optimizers.items()}
        self._clip_norm = phase.clip_norm

    def set_rates(self, step: int, epoch: int) -> None:
        """Give the optimizers the learning rates of a step of the phase and its epoch."""
        for name, schedule in self._schedules.items():
            factor = schedule.factor(step if schedule.by == "step" else epoch)
            for group, rate in zip(self.optimizers[name].param_groups, self.rates[name], strict=True):
                set_rate(group, rate * factor)

    def scheduled_rates(self) -> dict[str, float]:
        """learning_rate.NAME -> the rate of the first parameters of each optimizer with a schedule."""
        first = {n: self.optimizers[n].param_groups[0]["lr"] for n in self._schedules}
        return {f"learning_rate.{name}": float(rate) for name, rate in first.items()}

    def autocast(self) -> AbstractContextManager[Any]:
        """The context for forward passes, which have the training's precision in it."""
        return self._runtime.autocast()

    def step(self, loss: Tensor, *names: str, retain_graph: bool = False) -> None:
        """Gradient of `loss` () with respect to the weights of the named optimizers (all), and a step of each.

        The gradient is that of the mean over the global batch, whatever the processes hold of it, then clipped to
        the phase's clip_norm, optimizer by optimizer. The weights of other optimizers get none.
        Raises InputError for a name that the task's optimizers do not have.
        """
        self._check(*names)
        groups = {name: _parameters(self.optimizers[name]) for name in names or self.optimizers}
        parameters = [p for group in groups.values() for p in group]
        for parameter in parameters:
            parameter.grad = None
        if self.n_processes > 1:
            loss = loss * self.share
        loss.backward(inputs=parameters, retain_graph=retain_graph)  # type: ignore[no-untyped-call]
        if self.n_processes > 1:
            self._add_up(parameters)
        for name, group in groups.items():
            if self._clip_norm is not None:
                nn.utils.clip_grad_norm_(group, self._clip_norm)
            self.optimizers[name].step()

    def total(self, tensor: Tensor) -> Tensor:
        """The sum over the processes of a sum over the items of their batches, for updates in closed form."""
        if self.n_processes == 1:
            return tensor
        return self._runtime.sum(tensor.clone() if self.share > 0 else torch.zeros_like(tensor))

    def warn(self, message: str) -> None:
        """Log a warning, which `Trained.warnings` keeps; the same message only once."""
        if message not in self.warnings:
            self.warnings.append(message)
            if self._runtime.rank == 0:
                _log.warning("%s", message)

    def _check(self, *names: str) -> None:
        for name in names:
            check_choice("optimizer", name, self.optimizers)

    def _add_up(self, parameters: list[nn.Parameter]) -> None:
        """Add up the gradients of all processes, each of which has its share of the mean, in one message."""
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        flat = self._runtime.sum(flat)
        for gradient, part in zip(gradients, torch.split(flat, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))


def _parameters(optimizer: Optimizer) -> list[nn.Parameter]:
    return [p for group in optimizer.param_groups for p in group["params"] if p.requires_grad]
