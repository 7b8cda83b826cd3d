"""What a run folder records: the settings, the tables and the small copies that a report shows."""

from __future__ import annotations

import io
import math
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import somscope
from somscope.atomic import whole_file
from somscope.progress import track
from somscope.runs.features import find_gaps
from somscope.runs.jsonfile import write_object
from somscope.runs.run import FORMAT

if TYPE_CHECKING:
    import pyarrow as pa

    from somscope.data.collection import Collection
    from somscope.maps.lattice import Lattice

__all__ = [
    "DESCRIBED",
    "METADATA",
    "assignments_blocks",
    "assignments_table",
    "collection_record",
    "config_record",
    "history_table",
    "items_blocks",
    "items_table",
    "jsonable",
    "label_texts",
    "percentiles",
    "units_table",
    "write_items",
    "write_record",
]

DESCRIBED = "described"  # the key of what stands in config.json for a value that JSON cannot hold
METADATA = "metadata."  # before the names of an items table's columns that are the collection's further ones
THUMBNAIL_SIZE = 64  # pixels of the longest side
TEXT_SIZE = 300  # characters
_LOSSLESS_SIDE = 32  # pixels; below it PNG is as small as WebP and keeps every grey value
_LONG_TEXT = 200  # bytes a row; longer texts of the metadata are not copied
_JSON_VALUES = 4096  # larger arrays are described, not listed: they lie in the model's own file
_ROWS = 1 << 20  # of a table, made and written together
_BATCH = 512  # thumbnails made between two moves of the progress bar


def config_record(
    collection: Mapping[str, Any],
    model_name: str,
    parameters: Mapping[str, Any],
    lattice: Lattice,
    *,
    chosen: Mapping[str, Any],
    stop_reason: str,
    passes: int | None = None,
    steps: int | None = None,
    seed: int | None,
    seconds: float,
    device: str,
    threads: int,
    command: Sequence[str],
    precision: str | None = None,
    counts: Mapping[str, int] | None = None,
    warnings: Sequence[str] = (),
    left_out: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """Everything that is needed to repeat a run, as the JSON object of `config.json`.

    collection: its `collection_record`, made before the training: that reads all data, which can fail. passes over the
    data or steps: the length of the training. seconds: its wall time alone. command: the arguments of
    the command line, [] from Python. precision: of a network. counts: how often targets were renewed and clusters
    re-seeded. warnings: of the training. left_out: what the run lacks, see `somscope.runs.steps`.
    """
    record = {
        "format": FORMAT,
        "somscope": somscope.__version__,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": list(command),
        "collection": dict(collection),
        "model": {"name": model_name, "parameters": dict(parameters)},
        "lattice": lattice.record(),
        "chosen": dict(chosen),
        "stop_reason": stop_reason,
        **({} if passes is None else {"passes": passes}),
        **({} if steps is None else {"steps": steps}),
        "seed": seed,
        "seconds": seconds,
        "device": device,
        **({} if precision is None else {"precision": precision}),
        "threads": threads,
        **({} if not counts else {"counts": dict(counts)}),
        "warnings": list(warnings),
        "left_out": [dict(entry) for entry in left_out],
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("torch", "numpy", "scikit-learn")},
        },
    }
    return {name: jsonable(value) for name, value in record.items()}


def collection_record(collection: Collection) -> dict[str, Any]:
    """What `config.json` says of the collection; reads all its data."""
    return {
        "name": collection.name,
        "kind": collection.kind,
        "n_items": collection.n_items,
        "n_features": collection.n_features,
        "n_missing": find_gaps(collection).count,
        "image_shape": collection.image_shape,
        "feature_names": collection.feature_names,
        "label_names": collection.label_names,
        "fingerprint": collection.fingerprint,
        "source": collection.source,
        "skipped": [{"where": skipped.where, "why": skipped.why} for skipped in collection.skipped],
    }


def jsonable(value: Any) -> Any:
    """`value` as JSON can hold it: NumPy values as numbers and lists, NaN as null.

    Anything else, and a large array, becomes {DESCRIBED: what it is}, which cannot be taken for a value.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, np.ndarray):
        if value.size > _JSON_VALUES:
            return {DESCRIBED: f"array {value.shape} {value.dtype}"}
        return jsonable(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Callable):  # type: ignore[arg-type]  # a decay given as a function
        name = getattr(value, "__qualname__", type(value).__name__)
        return {DESCRIBED: f"{getattr(value, '__module__', '?')}.{name}"}
    return {DESCRIBED: type(value).__name__}


def percentiles(distances: NDArray[Any], training_distances: NDArray[Any]) -> NDArray[np.float32]:
    """(n,) share of the training items, in percent, that lie at most as far from their BMU as each distance."""
    return _percentiles(distances, np.sort(np.asarray(training_distances, dtype=np.float32)))


def _percentiles(distances: NDArray[Any], ordered: NDArray[np.float32]) -> NDArray[np.float32]:
    at_most = np.searchsorted(ordered, np.asarray(distances, dtype=np.float32), side="right")
    return (100.0 * at_most / len(ordered)).astype(np.float32)


def assignments_table(
    collection: Collection,
    units: NDArray[Any],
    distances: NDArray[Any],
    training_distances: NDArray[Any] | None = None,
    uncertainty: NDArray[np.floating] | None = None,
    groups: NDArray[np.integer] | None = None,
) -> pa.Table:
    """One row per item: id, unit, distance, second_unit, percentile, label (null where there is none); uncertainty, and
    group by the groups (K,) of the units, if these are given.

    units, distances: (n, 2) best and second unit and their distances, as `best_units` gives them; the second unit
    of a map of one unit is -1. The percentile is among `training_distances`, by default the collection's own.
    """
    import pyarrow as pa

    return pa.concat_tables(
        assignments_blocks(collection, units, distances, training_distances, uncertainty, groups)
    ).combine_chunks()


def assignments_blocks(
    collection: Collection,
    units: NDArray[Any],
    distances: NDArray[Any],
    training_distances: NDArray[Any] | None = None,
    uncertainty: NDArray[np.floating] | None = None,
    groups: NDArray[np.integer] | None = None,
) -> Iterator[pa.Table]:
    """`assignments_table` in tables of a million rows, one at a time."""
    import pyarrow as pa

    reference = distances[:, 0] if training_distances is None else training_distances
    ordered = np.sort(np.asarray(reference, dtype=np.float32))
    for rows in _row_blocks(len(units)):
        first = np.asarray(distances[rows, 0], dtype=np.float32)
        second = units[rows, 1] if units.shape[1] > 1 else np.full(len(first), -1)
        table = pa.table(
            {
                "id": pa.array(collection.ids[rows].tolist(), pa.string()),
                "unit": pa.array(units[rows, 0].astype(np.int32)),
                "distance": pa.array(first),
                "second_unit": pa.array(np.asarray(second).astype(np.int32)),
                "percentile": pa.array(_percentiles(first, ordered)),
                "label": pa.array(label_texts(collection, rows), pa.string()),
            }
        )
        if uncertainty is not None:
            table = table.append_column("uncertainty", pa.array(uncertainty[rows].astype(np.float32)))
        if groups is not None:
            table = table.append_column("group", pa.array(groups[units[rows, 0]].astype(np.int32)))
        yield table


def _row_blocks(n_items: int) -> Iterator[slice]:
    for start in range(0, max(1, n_items), _ROWS):
        yield slice(start, min(start + _ROWS, n_items))


def units_table(
    units: NDArray[Any],
    u_matrix: NDArray[np.floating],
    density: NDArray[np.integer] | None,
    groups: NDArray[np.integer] | None = None,
) -> pa.Table:
    """One row per unit: unit, hits, u_matrix, density (the P-matrix, null where it was left out), and group where the
    model merged its units into groups.

    units: (n, 1 or 2) best units of the items; u_matrix: (rows, columns); density, groups: (K,).
    """
    import pyarrow as pa

    n_units = u_matrix.size
    columns = {
        "unit": pa.array(np.arange(n_units, dtype=np.int32)),
        "hits": pa.array(np.bincount(units[:, 0], minlength=n_units)),
        "u_matrix": pa.array(np.asarray(u_matrix, dtype=np.float64).reshape(-1)),
        "density": pa.nulls(n_units, pa.int64()) if density is None else pa.array(density, pa.int64()),
    }
    return pa.table(columns if groups is None else {**columns, "group": pa.array(groups, pa.int32())})


def label_texts(collection: Collection, rows: slice = slice(None)) -> list[str | None]:
    """The label of each item in words; None where an item has none."""
    if collection.labels is None:
        return [None] * len(range(collection.n_items)[rows])
    names = [*collection.label_names, None]  # label -1 takes the last
    return [names[label] for label in collection.labels[rows]]


def items_table(collection: Collection, progress: bool | None = None, *, shown: bool = True) -> pa.Table:
    """What a report shows of each item without the original data: id, label, and a thumbnail or a text's start.

    Images get `thumbnail` (PNG or WebP bytes, longest side at most 64 pixels), text gets `text` (first 300
    characters), vectors nothing more; without `shown` none does. Then follow the collection's metadata, each column
    as `metadata.NAME`, where it holds numbers, truth values, times or short texts.
    """
    import pyarrow as pa

    table = pa.concat_tables(items_blocks(collection))
    if shown and collection.kind == "images":
        table = table.add_column(2, "thumbnail", pa.array(_thumbnails(collection, progress), pa.binary()))
    elif shown and collection.kind == "text" and collection.texts is not None:
        table = table.add_column(
            2, "text", pa.array([_start(str(text)) for text in collection.texts], pa.string())
        )
    return table


def items_blocks(collection: Collection) -> Iterator[pa.Table]:
    """`items_table` without pictures and texts, in tables of a million rows, one at a time."""
    import pyarrow as pa

    further = collection.metadata
    plain = [] if further is None else [name for name in further.column_names if _is_plain(further[name])]
    for rows in _row_blocks(collection.n_items):
        columns = {
            "id": pa.array(collection.ids[rows].tolist(), pa.string()),
            "label": pa.array(label_texts(collection, rows), pa.string()),
        }
        if further is not None:
            columns |= {METADATA + name: further[name][rows] for name in plain}
        yield pa.table(columns)


def _is_plain(column: pa.ChunkedArray) -> bool:
    """Whether a column holds numbers, truth values, times, or texts of at most 200 bytes on average."""
    import pyarrow as pa

    kind, types = column.type, pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        return bool(column.nbytes <= _LONG_TEXT * max(1, len(column)))
    return any(
        is_kind(kind)
        for is_kind in (
            types.is_integer,
            types.is_floating,
            types.is_boolean,
            types.is_date,
            types.is_timestamp,
        )
    )


def _start(text: str) -> str:
    return text if len(text) <= TEXT_SIZE else text[: TEXT_SIZE - 1] + "…"


def _thumbnails(collection: Collection, progress: bool | None) -> list[bytes]:
    """Encoded one by one (Pillow has no other way), but on every processor: the encoders release the GIL."""
    from PIL.Image import Image

    height, width, _ = collection.image_shape or (0, 0, 0)
    lossless = max(height, width) <= _LOSSLESS_SIDE

    def encode(i: int) -> bytes:
        picture: Image = collection.thumbnail(i, THUMBNAIL_SIZE)
        buffer = io.BytesIO()
        if lossless:
            picture.save(buffer, "PNG")
        else:
            picture.convert("RGB").save(buffer, "WEBP", quality=80, method=2)
        return buffer.getvalue()

    starts = range(0, collection.n_items, _BATCH)
    encoded: list[bytes] = []
    with ThreadPoolExecutor() as pool:
        for start in track(starts, "thumbnails", total=len(starts), enabled=progress):
            encoded.extend(pool.map(encode, range(start, min(start + _BATCH, collection.n_items))))
    return encoded


def history_table(history: Mapping[str, Sequence[Any]]) -> pa.Table:
    """The history of a training as a table; a map that was not trained has no rows."""
    import pyarrow as pa

    columns = {name: pa.array(np.asarray(values)) for name, values in history.items()}
    return pa.table(columns or {"pass": pa.array([], pa.int64())})


def write_record(
    folder: Path,
    config: Mapping[str, Any],
    metrics: Mapping[str, float],
    *,
    assignments: pa.Table | Iterator[pa.Table] | None,
    items: pa.Table | Iterator[pa.Table],
    history: pa.Table,
    units: pa.Table | None = None,
    vocabulary: pa.Table | None = None,
) -> None:
    """Write the JSON files and the tables of a run; a measure without a value is written as null.

    assignments, items: whole, or block by block. assignments, units: None where the config says that they were left
    out. vocabulary: of a run of texts, see `somscope.runs.words`.
    """
    write_object(folder / "config.json", dict(config))
    write_object(folder / "metrics.json", {name: jsonable(value) for name, value in metrics.items()})
    tables: dict[str, Any] = {"assignments": assignments, "items": items, "history": history}
    tables |= {"units": units, "vocabulary": vocabulary}
    for name, table in tables.items():
        if table is not None:
            _write_table(table, folder / f"{name}.parquet")


def write_items(folder: Path, items: pa.Table) -> None:
    """Replace the items of a record by a table with pictures or texts; where it cannot be written, they stay."""
    with whole_file(folder / "items.parquet") as partial:
        _write_table(items, partial)


def _write_table(table: pa.Table | Iterator[pa.Table], file: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if isinstance(table, pa.Table):
        pq.write_table(table, file, compression="zstd")
        return
    first = next(table)
    with pq.ParquetWriter(file, first.schema, compression="zstd") as writer:
        for block in chain([first], table):
            writer.write_table(block)
