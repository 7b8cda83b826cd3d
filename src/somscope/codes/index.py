"""An index of binary codes: which items differ from a query in the fewest bits. FAISS does the searching."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.codes.index_file import read_index, write_index
from somscope.codes.packing import Packed, as_packed, check_bits
from somscope.codes.structures import KINDS, Exact, structure
from somscope.errors import DataError, InputError, check_choice

__all__ = ["CodeIndex", "InRange", "Nearest"]

Ids = NDArray[np.int64]
Distances = NDArray[np.int32]


class Nearest(NamedTuple):
    """Of m queries, (m, k): ids int64 and Hamming distances int32, each row sorted by (distance, id). Where a kind of
    index that is not exact finds fewer than k, the rest is id -1 at distance 2^31 - 1."""

    ids: Ids
    distances: Distances


class InRange(NamedTuple):
    """Of m queries: what query i found lies in ids[limits[i]:limits[i + 1]], sorted by (distance, id)."""

    limits: NDArray[np.int64]  # (m + 1,)
    ids: Ids
    distances: Distances


class CodeIndex:
    """Codes of K bits under ids, and the search among them by Hamming distance.

    bits: K, a multiple of 8. kind, with its options:
        "exact": every code is compared.
        "ivf": codes in lists around `lists` centres (default: 4 sqrt(n), at most n / 39), of which a query looks into
            the nearest `probes` (8).
        "hnsw": a graph in which each code has `links` (16; 2 or more) neighbours, searched with a beam of `beam` (64).
            It has no range_search.
        "multi-hash": tables of `key` (16) bits each, in which a query looks up its own key and all that differ from it
            in up to `flips` (1) bits.
    fingerprint: of the coder that makes the codes; whoever adds or searches with another one is refused.

    Distances are exact in every kind; other kinds than "exact" may miss items. Codes that are added under ids above all
    ids so far go into the structure that is there; after other changes the next search builds it anew.
    """

    def __init__(
        self, bits: int, kind: str = "exact", *, fingerprint: str | None = None, **options: int
    ) -> None:
        check_choice("kind", kind, KINDS)
        self.bits = check_bits(bits)
        self.kind = kind
        self.fingerprint = fingerprint
        self._codes: Packed = np.empty((0, self.bits // 8), dtype=np.uint8)
        self._ids: Ids = np.empty(0, dtype=np.int64)
        self._structure = structure(kind, self.bits, options)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return f"CodeIndex({len(self)} codes of {self.bits} bits, {self.kind})"

    @property
    def ids(self) -> Ids:
        """(n,) ids, ascending."""
        return self._ids

    @property
    def codes(self) -> Packed:
        """(n, K / 8) codes in the order of their ids."""
        return self._codes

    @property
    def options(self) -> dict[str, int]:
        """The options of the kind, with their defaults."""
        return dict(self._structure.options)

    def add(self, codes: Any, ids: ArrayLike | None = None, *, fingerprint: str | None = None) -> None:
        """Add codes (m, K / 8) under ids (m,) of 0 or more; by default the numbers after the largest id.

        Raises InputError for other codes, ids that occur twice or are there already, and another coder's fingerprint.
        """
        self._check_coder(fingerprint)
        codes = as_packed(codes, self.bits)
        after = int(self._ids[-1]) + 1 if len(self) else 0
        new = _as_ids(np.arange(after, after + len(codes)) if ids is None else ids)
        if len(new) != len(codes):
            raise InputError(f"{len(new)} ids for {len(codes)} codes")
        if not len(new):
            return
        if new.min() < 0:
            raise InputError(f"id {new.min()} is negative; allowed: 0 or more")
        order = np.argsort(new, kind="stable")
        new, codes = new[order], codes[order]
        _refuse(new[1:][np.diff(new) == 0], "given more than once")
        _refuse(new[self._has(new)], "in the index already")
        at_the_end = new[0] >= after
        ids_, codes_ = np.concatenate([self._ids, new]), np.concatenate([self._codes, codes])
        if not at_the_end:
            order = np.argsort(ids_, kind="stable")
            ids_, codes_ = ids_[order], codes_[order]
        if at_the_end and self._structure.built:
            self._structure.extend(codes, codes_)
        else:
            self._structure.forget()
        self._ids, self._codes = ids_, codes_

    def remove(self, ids: ArrayLike) -> None:
        """Remove the codes of ids (m,). Raises InputError for ids that are not there, or given more than once."""
        gone = np.sort(_as_ids(ids))
        _refuse(gone[1:][np.diff(gone) == 0], "given more than once")
        _refuse(gone[~self._has(gone)], "not in the index")
        if len(gone):
            stay = ~np.isin(self._ids, gone, assume_unique=True)
            self._ids, self._codes = self._ids[stay], self._codes[stay]
            self._structure.forget()

    def search(self, queries: Any, k: int, *, fingerprint: str | None = None) -> Nearest:
        """The k nearest codes of each query (m, K / 8).

        Raises InputError for k outside 1 to n, other codes, and another coder's fingerprint.
        """
        self._check_coder(fingerprint)
        queries = as_packed(queries, self.bits, "queries")
        whole = isinstance(k, int | np.integer) and not isinstance(k, bool)
        if not whole or not 1 <= k <= len(self):
            raise InputError(
                f"k={k!r}; the index holds {len(self)} codes: allowed are whole numbers from 1 to that"
            )
        positions, distances = self._structure.search(self._codes, queries, int(k))
        found = np.where(positions < 0, -1, self._ids[positions])
        if not isinstance(self._structure, Exact):
            order = np.lexsort((found, distances), axis=1)
            found, distances = np.take_along_axis(found, order, 1), np.take_along_axis(distances, order, 1)
        return Nearest(found, distances)

    def range_search(self, queries: Any, radius: int, *, fingerprint: str | None = None) -> InRange:
        """All codes at a distance of up to `radius` bits, which counts, from each query (m, K / 8).

        Raises InputError for a negative radius, other codes, another coder's fingerprint, and on kind "hnsw".
        """
        self._check_coder(fingerprint)
        queries = as_packed(queries, self.bits, "queries")
        whole = isinstance(radius, int | np.integer) and not isinstance(radius, bool)
        if not whole or radius < 0:
            raise InputError(f"radius={radius!r}; allowed: whole numbers of bits from 0")
        if not len(self):
            return InRange(np.zeros(len(queries) + 1, np.int64), self._ids, np.zeros(0, np.int32))
        limits, positions, distances = self._structure.range_search(
            self._codes, queries, min(int(radius), self.bits)
        )
        found = self._ids[positions]
        of = np.repeat(np.arange(len(queries)), np.diff(limits))
        order = np.lexsort((found, distances, of))
        return InRange(limits, found[order], distances[order])

    def save(self, path: str | Path) -> Path:
        """Write one file, which appears whole or not at all. Raises RunError where it cannot be written."""
        built = self._structure.as_bytes() if self._structure.built else None
        described = {
            "bits": self.bits,
            "kind": self.kind,
            "options": self.options,
            "fingerprint": self.fingerprint,
        }
        return write_index(Path(path), described, self._ids, self._codes, built)

    @classmethod
    def load(cls, path: str | Path, *, memory_map: bool = False, fingerprint: str | None = None) -> CodeIndex:
        """Read what `save` wrote.

        memory_map: leave ids and codes on the disk, from where the system reads what a search needs. Their check sum is
            then not verified, which would read them whole; the size of the file is.
        fingerprint: the coder that the index must be of.
        Raises DataError for a file that is missing, truncated, corrupted or of another version, InputError for an index
        of another coder.
        """
        path = Path(path)
        described, ids, codes, built = read_index(path, memory_map)
        try:
            index = cls._restored(described, ids, codes, built)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, MemoryError) as error:
            raise DataError(f"{path} is not a whole index of codes: {error}") from None
        index._check_coder(fingerprint)
        return index

    @classmethod
    def _restored(
        cls, described: Mapping[str, Any], ids: Ids, codes: Packed, built: NDArray[np.uint8] | None
    ) -> CodeIndex:
        fingerprint = described["fingerprint"]
        if not isinstance(fingerprint, str | None):
            raise ValueError(f"fingerprint {fingerprint!r}")
        index = cls(described["bits"], described["kind"], fingerprint=fingerprint, **described["options"])
        if codes.shape != (len(ids), index.bits // 8) or ids.ndim != 1:
            raise ValueError(f"codes of shape {codes.shape} for {ids.shape} ids and {index.bits} bits")
        if len(ids) and (ids[0] < 0 or (np.diff(ids) <= 0).any()):
            raise ValueError("the ids are not ascending")
        index._ids, index._codes = ids, codes
        if built is not None:
            index._structure.from_bytes(built, len(ids))
        return index

    def _has(self, ids: Ids) -> NDArray[np.bool_]:
        """Which ids (sorted) are there."""
        at = np.searchsorted(self._ids, ids)
        there = at < len(self)
        there[there] = self._ids[at[there]] == ids[there]
        return there

    def _check_coder(self, fingerprint: str | None) -> None:
        if fingerprint is not None and self.fingerprint is not None and fingerprint != self.fingerprint:
            raise InputError(
                f"codes of another coder: the index holds codes of {self.fingerprint[:12]}..., and these are of "
                f"{fingerprint[:12]}...; distances between them mean nothing"
            )


def _as_ids(ids: ArrayLike) -> Ids:
    array = np.asarray(ids)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InputError(f"ids have shape {array.shape} and type {array.dtype}; needed: (m,) whole numbers")
    return array.astype(np.int64)


def _refuse(ids: Ids, what: str) -> None:
    if len(ids):
        wrong = np.unique(ids)
        shown = ", ".join(map(str, wrong[:5].tolist())) + (", ..." if len(wrong) > 5 else "")
        raise InputError(f"{len(wrong)} {'id is' if len(wrong) == 1 else 'ids are'} {what}: {shown}")
