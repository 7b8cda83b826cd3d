"""The ids of items that are only counted: the texts "0", "1", ..., made when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Numbered"]

_BLOCK = 1 << 16


class Numbered:
    """As much of an (n,) array of such texts as a collection's ids are used for, in no memory: 20 million would take
    640 MB. Rows of it, by a slice, numbers or one boolean for each item, are arrays."""

    ndim = 1

    def __init__(self, n_items: int) -> None:
        self.shape = (n_items,)
        self.dtype = np.dtype(f"<U{len(str(n_items - 1))}")

    @property
    def nbytes(self) -> int:
        """Bytes that all would take."""
        return len(self) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        if isinstance(rows, slice):
            return np.arange(*rows.indices(len(self))).astype(self.dtype)
        given = np.asarray(rows)
        if given.dtype == np.bool_:
            return np.arange(len(self))[given].astype(self.dtype)
        if given.size and given.dtype.kind not in "iu":
            raise IndexError(f"rows are whole numbers or booleans, not {given.dtype}")
        numbers = given.astype(np.int64)  # of fewer bits, the number of ids could not be added to them
        numbers[numbers < 0] += len(self)
        if ((numbers < 0) | (numbers >= len(self))).any():
            raise IndexError(f"rows {given.min()}..{given.max()} of {len(self)} ids")
        return numbers.astype(self.dtype)[()]

    def __iter__(self) -> Iterator[np.str_]:
        for start in range(0, len(self), _BLOCK):
            yield from self[start : start + _BLOCK]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype=dtype)

    def tolist(self) -> list[str]:
        """All of them."""
        return list(map(str, range(len(self))))
