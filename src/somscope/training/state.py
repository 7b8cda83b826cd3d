"""All that a training is in, as tensors and JSON, and back again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from somscope.checkpoint import Checkpoint, jsonable
from somscope.errors import RunError
from somscope.training.history import History
from somscope.training.schedule import set_rate
from somscope.training.task import Phase

__all__ = [
    "Position",
    "history_facts",
    "learned",
    "optimizer_facts",
    "optimizer_settings",
    "optimizer_tensors",
    "restore_history",
    "restore_learned",
    "restore_optimizers",
]


@dataclass
class Position:
    """Where a training is: in which phase, before which of its steps, after how many steps and seconds in all."""

    phase: int = 0
    step: int = 0
    done: int = 0
    seconds: float = 0.0


def learned(phases: Sequence[Phase]) -> dict[str, Tensor]:
    """Name -> parameter or persistent buffer of the tasks' modules; what tasks share appears once."""
    found: dict[str, Tensor] = {}
    seen: set[tuple[Any, ...]] = set()
    for number, phase in enumerate(phases):
        for key, tensor in phase.task.module.state_dict().items():
            place = (tensor.data_ptr(), tensor.shape, tensor.stride()) if tensor.numel() else (number, key)
            if place not in seen:
                seen.add(place)
                found[f"module.{number}.{key}"] = tensor
    return found


def restore_learned(phases: Sequence[Phase], checkpoint: Checkpoint) -> None:
    """Put the weights of a checkpoint into the modules; RunError, naming the tensor, if they are of another model."""
    own = learned(phases)
    stored = {name: shape for name, shape in checkpoint.shapes.items() if name.startswith("module.")}
    for name in own.keys() | stored.keys():
        here = tuple(own[name].shape) if name in own else "absent"
        there = stored.get(name, "absent")
        if here != there:
            raise RunError(
                f"{checkpoint.path} is of another model: {name.split('.', 2)[2]} is {there} there and {here} here"
            )
    with torch.no_grad():
        for name, tensor in own.items():  # one at a time, so that no second copy of the model is in memory
            tensor.copy_(checkpoint.tensors([name])[name])


def optimizer_tensors(optimizers: Mapping[str, Optimizer]) -> dict[str, Tensor]:
    """optimizer.NAME.PARAMETER.KEY -> the tensors of the optimizers' states."""
    return {
        f"optimizer.{name}.{index}.{key}": value
        for name, optimizer in optimizers.items()
        for index, entries in optimizer.state_dict()["state"].items()
        for key, value in entries.items()
        if isinstance(value, Tensor)
    }


def optimizer_facts(optimizers: Mapping[str, Optimizer]) -> dict[str, Any]:
    """The rest of the optimizers' states: plain values, and the learning rates as they are now."""
    return {
        name: {
            "rates": [float(group["lr"]) for group in optimizer.param_groups],
            "values": {
                str(index): {key: v for key, v in entries.items() if not isinstance(v, Tensor)}
                for index, entries in optimizer.state_dict()["state"].items()
            },
        }
        for name, optimizer in optimizers.items()
    }


def optimizer_settings(
    optimizers: Mapping[str, Optimizer], rates: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """How optimizers were made, and the shapes of what they train: what must be the same when a training resumes.

    rates: the learning rate of each group when the phase began.
    """
    return {
        name: {
            "kind": type(optimizer).__name__,
            "groups": [
                {
                    **{key: jsonable(value) for key, value in group.items() if key not in ("params", "lr")},
                    "lr": rate,
                    "shapes": [list(p.shape) for p in group["params"]],
                }
                for group, rate in zip(optimizer.param_groups, rates[name], strict=True)
            ],
        }
        for name, optimizer in optimizers.items()
    }


def restore_optimizers(optimizers: Mapping[str, Optimizer], checkpoint: Checkpoint) -> None:
    """Undo the steps that optimizers took since the checkpoint; they must have been made in the same way."""
    for name, optimizer in optimizers.items():
        facts = checkpoint.facts["optimizers"][name]
        state: dict[int, dict[str, Any]] = {int(index): dict(v) for index, v in facts["values"].items()}
        prefix = f"optimizer.{name}."
        stored = [n for n in checkpoint.shapes if n.startswith(prefix)]
        for full, tensor in checkpoint.tensors(stored).items():
            index, key = full.removeprefix(prefix).split(".", 1)
            state[int(index)][key] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
        _laid_out_like_their_parameters(optimizer)
        for group, rate in zip(optimizer.param_groups, facts["rates"], strict=True):
            set_rate(group, rate)


def _laid_out_like_their_parameters(optimizer: Optimizer) -> None:
    """Files hold tensors in one order of axes. An optimizer whose state has another order than its parameter, such as
    channels-last, takes other kernels, which round in another way.
    """
    for parameter, values in optimizer.state.items():
        for key, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[key] = torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def history_facts(history: History) -> dict[str, Any]:
    """The history so far, NaN and infinity as null."""
    return {
        "rows": [{name: jsonable(value) for name, value in row.items()} for row in history.rows],
        "waiting": history.waiting,
        "limit": history.limit,
    }


def restore_history(history: History, facts: Mapping[str, Any]) -> None:
    """The history as it was when a checkpoint was written."""
    history.rows = [{k: math.nan if v is None else v for k, v in row.items()} for row in facts["rows"]]
    history.waiting, history.limit = facts["waiting"], facts["limit"]
