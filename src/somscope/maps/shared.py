"""A map trained by several processes: each looks at its part of the items, and what they add up to is everybody's.

The sums of a pass (K (d + 1) numbers) are all that goes from one process to another, by gloo; what is drawn at random
or chosen is the same in all. The result is that of one process, up to the rounding of the sums.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.processes import PATIENCE, join_processes, n_processes, process_rank

__all__ = ["agreed_seed", "gathered", "own_rows", "summed"]


def own_rows(n_items: int) -> slice:
    """The rows that this process looks at; all of them where it is alone."""
    rank, processes = process_rank(), n_processes()
    return slice(rank * n_items // processes, (rank + 1) * n_items // processes)


def summed(*arrays: NDArray[Any]) -> list[NDArray[Any]]:
    """Each array added up over the processes; all have the same shapes everywhere."""
    if n_processes() == 1:
        return list(arrays)
    import torch
    from torch import distributed

    found = []
    for array in arrays:
        tensor = torch.from_numpy(np.array(array, order="C"))
        distributed.all_reduce(tensor, group=_group())
        found.append(tensor.numpy())
    return found


def gathered(units: NDArray[np.integer], n_items: int) -> NDArray[np.int32]:
    """(n,) the units of all items, from those of `own_rows` in every process."""
    if n_processes() == 1:
        return units.astype(np.int32, copy=False)
    every = np.zeros(n_items, np.int32)
    every[own_rows(n_items)] = units
    return summed(every)[0]


def agreed_seed(seed: int) -> int:
    """The seed of the first process."""
    return int(summed(np.array([seed if process_rank() == 0 else 0]))[0][0])


@cache
def _group() -> Any:
    """The processes, as gloo knows them: it takes arrays in memory, also where the networks talk through NCCL."""
    from torch import distributed

    join_processes("gloo")
    return distributed.new_group(backend="gloo", timeout=PATIENCE)
