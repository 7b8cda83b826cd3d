"""Which of the processes that `torchrun` started this one is; the first of them writes and speaks for all."""

from __future__ import annotations

import os

__all__ = ["n_processes", "process_rank", "wait_for_all"]


def n_processes() -> int:
    """How many `torchrun` started; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def process_rank() -> int:
    """0 for the process that writes and speaks, and for one that was started alone."""
    return int(os.environ["RANK"]) if n_processes() > 1 else 0


def wait_for_all() -> None:
    """Wait until every process of a training is here."""
    if n_processes() > 1:
        from torch import distributed

        if distributed.is_initialized():
            distributed.barrier()
