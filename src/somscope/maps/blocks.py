"""Collections larger than memory: blocks of items that are read again for every pass, and a sample of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_array

from somscope.errors import InputError
from somscope.mapped import picked, release
from somscope.maps.basis import Basis
from somscope.maps.inputs import as_items, as_matrix, refuse_unusable
from somscope.maps.items import DenseItems
from somscope.maps.sample import Variety, sample_rows, smallest_keys
from somscope.maps.search import Recall
from somscope.maps.shared import own_rows

__all__ = [
    "BLOCK_BYTES",
    "BlockItems",
    "MappedBlocks",
    "OwnRows",
    "RowBlocks",
    "block_sample",
    "checked_blocks",
    "in_blocks",
    "random_rows",
]

BLOCK_BYTES = 32 * 2**20  # of a block in float32; larger ones are not faster
_RUN = 16  # rows

Block = NDArray[np.floating]


class RowBlocks(ABC):
    """Items (n, d) that are read in blocks of rows, whichever rows are asked for.

    n_items: n. rows: of a block. own: the rows that are read, by default all.
    """

    def __init__(self, n_items: int, rows: int) -> None:
        self.n_items, self.rows, self.own = n_items, rows, slice(0, n_items)

    @abstractmethod
    def read(self, rows: slice | NDArray[np.integer]) -> Block:
        """A copy of some rows in memory."""

    def __iter__(self) -> Iterator[Block]:
        for start in range(self.own.start, self.own.stop, self.rows):
            yield self.read(slice(start, min(start + self.rows, self.own.stop)))

    def part(self) -> RowBlocks:
        """The blocks of the rows of this process, see `shared.own_rows`."""
        part = copy(self)
        part.own = own_rows(self.n_items)
        return part


class MappedBlocks(RowBlocks):
    """A memory-mapped array (n, d) in blocks of 32 MB, copied into memory one at a time."""

    def __init__(self, x: NDArray[Any]) -> None:
        if x.ndim != 2:
            raise InputError(f"the memory-mapped array has shape {x.shape}; needed: (items, features)")
        super().__init__(len(x), max(1, BLOCK_BYTES // max(1, x.shape[1] * max(4, x.dtype.itemsize))))
        self.x = x

    def read(self, rows: slice | NDArray[np.integer]) -> Block:
        if not isinstance(rows, slice):
            return picked(self.x, rows)
        block = np.array(self.x[rows])
        release(self.x)
        return block


class OwnRows:
    """Of each block the rows of this process; can be read again as the blocks can."""

    def __init__(self, blocks: Iterable[Any]) -> None:
        self.blocks = blocks

    def __iter__(self) -> Iterator[Block]:
        for _, rows in checked_blocks(self.blocks):
            yield rows[own_rows(len(rows))]


def checked_blocks(blocks: Iterable[Any]) -> Iterator[tuple[str, Block]]:
    """The name and the items (n_b, d) of each block that has any, in float32 or float64; whatever `SOM.fit` takes.

    Raises InputError for sparse blocks, for what is no table of numbers, and for another number of features.
    """
    n_features = None
    size = f" (of {blocks.rows} rows)" if isinstance(blocks, RowBlocks) else ""
    first = blocks.own.start // blocks.rows if isinstance(blocks, RowBlocks) else 0
    for number, block in enumerate(blocks, first):
        name = f"block {number}{size}"
        if sparse.issparse(block):
            raise InputError(
                f"{name} is sparse; blocks must be dense (block.toarray()), or give all items as one CSR matrix"
            )
        try:
            rows = check_array(
                as_matrix(block), dtype=[np.float64, np.float32], order="C",
                ensure_all_finite=False, ensure_min_samples=0,
            )  # fmt: skip
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: {error}") from None
        if n_features is not None and rows.shape[1] != n_features:
            raise InputError(f"{name} has {rows.shape[1]} features, those before it have {n_features}")
        n_features = rows.shape[1]
        if len(rows):
            yield name, np.asarray(rows)


def random_rows(blocks: RowBlocks, n_items: int) -> Block:
    """About so many items, from random places with runs of 16 rows, so that a disk need not go to each of them."""
    if n_items >= blocks.n_items:
        chosen = np.arange(blocks.n_items)
    else:
        places = np.random.default_rng(0).integers(max(1, blocks.n_items // _RUN), size=n_items // _RUN)
        chosen = (np.unique(places)[:, None] * _RUN + np.arange(_RUN)).reshape(-1)
    _, rows = next(checked_blocks([blocks.read(chosen)]))
    return rows


def in_blocks(
    blocks: RowBlocks, nearest: Callable[[Block], tuple[NDArray[Any], NDArray[Any]]]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """What `nearest` finds for all rows, block by block: units (n, k) and distances (n, k)."""
    n_items = blocks.n_items
    units: NDArray[Any] | None = None
    start = 0
    for block in blocks:
        found, far = nearest(block)
        if units is None:
            units, distances = (
                np.empty((n_items, found.shape[1]), found.dtype),
                np.empty((n_items, far.shape[1]), far.dtype),
            )
        rows = slice(start, start := start + len(block))
        units[rows], distances[rows] = found, far
    if units is None:
        raise InputError("the memory-mapped array holds no items")
    return units, distances


class BlockItems:
    """Items that are read again for every pass, block by block, in bounded memory: a re-iterable of (n_b, d) blocks.

    Of an item only its unit stays in memory from one pass to the next (4 bytes), where the search begins.
    """

    def __init__(
        self,
        blocks: Iterable[Any],
        metric: str,
        feature_weights: NDArray[np.float64] | None,
        dtype: np.dtype,
    ) -> None:
        self.blocks, self.metric, self.feature_weights, self.dtype = blocks, metric, feature_weights, dtype
        self._basis: Basis | None = None
        self._recalls: list[Recall | None] = []

    def dense(self, n_units: int) -> Iterator[DenseItems]:
        """The blocks as items, with one basis of the search for all."""
        for number, (name, block) in enumerate(checked_blocks(self.blocks)):
            x = np.ascontiguousarray(block, dtype=self.dtype)
            items = as_items(
                x, self.metric, self.feature_weights, allow_nan=self.metric != "cosine", what=name
            )
            assert isinstance(items, DenseItems)
            items.basis = self._basis
            if self._basis is None and items.bounded:
                self._basis = items.basis = items.find_basis(n_units)
            if number == len(self._recalls):
                self._recalls.append(None)
            items.recall = self._recalls[number]
            yield items
            self._recalls[number] = items.recall


def block_sample(blocks: Iterable[Any]) -> tuple[Block, int]:
    """The items that `sample_rows` names in all blocks together, and the number of items; one reading of them all,
    unless they are `RowBlocks`, of which only as much is read as is needed.

    Raises InputError where there are no items, none that make a map, or some that no map can take, and says where.
    """
    seen = Variety()
    if isinstance(blocks, RowBlocks):
        for _, rows in checked_blocks(blocks):
            seen.add(rows)
            if seen.enough:
                break
        if not seen.n_items:
            raise InputError("the blocks hold no items: there is nothing to map")
        chosen = blocks.read(sample_rows(blocks.n_items, seen.refuse()))
        _, sample = next(checked_blocks([chosen]))
        if not np.isfinite(sample).all():  # it has gaps, or what no map can take: then say where
            for name, rows in checked_blocks(blocks):
                refuse_unusable(rows, name)
        return sample, blocks.n_items
    sample, numbers = np.empty((0, 0)), np.arange(0)  # the sampled items, and their places among all
    for name, rows in checked_blocks(blocks):
        refuse_unusable(rows, name)
        before = seen.n_items
        seen.add(rows)
        candidates = np.concatenate([numbers, np.arange(before, seen.n_items)])
        wanted = np.union1d(smallest_keys(candidates), [0, seen.different or 0])
        new = rows[wanted[wanted >= before] - before]
        sample = np.concatenate([sample[np.isin(numbers, wanted)], new]) if before else new
        numbers = wanted
    if not seen.n_items:
        raise InputError("the blocks hold no items: there is nothing to map")
    seen.refuse()
    return sample, seen.n_items
