"""Collections larger than memory: blocks of items that are read again for every pass, and an even sample of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from somscope.errors import InputError
from somscope.maps.inputs import as_matrix, refuse_infinities, sample_rows, sample_step
from somscope.maps.items import DenseItems, count_gaps
from somscope.maps.search import Basis

__all__ = ["BLOCK_BYTES", "BlockItems", "MappedBlocks", "block_sample", "mapped_sample"]

BLOCK_BYTES = 32 * 2**20  # of a block in float32; larger ones are not faster

Block = NDArray[np.floating]


class MappedBlocks:
    """A memory-mapped array (n, d) as blocks of 32 MB, copied into memory one at a time."""

    def __init__(self, x: np.memmap[Any, Any]) -> None:
        if x.ndim != 2:
            raise InputError(f"the memory-mapped array has shape {x.shape}; needed: (items, features)")
        self.x = x
        self.rows = max(1, BLOCK_BYTES // max(1, x.shape[1] * max(4, x.dtype.itemsize)))

    def __iter__(self) -> Iterator[Block]:
        for start in range(0, len(self.x), self.rows):
            yield np.array(self.x[start : start + self.rows])


class BlockItems:
    """Items that are read again for every pass, block by block, in bounded memory: a re-iterable of (n_b, d) arrays."""

    def __init__(
        self,
        blocks: Iterable[Any],
        metric: str,
        feature_weights: NDArray[np.float64] | None,
        dtype: np.dtype,
    ) -> None:
        self.blocks, self.metric, self.feature_weights, self.dtype = blocks, metric, feature_weights, dtype
        self._basis: Basis | None = None

    def dense(self, n_units: int) -> Iterator[DenseItems]:
        """The blocks as items, with one basis of the search for all."""
        for block in self.blocks:
            x = np.ascontiguousarray(block, dtype=self.dtype)
            if not len(x):
                continue
            gaps, infinities, (row, column) = count_gaps(x)
            if infinities:
                raise InputError(
                    f"a block contains inf: {infinities} values, one in row {row}, column {column}"
                )
            items = DenseItems(x, self.metric, self.feature_weights, missing=gaps > 0, basis=self._basis)
            if self._basis is None and items.bounded:
                self._basis = items.basis = items.find_basis(n_units)
            yield items


def mapped_sample(x: np.memmap[Any, Any]) -> Block:
    """The rows of a memory-mapped array that `sample_rows` names."""
    return _checked(np.array(x[sample_rows(len(x))]), "the sample of the memory-mapped array")


def block_sample(blocks: Iterable[Any]) -> tuple[Block, int]:
    """The items that `sample_rows` would name in all blocks together, and the number of items; one reading.

    Raises InputError where there are no items or a block has another number of features.
    """
    parts: list[Block] = []
    n_items, step = 0, 1
    for number, block in enumerate(blocks):
        rows = _checked(block, f"block {number}")
        if parts and rows.shape[1] != parts[0].shape[1]:
            raise InputError(
                f"block {number} has {rows.shape[1]} features, those before it have {parts[0].shape[1]}"
            )
        parts.append(np.array(rows[(-n_items) % step :: step]))
        n_items += len(rows)
        if sample_step(n_items) > step:
            kept = np.concatenate(parts)[:: sample_step(n_items) // step]
            parts, step = [np.array(kept)], sample_step(n_items)
    if not n_items:
        raise InputError("the blocks hold no items: there is nothing to map")
    return np.concatenate(parts), n_items


def _checked(block: Any, what: str) -> Block:
    try:
        checked = check_array(
            as_matrix(block), dtype=[np.float64, np.float32], order="C",
            ensure_all_finite=False, ensure_min_samples=0,
        )  # fmt: skip
    except ValueError as error:
        raise InputError(f"{what}: {error}") from None
    refuse_infinities(checked, what)
    return np.asarray(checked)
