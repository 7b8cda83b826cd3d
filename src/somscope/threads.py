"""How many threads to use: one answer for the maps and the measures."""

from __future__ import annotations

import os
import sys

__all__ = ["n_threads"]


def n_threads() -> int:
    """Those of PyTorch where it is loaded (`torch.set_num_threads`, or OMP_NUM_THREADS); else OMP_NUM_THREADS, or the
    processor's cores that this process may use.
    """
    of_torch = getattr(sys.modules.get("torch"), "get_num_threads", None)
    if of_torch is not None:
        return int(of_torch())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "").strip()
    return min(cores, int(asked)) if asked.isdigit() and int(asked) else cores
