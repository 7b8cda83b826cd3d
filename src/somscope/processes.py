"""Which of the processes that `torchrun` started this one is; the first of them writes and speaks for all."""

from __future__ import annotations

import atexit
import os
from datetime import timedelta

__all__ = ["PATIENCE", "join_processes", "n_processes", "process_rank", "wait_for_all", "was_restarted"]

# The first process measures and draws while the others wait; torchrun ends them all where one of them has died.
PATIENCE = timedelta(days=7)


def n_processes() -> int:
    """How many `torchrun` started; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def process_rank() -> int:
    """0 for the process that writes and speaks, and for one that was started alone."""
    return int(os.environ["RANK"]) if n_processes() > 1 else 0


def was_restarted() -> bool:
    """Whether `torchrun --max-restarts` has started the processes again, after one of them died."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")) > 0


def join_processes(backend: str) -> None:
    """Begin to talk to the others, by "gloo" or "nccl", if this process has not yet.

    Each start of the processes has a place of its own in the launcher's store: PyTorch would look for the others under
    the addresses of those that have died.
    """
    from torch import distributed

    if distributed.is_initialized():
        return
    store, rank, size = next(distributed.rendezvous("env://"))  # type: ignore[attr-defined]
    place = f"somscope-{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"
    own = distributed.PrefixStore(place, store)  # type: ignore[attr-defined]
    distributed.init_process_group(backend, store=own, rank=rank, world_size=size, timeout=PATIENCE)
    atexit.register(_leave)


def _leave() -> None:
    from torch import distributed

    if distributed.is_initialized():
        distributed.destroy_process_group()


def wait_for_all() -> None:
    """Wait until every process of a training is here."""
    if n_processes() > 1:
        from torch import distributed

        if distributed.is_initialized():
            distributed.barrier()
