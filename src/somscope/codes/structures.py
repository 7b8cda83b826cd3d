"""What an index searches with: all codes as they are, or one of FAISS's structures over them.

Every structure speaks of positions, from 0 to n - 1 in the order of the codes; the index knows their ids.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from somscope.codes.packing import Packed
from somscope.errors import InputError

__all__ = ["KINDS", "Exact", "Structure", "structure"]

Found = tuple[NDArray[np.int64], NDArray[np.int32]]  # positions and distances
FoundInRange = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int32]]  # limits, positions, distances

_MOST_COUNTERS = 2**24  # places of 8 bytes that FAISS may take to sort by counting


def _faiss() -> Any:
    """FAISS, imported at the first search; its own types do not name all of its functions."""
    return import_module("faiss")


class Structure(ABC):
    """A way to search. Its options are whole numbers, from 1 where `least` does not say otherwise."""

    defaults: ClassVar[Mapping[str, int | None]] = {}
    least: ClassVar[Mapping[str, int]] = {}

    def __init__(self, bits: int, options: Mapping[str, int]) -> None:
        unknown = [name for name in options if name not in self.defaults]
        if unknown:
            raise InputError(f"no option {', '.join(unknown)}; allowed: {', '.join(self.defaults) or 'none'}")
        for name, value in options.items():
            least = self.least.get(name, 1)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
                raise InputError(f"{name}={value!r}; allowed: whole numbers from {least}")
        self.bits = bits
        given = {**self.defaults, **options}
        self.options = {name: int(value) for name, value in given.items() if value is not None}

    @property
    @abstractmethod
    def built(self) -> bool:
        """Whether there is something that a change of the codes must reach."""

    @abstractmethod
    def forget(self) -> None:
        """The codes changed: what was built of them is of no use."""

    @abstractmethod
    def extend(self, new: Packed, codes: Packed) -> None:
        """The codes `new` came to the end of `codes`."""

    @abstractmethod
    def search(self, codes: Packed, queries: Packed, k: int) -> Found:
        """(m, k) nearest positions; -1 at distance 2^31 - 1 where fewer are found."""

    @abstractmethod
    def range_search(self, codes: Packed, queries: Packed, radius: int) -> FoundInRange:
        """All positions within the radius, in no order: those of query i from limits[i] to limits[i + 1]."""

    @abstractmethod
    def as_bytes(self) -> NDArray[np.uint8] | None:
        """What was built, or None where nothing needs to be."""

    @abstractmethod
    def from_bytes(self, built: NDArray[np.uint8], n: int) -> None:
        """Undo `as_bytes` for n codes. Raises ValueError or RuntimeError for what is not like it."""


class Exact(Structure):
    """Every code is compared with every query, where it lies, which may be on the disk. Nothing is built.

    Of codes at the same distance, FAISS keeps those of lower position: results are sorted by (distance, position), and
    nothing is left out that would stand before the last of them.
    """

    built = False

    def forget(self) -> None:
        """Nothing to do."""

    def extend(self, new: Packed, codes: Packed) -> None:
        """Nothing to do."""

    def search(self, codes: Packed, queries: Packed, k: int) -> Found:
        faiss = _faiss()
        counters = len(queries) * (self.bits + 1) * k
        how = "mc" if counters <= _MOST_COUNTERS else "hc"  # counting sorts faster than a heap
        distances, positions = faiss.knn_hamming(queries, np.ascontiguousarray(codes), k, variant=how)
        return positions, distances

    def range_search(self, codes: Packed, queries: Packed, radius: int) -> FoundInRange:
        faiss = _faiss()
        found = faiss.RangeSearchResult(len(queries))
        codes = np.ascontiguousarray(codes)
        faiss.hamming_range_search(
            faiss.swig_ptr(queries),
            faiss.swig_ptr(codes),
            len(queries),
            len(codes),
            radius + 1,
            codes.shape[1],
            found,
        )  # FAISS leaves out what lies at its radius
        limits = faiss.rev_swig_ptr(found.lims, len(queries) + 1).astype(np.int64)
        total = int(limits[-1])
        positions = faiss.rev_swig_ptr(found.labels, total).copy()
        return limits, positions, faiss.rev_swig_ptr(found.distances, total).astype(np.int32)

    def as_bytes(self) -> NDArray[np.uint8] | None:
        return None

    def from_bytes(self, built: NDArray[np.uint8], n: int) -> None:
        raise ValueError("an exact index has nothing built")


class _Faiss(Structure):
    """A binary index of FAISS, built at the first search."""

    _built: Any = None

    @abstractmethod
    def _empty(self, n: int) -> Any:
        """The index for n codes, without them."""

    @abstractmethod
    def _of_kind(self, index: Any) -> bool:
        """Whether a loaded index is one of this kind."""

    @abstractmethod
    def _is_sound(self, index: Any) -> bool:
        """Whether all places that a loaded index points to are in it: FAISS does not look before it reads them."""

    def _tune(self, index: Any) -> None:
        """Set what a search needs."""

    def _is_flat(self, index: Any, n: int) -> bool:
        """Whether an index within another holds n codes as they are."""
        faiss = _faiss()
        flat = faiss.downcast_IndexBinary(index)
        return isinstance(flat, faiss.IndexBinaryFlat) and (flat.d, flat.ntotal) == (self.bits, n)

    @property
    def built(self) -> bool:
        return self._built is not None

    def forget(self) -> None:
        self._built = None

    def extend(self, new: Packed, codes: Packed) -> None:
        self._built.add(new)

    def _over(self, codes: Packed) -> Any:
        if self._built is None:
            index = self._empty(len(codes))
            codes = np.ascontiguousarray(codes)
            if not index.is_trained:
                index.train(codes)
            index.add(codes)
            self._tune(index)
            self._built = index
        return self._built

    def search(self, codes: Packed, queries: Packed, k: int) -> Found:
        distances, positions = self._over(codes).search(queries, k)
        distances = np.where(positions < 0, np.iinfo(np.int32).max, distances).astype(np.int32)
        return positions, distances

    def range_search(self, codes: Packed, queries: Packed, radius: int) -> FoundInRange:
        limits, distances, positions = self._over(codes).range_search(queries, radius + 1)
        return limits.astype(np.int64), positions, distances.astype(np.int32)

    def as_bytes(self) -> NDArray[np.uint8] | None:
        faiss = _faiss()
        return np.asarray(faiss.serialize_index_binary(self._built))

    def from_bytes(self, built: NDArray[np.uint8], n: int) -> None:
        faiss = _faiss()
        index = faiss.deserialize_index_binary(np.array(built))
        if not self._of_kind(index) or index.d != self.bits or index.ntotal != n:
            raise ValueError(f"a structure of {index.ntotal} codes of {index.d} bits, or of another kind")
        if not self._is_sound(index):
            raise ValueError("a structure with places outside of itself")
        self._tune(index)
        self._built = index


class _IVF(_Faiss):
    defaults: ClassVar[Mapping[str, int | None]] = {"lists": None, "probes": 8}

    def _empty(self, n: int) -> Any:
        faiss = _faiss()
        lists = min(n, self.options.get("lists", max(1, min(int(4 * np.sqrt(n)), n // 39))))
        centres = faiss.IndexBinaryFlat(self.bits)
        index = faiss.IndexBinaryIVF(centres, self.bits, lists)
        index.own_fields = True
        centres.this.disown()
        index.cp.min_points_per_centroid = 1  # fewer than 39 are not worth a warning here
        return index

    def _of_kind(self, index: Any) -> bool:
        faiss = _faiss()
        return isinstance(index, faiss.IndexBinaryIVF)

    def _is_sound(self, index: Any) -> bool:
        faiss = _faiss()
        lists = index.invlists
        if lists.nlist != index.nlist or lists.code_size != self.bits // 8:
            return False
        sizes = [lists.list_size(i) for i in range(lists.nlist)]
        ids = [faiss.rev_swig_ptr(lists.get_ids(i), size) for i, size in enumerate(sizes) if size]
        inside = all(((part >= 0) & (part < index.ntotal)).all() for part in ids)
        return bool(inside and sum(sizes) == index.ntotal and self._is_flat(index.quantizer, index.nlist))

    def _tune(self, index: Any) -> None:
        index.nprobe = min(self.options["probes"], index.nlist)


class _HNSW(_Faiss):
    defaults: ClassVar[Mapping[str, int | None]] = {"links": 16, "beam": 64}
    least: ClassVar[Mapping[str, int]] = {"links": 2}  # FAISS draws levels by 1 / log(links)

    def _empty(self, n: int) -> Any:
        faiss = _faiss()
        return faiss.IndexBinaryHNSW(self.bits, self.options["links"])

    def _of_kind(self, index: Any) -> bool:
        faiss = _faiss()
        return isinstance(index, faiss.IndexBinaryHNSW)

    def _is_sound(self, index: Any) -> bool:
        faiss = _faiss()
        n, graph = index.ntotal, index.hnsw
        levels, starts, links, places = (
            faiss.vector_to_array(part).astype(np.int64)
            for part in (graph.levels, graph.offsets, graph.neighbors, graph.cum_nneighbor_per_level)
        )
        entry, top = graph.entry_point, graph.max_level
        if not self._is_flat(index.storage, n) or (len(levels), len(starts)) != (n, n + 1):
            return False
        if not n:
            return bool(entry == -1)
        if levels.min() < 1 or levels.max() >= len(places) or places[0] != 0 or (np.diff(places) < 0).any():
            return False
        if starts[0] != 0 or starts[-1] != len(links) or (np.diff(starts) != places[levels]).any():
            return False
        if not 0 <= entry < n or top != levels[entry] - 1 or links.min() < -1 or links.max() >= n:
            return False
        for level in range(1, int(levels.max())):  # a link of a level leads to a code that has the level
            of_level = starts[:-1][levels > level, None] + np.arange(places[level], places[level + 1])
            reached = links[of_level]
            if (levels[reached[reached >= 0]] <= level).any():
                return False
        return True

    def _tune(self, index: Any) -> None:
        index.hnsw.efSearch = self.options["beam"]

    def range_search(self, codes: Packed, queries: Packed, radius: int) -> FoundInRange:
        raise InputError("kind 'hnsw' has no range_search; allowed: exact, ivf, multi-hash")


class _MultiHash(_Faiss):
    defaults: ClassVar[Mapping[str, int | None]] = {"key": 16, "flips": 1}
    least: ClassVar[Mapping[str, int]] = {"flips": 0}

    def __init__(self, bits: int, options: Mapping[str, int]) -> None:
        super().__init__(bits, options)
        self.key = min(self.options["key"], bits)
        if self.options["flips"] > self.key:  # FAISS would not come to an end
            raise InputError(f"flips={self.options['flips']}; allowed: 0 to {self.key}, the bits of a key")

    def _empty(self, n: int) -> Any:
        faiss = _faiss()
        return faiss.IndexBinaryMultiHash(self.bits, self.bits // self.key, self.key)

    def _of_kind(self, index: Any) -> bool:
        faiss = _faiss()
        return isinstance(index, faiss.IndexBinaryMultiHash)

    def _is_sound(self, index: Any) -> bool:
        return True

    def _tune(self, index: Any) -> None:
        index.nflip = self.options["flips"]

    def as_bytes(self) -> NDArray[np.uint8] | None:
        return None  # its tables, which cannot be looked through, are made again at the first search

    def from_bytes(self, built: NDArray[np.uint8], n: int) -> None:
        """Tables in files of earlier versions are left unread."""


KINDS: dict[str, type[Structure]] = {"exact": Exact, "ivf": _IVF, "hnsw": _HNSW, "multi-hash": _MultiHash}


def structure(kind: str, bits: int, options: Mapping[str, int]) -> Structure:
    """The structure of that kind, with nothing in it. Raises InputError for options that it does not have."""
    return KINDS[kind](bits, options)
