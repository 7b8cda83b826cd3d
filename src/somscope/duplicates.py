"""Images that are nearly the same: the flow behind `somscope duplicates`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from somscope.codes import LSH, CodeIndex, unpack
from somscope.codes.packing import check_bits
from somscope.data.collection import Collection
from somscope.errors import InputError
from somscope.report.contact import Card, Group, write_contact_sheet
from somscope.runs.code_run import learn_features
from somscope.runs.record import items_table
from somscope.searching import Hit, as_hits

__all__ = ["duplicate_groups", "write_duplicates"]

_LEAST_BLOCK = 256  # codes whose neighbours are looked up at once
_MOST_PAIRS = 2**22  # that this may give


def duplicate_groups(
    collection: Collection, radius: int = 3, bits: int = 64, seed: int = 0
) -> list[list[Hit]]:
    """Groups of images that are nearly the same: chains of images whose codes differ in up to `radius` bits each.

    The codes are signs of random projections of GIST about its mean (LSH), of which each differs with the probability
    angle / pi: they see what edges lie where, hardly brightness, and no colour. The largest group comes first; in each
    the first item is the first of the collection, and distances are those to it.
    Raises InputError for what is no images, a negative radius, and bits that are no multiple of 8.
    """
    if collection.kind != "images":
        raise InputError(f"{collection.name} holds {collection.kind}; duplicates are looked for among images")
    coder = LSH(check_bits(bits), random_state=seed)
    features = learn_features("gist", collection, seed).of(collection)
    codes = coder.fit(features).encode(features)
    group = _chained(codes, bits, radius)
    _, first, sizes = np.unique(group, return_index=True, return_counts=True)
    members = np.split(np.argsort(group, kind="stable"), np.cumsum(sizes)[:-1])
    table = items_table(collection, shown=False)
    found = []
    for one in np.lexsort((first, -sizes))[: int((sizes > 1).sum())]:
        rows = members[one]
        apart = unpack(codes[rows] ^ codes[rows[0]], bits).sum(axis=1)
        found.append(as_hits(table, rows.tolist(), apart.tolist()))
    return found


def _chained(codes: NDArray[np.uint8], bits: int, radius: int) -> NDArray[np.int64]:
    """(n,) number of the group of each code: chains of codes that differ in up to `radius` bits each.

    Equal codes are compared once, and others in blocks, so that thousands of images without content, which are all near
    to each other, take no memory for all of their pairs.
    """
    different, which = np.unique(codes, axis=0, return_inverse=True)
    n = len(different)
    index = CodeIndex(bits)
    index.add(different)
    group = np.arange(n)
    block = max(_LEAST_BLOCK, _MOST_PAIRS // n)
    for start in range(0, n, block):
        limits, ids, _ = index.range_search(different[start : start + block], radius)
        ours = np.repeat(group[start : start + block], np.diff(limits))
        near = coo_matrix((np.ones(len(ids), dtype=bool), (ours, group[ids])), shape=(n, n))
        group = connected_components(near, directed=False)[1][group]
    return np.asarray(group[which.reshape(-1)], dtype=np.int64)


def write_duplicates(
    collection: Collection, groups: Sequence[Sequence[Hit]], radius: int, path: Path
) -> Path:
    """Write a contact sheet with one row for each group."""
    rows = [hit.row for group in groups for hit in group]
    pictures: dict[int, bytes] = {}
    for row in rows:
        buffer = io.BytesIO()
        collection.thumbnail(row, 160).save(buffer, "PNG")
        pictures[row] = buffer.getvalue()
    sheets = [
        Group(f"{len(group)} images", [Card(pictures[hit.row], hit.id, hit.apart) for hit in group])
        for group in groups
    ]
    facts = [
        ("collection", f"{collection.name}, {collection.n_items:,} images"),
        ("groups", f"{len(groups)}, with {len(rows)} images"),
        ("radius", f"{radius} bits"),
    ]
    return write_contact_sheet(path, f"Near-duplicates in {collection.name}", facts, sheets)
