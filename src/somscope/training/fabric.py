"""Device, precision and processes, by Lightning Fabric: the only file that imports it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn

from somscope.errors import InputError
from somscope.processes import join_processes, n_processes

__all__ = ["Runtime", "agreed"]


class Runtime:
    """Where a training runs: one process, or one of those that `torchrun` started.

    device: "auto", "cpu" or "cuda"; precision: "fp32", "bf16" or "auto" (fp32).
    Raises InputError where there is no such device, or not one for every process.
    """

    def __init__(self, device: str, precision: str) -> None:
        from lightning_fabric import Fabric
        from lightning_fabric.plugins.environments.lightning import LightningEnvironment
        from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
        from lightning_fabric.plugins.precision.amp import MixedPrecision
        from lightning_fabric.plugins.precision.precision import Precision
        from lightning_fabric.strategies.ddp import DDPStrategy

        several = n_processes() > 1
        n_local = int(os.environ["LOCAL_WORLD_SIZE"]) if several else 1
        self.precision = "fp32" if precision == "auto" else precision
        kind = _device_kind(device, n_local)
        self._fabric = Fabric(
            accelerator=kind,
            devices=n_local,
            num_nodes=int(os.environ["WORLD_SIZE"]) // n_local if several else 1,
            strategy=DDPStrategy() if several else "auto",
            plugins=[
                MixedPrecision("bf16-mixed", device=kind) if self.precision == "bf16" else Precision(),
                # Named, because Fabric would take a SLURM session for a request for several processes.
                TorchElasticEnvironment() if several else LightningEnvironment(),
            ],
        )
        if several:  # before Fabric does, see there
            join_processes("nccl" if kind == "cuda" else "gloo")
        self._fabric.launch()
        self.device: torch.device = self._fabric.device
        self.rank: int = self._fabric.global_rank
        self.n_processes: int = self._fabric.world_size

    def autocast(self) -> AbstractContextManager[Any]:
        """The context in which a forward pass has the training's precision."""
        return self._fabric.autocast()

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over the processes; it may be overwritten."""
        if self.n_processes == 1:
            return tensor
        return self._fabric.all_reduce(tensor, reduce_op="sum")  # type: ignore[return-value]

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The tensor of every process, all of one shape, in the order of the ranks."""
        every = torch.zeros((self.n_processes, *tensor.shape), dtype=tensor.dtype, device=self.device)
        every[self.rank] = tensor
        return list(self.sum(every).unbind())

    def broadcast(self, value: Any) -> Any:
        """The value that rank 0 has, a tensor or anything small."""
        return value if self.n_processes == 1 else self._fabric.broadcast(value)

    def agree(self, module: nn.Module) -> None:
        """Give the parameters and buffers of every process the values that rank 0 has."""
        if self.n_processes == 1:
            return
        with torch.no_grad():
            for tensor in module.state_dict().values():
                own = tensor.to(torch.uint8) if tensor.dtype == torch.bool else tensor
                tensor.copy_(self.sum(own.clone() if self.rank == 0 else torch.zeros_like(own)))

    def barrier(self) -> None:
        """Wait until every process is here."""
        self._fabric.barrier()


def agreed(value: int, device: str) -> int:
    """The value that the first process has, for a draw that all of them must share; at once where there is one."""
    return value if n_processes() == 1 else int(Runtime(device, "fp32").broadcast(value))


def _device_kind(device: str, n_local: int) -> str:
    if device == "cpu":
        return "cpu"
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if n_gpus >= n_local:
        return "cuda"
    if device == "auto":
        return "cpu"
    if n_gpus == 0:
        raise InputError("device='cuda': PyTorch sees no CUDA GPU here; use device='cpu' or 'auto'")
    raise InputError(f"device='cuda': {n_local} processes need as many GPUs, and there are {n_gpus}")
