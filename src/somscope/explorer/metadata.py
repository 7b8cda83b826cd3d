"""The further columns of a run's items: as numbers or classes for each item, and as layers over the units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope.runs.record import METADATA

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MetadataColumn", "metadata_columns", "metadata_layer"]

_MOST_CLASSES = 60
_MOST_COLUMNS = 64


@dataclass(frozen=True)
class MetadataColumn:
    """One column. key: its name among the layers; title: its own name; values: (n,) float32 with NaN for unknown
    numbers, or int32 with -1 for unknown classes; names: of the classes, () for numbers."""

    key: str
    title: str
    values: NDArray[Any]
    names: tuple[str, ...]

    def texts(self) -> list[str]:
        """What a person would type to find each item; "" where nothing is known."""
        if self.names:
            return [*map([*self.names, ""].__getitem__, self.values.tolist())]
        return ["" if np.isnan(value) else f"{value:g}" for value in self.values.tolist()]


def metadata_columns(items: pa.Table) -> list[MetadataColumn]:
    """The metadata in the items of a run, the first 64 that can be shown: numbers, dates (as years with their
    fraction), truth values, and texts with at most 60 different values."""
    found: list[MetadataColumn] = []
    for name in items.column_names:
        if name.startswith(METADATA) and len(found) < _MOST_COLUMNS:
            read = _read(items[name])
            if read is not None:
                found.append(MetadataColumn(f"metadata-{len(found)}", name.removeprefix(METADATA), *read))
    return found


def metadata_layer(column: MetadataColumn, units: NDArray[np.int64], n_units: int) -> dict[str, Any]:
    """A layer: the mean of the members' numbers, or the most frequent class with its share."""
    layer: dict[str, Any] = {"key": column.key, "title": column.title, "group": "metadata"}
    if column.names:
        known = column.values >= 0
        counts = np.zeros((n_units, len(column.names)), dtype=np.int64)
        np.add.at(counts, (units[known], column.values[known]), 1)
        held = counts.sum(axis=1)
        return layer | {
            "type": "class",
            "classes": np.where(held > 0, counts.argmax(axis=1), -1).tolist(),
            "purity": (counts.max(axis=1) / np.maximum(held, 1)).tolist(),
            "names": list(column.names),
            "text": f"The most frequent {column.title} of each unit's items; the paler, the smaller its share.",
        }
    known = ~np.isnan(column.values)
    held = np.bincount(units[known], minlength=n_units)
    sums = np.bincount(units[known], column.values[known].astype(np.float64), minlength=n_units)
    means = np.where(held > 0, sums / np.maximum(held, 1), np.nan)
    there = means[held > 0]
    return layer | {
        "type": "value",
        "values": means.tolist(),
        "low": float(there.min()) if there.size else 0.0,
        "high": float(there.max()) if there.size else 1.0,
        "unit": column.title,
        "text": f"The mean {column.title} of each unit's items.",
    }


def _read(column: pa.ChunkedArray) -> tuple[NDArray[Any], tuple[str, ...]] | None:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        days = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
        years = (
            pc.cast(days, pa.float64(), safe=False).to_numpy(zero_copy_only=False) / (86_400e6 * 365.2425)
            + 1970
        )
        return years.astype(np.float32), ()
    if pa.types.is_boolean(kind):
        column = pc.if_else(column, "yes", "no")
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        values = pc.cast(column, pa.float32(), safe=False).to_numpy(zero_copy_only=False).astype(np.float32)
        return np.where(np.isfinite(values), values, np.float32(np.nan)), ()
    elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return None
    coded = pc.dictionary_encode(column).combine_chunks()
    names = [str(name) for name in coded.dictionary.to_pylist()]
    if not 0 < len(names) <= _MOST_CLASSES:
        return None
    codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    order = np.argsort(np.array(names), kind="stable")
    rank = np.empty(len(names) + 1, dtype=np.int32)
    rank[order], rank[-1] = np.arange(len(names)), -1
    return rank[codes], tuple(names[i] for i in order)
