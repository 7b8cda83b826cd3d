"""A collection: N items with ids, features, perhaps labels, and something to show."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from somscope.data.numbered import Numbered
from somscope.errors import InputError, check_choice
from somscope.mapped import release

if TYPE_CHECKING:
    import pyarrow as pa
    from PIL.Image import Image

__all__ = ["KINDS", "Collection", "Features", "Skipped"]

KINDS = ("images", "vectors", "text")
Features: TypeAlias = Any  # NDArray, or scipy.sparse.csr_matrix (SciPy has no types of its own)
_MAX_ID = 4096  # characters, as of a path
_CHUNK_IDS = 1 << 16
_MOST_HELD = 1 << 20  # numbers that are ids: beyond, they are made when they are asked for
_CHUNK_VALUES = 1 << 22  # values looked at together (16 MB of float32): a memory-mapped array stays on disk


@dataclass(frozen=True)
class Skipped:
    """One item that could not be read: where it lies and why it was left out."""

    where: str
    why: str


@dataclass(frozen=True, eq=False)
class Collection:
    """N items, row-aligned: item i is `ids[i]`, `features[i]`, `labels[i]`, ...

    name: what to call it, for example "photos" or "fashion-mnist".
    kind: "images", "vectors" or "text".
    features: images are (n, H, W, C) uint8 with C 1 (grey) or 3 (RGB); vectors and text are (n, d) float32 or
        float64, dense or CSR. NaN marks a missing value.
    ids: (n,) unique strings; by default the number of the item, beyond a million of which they are a `Numbered`, which
        takes no memory. Items, rows and columns count from 0 everywhere, in ids as in errors.
    labels: (n,) int64 into `label_names`, -1 = no label; None when nothing is labelled.
    label_names: one name for each class; by default the class number.
    texts: (n,) str, what to show of a text item.
    metadata: a PyArrow table with n rows of further columns.
    feature_names: d names, or () (images have none).
    idf: (d,) float64, the inverse document frequency of each word of a collection of texts, as its TF-IDF was
        learned (perhaps from other items: a training part, or more items than these); with `feature_names`, the
        words, it is all that `somscope.data.tfidf.tfidf_features` needs to weigh new texts in the same way.
    paths: (n,) str, the file of each item, where there is one.
    skipped: the items that could not be read.
    source: how it was read, as JSON-able values, so that it can be read again.

    Raises InputError for no items, arrays of different lengths, repeated ids, labels outside `label_names`,
    infinite values, and features of another shape or dtype.
    """

    name: str
    kind: str
    features: Features
    ids: NDArray[np.str_] = None  # type: ignore[assignment]  # always an array after construction
    labels: NDArray[np.int64] | None = None
    label_names: tuple[str, ...] = ()
    texts: NDArray[np.object_] | None = None
    metadata: pa.Table | None = None
    feature_names: tuple[str, ...] = ()
    idf: NDArray[np.float64] | None = None
    paths: NDArray[np.object_] | None = None
    skipped: tuple[Skipped, ...] = ()
    source: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        _check_features(self.name, self.kind, self.features)
        if self.feature_names and len(self.feature_names) != self.n_features:
            raise InputError(
                f"{self.name}: {len(self.feature_names)} feature names for {self.n_features} features"
            )
        n = int(self.features.shape[0])
        given: Any = self.ids
        counted = given is None or (isinstance(given, Numbered) and len(given) == n)
        self._set("ids", _counted(n) if counted else _as_ids(self.name, self.ids))
        if self.texts is not None:
            self._set("texts", np.asarray(self.texts, dtype=object))
        if self.paths is not None:
            self._set("paths", np.asarray(self.paths, dtype=object))
        for part, values in (
            ("ids", self.ids),
            ("labels", self.labels),
            ("texts", self.texts),
            ("paths", self.paths),
            ("metadata", self.metadata),
        ):
            if values is not None and len(values) != n:
                raise InputError(f"{self.name}: {part} has {len(values)} entries for {n} items")
        if not counted:
            _check_unique(self.name, self.ids)
        if self.kind != "images":
            _check_finite(self)
        if self.labels is not None:
            self._set_labels()
        if self.idf is not None and np.shape(self.idf) != (self.n_features,):
            raise InputError(
                f"{self.name}: idf has shape {np.shape(self.idf)} for {self.n_features} features"
            )

    def _set(self, attribute: str, value: object) -> None:
        object.__setattr__(self, attribute, value)  # the instance is frozen for everyone else

    def _set_labels(self) -> None:
        labels = np.asarray(self.labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise InputError(
                f"{self.name}: labels must be one row of integers, got {labels.dtype} {labels.shape}"
            )
        labels = labels.astype(np.int64)
        names = self.label_names or tuple(str(c) for c in range(int(labels.max(initial=-1)) + 1))
        bad = np.flatnonzero((labels < -1) | (labels >= len(names)))
        if len(bad):
            raise InputError(
                f"{self.name}: label {labels[bad[0]]} of item {bad[0]} is outside 0..{len(names) - 1} "
                "(-1 means no label)"
            )
        self._set("labels", labels)
        self._set("label_names", tuple(str(name) for name in names))

    @property
    def n_items(self) -> int:
        """Number of items n."""
        return int(self.features.shape[0])

    def __len__(self) -> int:
        return self.n_items

    @property
    def image_shape(self) -> tuple[int, int, int] | None:
        """(H, W, C) in pixels and channels, or None when the items are not images."""
        if self.kind != "images":
            return None
        height, width, channels = self.features.shape[1:]
        return int(height), int(width), int(channels)

    @property
    def n_features(self) -> int:
        """Number of features d of one item; H * W * C for images."""
        return int(np.prod(self.features.shape[1:]))

    def matrix(self, dtype: Any = np.float32) -> Features:
        """(n, d) features of floating `dtype`: images as pixels / 255, flattened; CSR stays CSR.

        Vectors that already have this dtype are returned without a copy.
        """
        dtype = np.dtype(dtype)
        if dtype.kind != "f":
            raise InputError(f"dtype={dtype} is not a floating type; allowed: float32, float64")
        if self.kind != "images":
            return self.features.astype(dtype, copy=False)
        out = np.empty((self.n_items, self.n_features), dtype=dtype)
        np.divide(self.features.reshape(self.n_items, -1), dtype.type(255), out=out, dtype=dtype)
        return out

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over ids, features and labels: equal for the same items, however they were read."""
        digest = hashlib.sha256()
        for start in range(0, len(self.ids), _CHUNK_IDS):
            digest.update(b"\0" if start else b"")
            digest.update("\0".join(self.ids[start : start + _CHUNK_IDS]).encode())
        if issparse(self.features):
            sparse = self.features.copy()
            sparse.sum_duplicates()
            arrays = [sparse.indptr.astype("<i8"), sparse.indices.astype("<i8"), sparse.data]
        else:
            arrays = [self.features]
        digest.update(f"{self.kind} {self.features.dtype.name} {self.features.shape}".encode())
        if self.labels is not None:
            arrays.append(self.labels)
        for array in arrays:
            for block in _blocks(array):
                little = np.ascontiguousarray(block, dtype=block.dtype.newbyteorder("<"))
                digest.update(little.view(np.uint8).data)
        return digest.hexdigest()

    def thumbnail(self, i: int, size: int = 64) -> Image:
        """Item i as a Pillow image ("L" or "RGB"), its longest side at most `size` pixels; never enlarged.

        Raises InputError when the items are not images.
        """
        from PIL import Image

        if self.kind != "images":
            raise InputError(f"{self.name} holds {self.kind}: only images have thumbnails")
        pixels = np.ascontiguousarray(self.features[i])
        picture = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
        picture.thumbnail((size, size), Image.Resampling.LANCZOS)
        return picture

    def take(self, indices: Sequence[int] | NDArray[Any]) -> Collection:
        """The items at `indices` (whole numbers in any order, or one boolean for each item)."""
        rows = np.asarray(indices)
        if rows.dtype == np.bool_:
            if rows.shape != (self.n_items,):
                raise InputError(f"{self.name}: {rows.shape} booleans for {self.n_items} items")
            rows = np.flatnonzero(rows)
        rows = rows.astype(np.int64) if rows.size == 0 else rows
        if rows.ndim != 1 or rows.dtype.kind not in "iu":
            raise InputError(
                f"{self.name}: indices must be one row of whole numbers, got {rows.dtype} {rows.shape}"
            )
        if rows.size and (rows.min() < 0 or rows.max() >= self.n_items):
            raise InputError(f"{self.name}: indices {rows.min()}..{rows.max()} leave 0..{self.n_items - 1}")
        return replace(
            self,
            features=self.features[rows],
            ids=self.ids[rows],
            labels=None if self.labels is None else self.labels[rows],
            texts=None if self.texts is None else self.texts[rows],
            paths=None if self.paths is None else self.paths[rows],
            metadata=None if self.metadata is None else self.metadata.take(rows),
            source={**self.source, "taken": {"n_items": len(rows), "of": self.n_items}},
        )


def _check_features(name: str, kind: str, features: Features) -> None:
    if not issparse(features) and not isinstance(features, np.ndarray):
        raise InputError(f"{name}: features must be an array or a CSR matrix, got {type(features).__name__}")
    shape = features.shape
    if kind == "images":
        if issparse(features) or features.dtype != np.uint8 or len(shape) != 4 or shape[3] not in (1, 3):
            raise InputError(
                f"{name}: images must be (n, H, W, 1 or 3) uint8, got {features.dtype} {tuple(shape)}"
            )
    elif len(shape) != 2 or features.dtype not in (np.float32, np.float64):
        raise InputError(
            f"{name}: {kind} must be (n, d) float32 or float64, got {features.dtype} {tuple(shape)}"
        )
    if issparse(features) and features.format != "csr":
        raise InputError(f"{name}: sparse features must be CSR, got {features.format.upper()}")
    if min(shape) == 0:
        raise InputError(f"{name}: no {'items' if shape[0] == 0 else 'features'} (shape {tuple(shape)})")


def _check_finite(collection: Collection) -> None:
    """Refuse infinite values, naming the first few places; NaN is a missing value and may stay."""
    features, start = collection.features, 0
    for block in _blocks(features.data if issparse(features) else features):
        bad = np.argwhere(np.isinf(block))[:5]
        if len(bad):
            if issparse(features):
                at = bad[:, 0] + start
                rows = np.searchsorted(features.indptr, at, side="right") - 1
                columns = features.indices[at]
            else:
                rows, columns = bad[:, 0] + start, bad[:, 1]
            names = collection.feature_names
            places = ", ".join(
                f"item {collection.ids[row]} column {repr(names[column]) if names else column}"
                for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
            )
            raise InputError(
                f"{collection.name}: infinite values at {places} (numbers count from 0); replace or remove them (NaN "
                "means missing)"
            )
        start += len(block)


def _counted(n: int) -> Any:
    return Numbered(n) if n > _MOST_HELD else np.array(Numbered(n))


def _as_ids(name: str, ids: Sequence[Any] | NDArray[Any]) -> NDArray[np.str_]:
    longest = max((len(str(identity)) for identity in ids), default=0)
    if longest > _MAX_ID:  # before NumPy gives every id the room of the longest
        raise InputError(f"{name}: an id has {longest:,} characters; allowed are {_MAX_ID:,}")
    array = np.asarray(ids, dtype=np.str_)
    if array.ndim != 1:
        raise InputError(f"{name}: ids must be one row of strings, got an array of shape {array.shape}")
    return array


def _check_unique(name: str, ids: NDArray[np.str_]) -> None:
    values, counts = np.unique(ids, return_counts=True)
    repeated = values[counts > 1]
    if len(repeated):
        examples = ", ".join(map(repr, repeated[:3].tolist()))
        raise InputError(f"{name}: {len(repeated)} ids occur more than once, for example {examples}")


def _blocks(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Slices of `array` along its first axis of at most about _CHUNK_VALUES values."""
    width = max(1, int(np.prod(array.shape[1:])))
    step = max(1, _CHUNK_VALUES // width)
    for start in range(0, len(array), step):
        yield array[start : start + step]
        release(array)
