"""The features of a collection as maps are trained on them: all at once, or in blocks where they are large."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from somscope.data.collection import Collection, Features, Skipped
from somscope.errors import InputError
from somscope.mapped import picked, release
from somscope.maps.blocks import RowBlocks, in_blocks

__all__ = [
    "LARGE_BYTES",
    "FeatureBlocks",
    "Gaps",
    "best_units",
    "feature_matrix",
    "find_gaps",
    "is_deep",
    "is_large",
    "mappable",
    "shown_prototypes",
    "uncertainties",
    "unit_groups",
    "without_unknown",
]

# Of a dense feature matrix; beyond it a collection is read in blocks and never held whole.
LARGE_BYTES = 2**30
_BLOCK_BYTES = 64 * 2**20


def feature_matrix(collection: Collection, rows: Any = None) -> Features:
    """(n, d) features: images as pixels / 255 and text as float32, vectors in the precision they have.

    rows: a slice or row numbers; None takes all. Only these rows are read from a memory-mapped file.
    """
    part = collection.features if rows is None else _rows(collection.features, rows)
    if collection.kind == "images":
        flat = part.reshape(part.shape[0], -1)
        return np.divide(flat, np.float32(255), dtype=np.float32)
    if issparse(part):
        return part.astype(np.float32 if collection.kind == "text" else part.dtype, copy=False)
    return np.asarray(part, dtype=np.float32 if collection.kind == "text" else part.dtype)


def _rows(features: Features, rows: Any) -> Features:
    return features[rows] if isinstance(rows, slice) or issparse(features) else picked(features, rows)


def is_large(collection: Collection) -> bool:
    """Whether the dense feature matrix has more than LARGE_BYTES; a sparse one never has."""
    features = collection.features
    size = 4 if collection.kind == "images" else features.dtype.itemsize
    return not issparse(features) and collection.n_items * collection.n_features * size > LARGE_BYTES


class FeatureBlocks(RowBlocks):
    """`feature_matrix` of all items, in blocks of rows of 64 MB; can be read again and again."""

    def __init__(self, collection: Collection) -> None:
        super().__init__(collection.n_items, max(1, _BLOCK_BYTES // (8 * collection.n_features)))
        self.collection = collection

    def read(self, rows: slice | NDArray[np.integer]) -> NDArray[Any]:
        block = np.array(feature_matrix(self.collection, rows))
        release(self.collection.features)
        return block


def is_deep(model: Any) -> bool:
    """Whether a model takes collections as they are, images as bytes: it makes codes of the items, block by block."""
    return hasattr(model, "encode")


def shown_prototypes(model: Any) -> NDArray[np.floating]:
    """(K, d) prototypes as items: those of a deep map decoded."""
    return np.asarray(model.decoded_prototypes_ if is_deep(model) else model.prototypes_)


def best_units(model: Any, collection: Collection) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
    """(n, 2) best and second units of the items and their distances ((n, 1) on a map of one unit).

    Of a large collection as int32 and float32, which is what a run records.
    """
    k = min(2, len(model.prototypes_))
    if is_deep(model):
        units, distances = model.best_units(collection, k=k)
        return units, distances
    if not is_large(collection):
        units, distances = model.best_units(feature_matrix(collection), k=k)
        return units, distances

    def nearest(block: NDArray[Any]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        units, distances = model.best_units(block, k=k)
        return units.astype(np.int32), distances.astype(np.float32)

    return in_blocks(FeatureBlocks(collection), nearest)


def uncertainties(model: Any, collection: Collection) -> NDArray[np.float64] | None:
    """(n,) from 0 to 1, how undecided the model is about the unit or group of each item; None where it does not say."""
    found = getattr(model, "uncertainty", None)
    return None if found is None else np.asarray(found(collection))


def unit_groups(model: Any) -> NDArray[np.integer] | None:
    """(K,) the group of each unit; None where the model has not merged its units."""
    groups = getattr(model, "unit_clusters_", None)
    return None if groups is None else np.asarray(groups)


@dataclass(frozen=True)
class Gaps:
    """Missing values (NaN): how many, and which items (n,) and which features (d,) have nothing else."""

    count: int
    items: NDArray[np.bool_]
    features: NDArray[np.bool_]


def find_gaps(collection: Collection) -> Gaps:
    """The missing values of a collection; images and sparse features have none."""
    features = collection.features
    items, columns = np.zeros(collection.n_items, np.bool_), np.zeros(collection.n_features, np.bool_)
    if issparse(features) or features.dtype.kind != "f":
        return Gaps(0, items, columns)
    count, start = 0, 0
    columns[:] = True
    for block in FeatureBlocks(collection):
        missing = np.isnan(block)
        count += int(missing.sum())
        items[start : start + len(block)] = missing.all(axis=1)
        columns &= missing.all(axis=0)
        start += len(block)
    return Gaps(count, items, columns)


def without_unknown(collection: Collection, gaps: Gaps | None = None) -> Collection:
    """The collection without the items all of whose features are missing, which are near to no unit; they are named
    among the skipped. A large collection stays as it is, and such items are then an error of the map."""
    empty = (find_gaps(collection) if gaps is None else gaps).items
    if not empty.any() or empty.all() or is_large(collection):
        return collection
    named = tuple(Skipped(str(item), "no value in any feature") for item in collection.ids[empty])
    return replace(collection.take(~empty), skipped=collection.skipped + named)


def mappable(collection: Collection) -> Collection:
    """`without_unknown`; InputError for features of which no item has a value, and for fewer than two items."""
    gaps = find_gaps(collection)
    if gaps.features.any() and not gaps.items.all():
        columns = np.flatnonzero(gaps.features).tolist()
        names = [
            repr(collection.feature_names[i]) if collection.feature_names else str(i) for i in columns[:5]
        ]
        raise InputError(
            f"{collection.name}: no item has a value in column {', '.join(names)}"
            f"{f' and {len(columns) - 5} more' if len(columns) > 5 else ''}: choose other columns"
        )
    collection = without_unknown(collection, gaps)
    if collection.n_items < 2:
        raise InputError(f"{collection.name} has 1 item: a map needs at least 2 different ones")
    return collection
