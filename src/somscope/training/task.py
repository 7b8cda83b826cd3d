"""What the training loop is given: batches come out of the data, tasks know their losses, phases say how long."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from somscope.errors import InputError
from somscope.objectives.losses import Losses
from somscope.training.schedule import Schedule

if TYPE_CHECKING:
    from somscope.training.engine import Engine
    from somscope.training.feed import Feed

__all__ = ["Batch", "KerasAdam", "Phase", "Task", "adam"]


@dataclass(frozen=True)
class Batch:
    """The items of one step that this process works on.

    items: (b, ...) on the device: float32, of uint8 data divided by 255; as they are stored if the task is `raw`.
    indices: (b,) int64 on the device, their rows in the data.
    share: this process's part of the global batch, b / B; 1 in a single process. A process for which a batch of
    fewer items than processes has none gets the first item, with share 0, so that it can take part.
    """

    items: Tensor
    indices: Tensor
    share: float = 1.0


class Task:
    """What one phase of a training does with a batch. A model derives from it and gives at least `losses`.

    module: all that is learned. Whatever a task must remember from one step to the next is a parameter or a
    persistent buffer of it: these are what a checkpoint holds, and what is the same in all processes.
    raw: True for batches in the type that the data are stored in.
    every: steps from one call of `at_interval` to the next, or None for none.
    """

    module: nn.Module
    raw: bool = False
    every: int | None = None

    @property
    def watched(self) -> nn.Module:
        """What a hook of the training gets: the module of the whole model, where `module` is a part of it."""
        return self.module

    def begin(self, feed: Feed, engine: Engine) -> None:
        """Called once before the first step of the phase, not on resuming: prototypes from encoded items, and so on."""

    def optimizers(self) -> Mapping[str, Optimizer]:
        """The optimizers by name, asked for once, with the module on its device and in train mode, also on resuming."""
        return {"adam": adam(self.module.parameters())}

    def schedules(self) -> Mapping[str, Schedule]:
        """Name of an optimizer -> the schedule of its learning rate; those not named keep theirs."""
        return {}

    def losses(self, batch: Batch, step: int) -> Losses:
        """One forward pass. step: of the phase, from 0.

        Every loss is a mean over the items of the batch, or one of what `somscope.parts.gathered` gives, which couples
        them; random numbers for the items come from `somscope.parts`.
        """
        raise NotImplementedError(f"{type(self).__name__} has to say what its losses are")

    def update(self, batch: Batch, step: int, engine: Engine) -> Losses:
        """One step: the losses, and one step of every optimizer on their total.

        Models whose optimizers alternate, or that update something in closed form, override it.
        """
        with engine.autocast():
            losses = self.losses(batch, step)
        engine.step(losses.total)
        return losses

    def at_epoch(self, epoch: int, feed: Feed, engine: Engine) -> None:
        """Called before the first step of every epoch, from 0: closed-form updates, targets over the full set."""

    def at_interval(self, step: int, feed: Feed, engine: Engine) -> str | None:
        """Called before step 0 and then `every` so many: the same, and a reason to end the phase here, or None.

        A training that is resumed where a phase ended asks again, and must get the same answer.
        """
        return None

    def scalars(self, step: int) -> Mapping[str, float]:
        """More numbers for the log, such as a radius; asked for when a row is written."""
        return {}

    def unit_counts(self) -> Tensor | None:
        """(K,) how often each unit of a map was the best one since the last call, or None for a model without a map.

        Counted in a buffer of the module, over all processes (`Engine.total`). The history gets their perplexity; from
        half of a phase on, a map that uses fewer than 1.5 units by it, over all items or ten per unit, is reported as
        collapsed.
        """
        return None


@dataclass(frozen=True)
class Phase:
    """A part of a training with one task.

    n_steps or n_epochs: exactly one; 0 trains nothing, and the phases behind it keep their numbers. batch_size: items
    of a step, over all processes; the last batch of an epoch has what is left. shuffle: a new order every epoch; False
    keeps the order of the data. clip_norm: largest norm of the gradient of one optimizer's step.
    Raises InputError for values that are not allowed.
    """

    name: str
    task: Task
    n_steps: int | None = None
    n_epochs: int | None = None
    batch_size: int = 256
    shuffle: bool = True
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        if (self.n_steps is None) == (self.n_epochs is None):
            raise InputError(f"phase {self.name!r}: give n_steps or n_epochs, one of the two")
        for what, least in (("n_steps", 0), ("n_epochs", 0), ("batch_size", 1)):
            value = getattr(self, what)
            if value is not None and (not isinstance(value, int | np.integer) or value < least):
                raise InputError(
                    f"phase {self.name!r}: {what}={value!r}; it must be a whole number from {least}"
                )
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise InputError(f"phase {self.name!r}: clip_norm={self.clip_norm!r}; it must be above 0")

    def steps_per_epoch(self, n_items: int) -> int:
        """Batches that hold all items once, the last one perhaps short."""
        return -(-n_items // self.batch_size)

    def total_steps(self, n_items: int) -> int:
        """Steps of the phase on `n_items` items."""
        if self.n_steps is not None:
            return self.n_steps
        assert self.n_epochs is not None
        return self.n_epochs * self.steps_per_epoch(n_items)


class KerasAdam(torch.optim.Adam):
    """Adam as Keras and TensorFlow have it, with eps added before the correction of the bias, not after it:

    step t = lr sqrt(1 - beta2^t) / (1 - beta1^t) m_t / (sqrt(v_t) + eps), t from 1

    which is PyTorch's with eps / sqrt(1 - beta2^t) (Kingma & Ba 2015, end of section 2).
    """

    t = 0

    def step(self, closure: Any = None) -> Any:
        """One step; `eps` of the groups is as before afterwards."""
        self.t += 1
        given = [group["eps"] for group in self.param_groups]
        for group in self.param_groups:
            group["eps"] /= math.sqrt(1.0 - group["betas"][1] ** self.t)
        try:
            return super().step(closure)
        finally:
            for group, eps in zip(self.param_groups, given, strict=True):
                group["eps"] = eps

    def load_state_dict(self, state_dict: Any) -> None:
        """Go on from a state, and from its number of steps."""
        super().load_state_dict(state_dict)
        self.t = max((int(entries["step"]) for entries in self.state.values()), default=0)


def adam(
    params: Iterable[nn.Parameter], lr: float = 1e-3, eps_hat: float | None = None, **options: Any
) -> torch.optim.Adam:
    """Adam (Kingma & Ba 2015) in one pass over the weights on CPU and CUDA (`fused`), where PyTorch has that.

    eps_hat: the eps of Keras (1e-7) or of TensorFlow (1e-8), for their rule, see `KerasAdam`; None is PyTorch's, 1e-8.
    options: those of `torch.optim.Adam`.
    """
    params = list(params)
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in params)
    if eps_hat is not None:
        return KerasAdam(params, lr=lr, eps=eps_hat, fused=fused, **options)
    return torch.optim.Adam(params, lr=lr, fused=fused, **options)
