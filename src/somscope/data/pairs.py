"""Two collections whose items correspond one to one, such as source and target of a translation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.data.collection import Collection
from somscope.data.sampling import choose
from somscope.errors import InputError

__all__ = ["Pairs"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """Item i of `a` belongs to item i of `b`.

    names: (n,) the name that both share.
    unmatched_a, unmatched_b: ids that found no partner, in sorted order.
    """

    a: Collection
    b: Collection
    names: tuple[str, ...]
    unmatched_a: tuple[str, ...] = ()
    unmatched_b: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.a) == len(self.b) == len(self.names):
            raise InputError(
                f"pairs need equally many items: {len(self.a)}, {len(self.b)}, {len(self.names)} names"
            )

    def __len__(self) -> int:
        return len(self.names)

    @classmethod
    def align(cls, a: Collection, b: Collection, suffix_a: str = "", suffix_b: str = "") -> Pairs:
        """Pair the items of `a` and `b` that have one name, sorted by it; say which found no partner.

        The name of an item is its id without the file's extension ("cats/01.jpg" -> "cats/01"), and without
        `suffix_a` or `suffix_b` where it ends in one ("01_fake_B" -> "01").

        Raises InputError when two items of one collection get one name, or when no item finds a partner.
        """
        rows_a, rows_b = _rows(a, suffix_a), _rows(b, suffix_b)
        common = sorted(rows_a.keys() & rows_b.keys())
        if not common:
            raise InputError(
                f"{a.name} and {b.name} share no name: {_first(rows_a)} against {_first(rows_b)}; "
                "items are paired by id without extension, after removing suffix_a and suffix_b"
            )
        return cls(
            a=a.take([rows_a[name] for name in common]),
            b=b.take([rows_b[name] for name in common]),
            names=tuple(common),
            unmatched_a=_rest(a, rows_a, common),
            unmatched_b=_rest(b, rows_b, common),
        )

    def sample(self, limit: int, seed: int) -> Pairs:
        """At most so many pairs, drawn with the seed, in their old order."""
        rows = choose(len(self), limit, seed)
        names = tuple(self.names[row] for row in rows)
        return replace(self, a=self.a.take(rows), b=self.b.take(rows), names=names)

    def summary(self) -> str:
        """How many pairs, and how many items found no partner (naming the first three)."""
        parts = [f"{len(self)} pairs"]
        for collection, rest in ((self.a, self.unmatched_a), (self.b, self.unmatched_b)):
            if rest:
                shown = ", ".join(rest[:3]) + (", ..." if len(rest) > 3 else "")
                parts.append(f"{len(rest)} of {collection.name} without a partner ({shown})")
        return "; ".join(parts)


def _rows(collection: Collection, suffix: str) -> dict[str, int]:
    rows: dict[str, int] = {}
    has_files = collection.paths is not None
    for row, identity in enumerate(collection.ids.tolist()):
        name = str(PurePosixPath(identity).with_suffix("")) if has_files else identity
        name = name.removesuffix(suffix)
        if name in rows:
            raise InputError(
                f"{collection.name}: {collection.ids[rows[name]]} and {identity} both have the name "
                f"{name!r}; pairs need one item for each name"
            )
        rows[name] = row
    return rows


def _rest(collection: Collection, rows: dict[str, int], common: list[str]) -> tuple[str, ...]:
    left: NDArray[Any] = np.ones(len(collection), dtype=bool)
    left[[rows[name] for name in common]] = False
    return tuple(sorted(collection.ids[left].tolist()))


def _first(rows: dict[str, int]) -> str:
    return ", ".join(repr(name) for name in list(rows)[:3])
