"""Assigning and encoding on Ray Data: on this machine by default, and the same code on a cluster (extra `ray`).

    from somscope.on_ray import assign, items

    where = assign("runs/photos", items("photos.pack"))
    where.write_parquet("where")

Workers read the run once and then take block after block, so that memory is bounded however many items there are. On a
cluster the run and the pack lie where all workers see them, such as a shared file system; `ray.init` says which
cluster.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope.atomic import whole_folder
from somscope.data.array_files import npy_array
from somscope.data.collection import Collection
from somscope.data.packed import is_pack
from somscope.errors import DataError, InputError, RunError
from somscope.runs.assign import Assigner, conform
from somscope.runs.code_run import CodeRun
from somscope.runs.run import Run

if TYPE_CHECKING:
    from ray.data import Dataset

__all__ = ["assign", "assign_pack", "encode", "items"]

Columns = dict[str, NDArray[Any]]
_FEATURES = "features"
_OWN = (
    "unit",
    "distance",
    "second_unit",
    "percentile",
    "uncertainty",
    "group",
)  # of the columns of an assignment
_BLOCK_BYTES = 32 * 2**20


def items(pack: str | Path) -> Dataset:
    """The items of a pack (see `somscope.data.pack`) as a Ray data set: columns `id` and `features`, read in blocks of
    32 MB by the workers that use them.

    Raises DataError for a folder that is no pack, RunError without the extra `ray`.
    """
    folder, features = _opened(pack)
    data = _ray().data
    n, step = len(features), max(1, _BLOCK_BYTES // max(1, features[:1].nbytes))
    parts = [
        {"folder": str(folder), "start": start, "stop": min(start + step, n)} for start in range(0, n, step)
    ]
    dataset: Dataset = data.from_items(parts, override_num_blocks=len(parts))
    return dataset.map_batches(_read, batch_size=1)


def assign(run: str | Path, dataset: Dataset, *, workers: int | None = None) -> Dataset:
    """`unit`, `distance`, `second_unit`, `percentile` (and `uncertainty` and `group`, where the model has them) of each
    row's `features` on the map of a run, as `assign_collection` gives them, beside the other columns.

    dataset: of Ray, with a column `features`: (d,) numbers in the order of the run's features, or images (H, W, C)
    uint8 of the run's size. workers: how many read the run; by default Ray takes as many as it has room for.
    Raises RunError for a folder that is no run of a map, InputError for a map of texts; when the data set is used, what
    does not fit the run is an error of Ray that quotes ours.
    """
    opened = Run.open(run)
    if opened.config["collection"]["kind"] == "text":
        raise InputError(f"{run} is a map of texts; on Ray images and vectors are assigned")
    return _mapped(dataset, _Assign, opened.path, workers)


def encode(run: str | Path, dataset: Dataset, *, workers: int | None = None) -> Dataset:
    """`code` of each row's `features`, beside the other columns: (K / 8,) bytes by a run of codes, (latent dimensions,)
    numbers by a run of a deep map.

    dataset, workers: as of `assign`. Raises RunError for a folder that is no run of either kind, InputError for a map
    without a network.
    """
    _Encode(str(run))
    return _mapped(dataset, _Encode, Path(run), workers)


def assign_pack(
    run: str | Path, pack: str | Path, out: str | Path, *, overwrite: bool = False
) -> tuple[int, int]:
    """`assign` the items of a pack into `out`, a folder of Parquet files that appears whole or not at all.

    Ray is the one that is running or that RAY_ADDRESS names; otherwise one of this machine is started. overwrite:
    replace a folder of Parquet files. Returns how many items there are, and how many are at least as far from the map
    as its farthest item.
    Raises RunError without the extra `ray`, where `out` may not be replaced and where Ray fails, DataError for a folder
    that is no pack, InputError for items that do not fit the run.
    """
    out = Path(os.path.abspath(Path(out).expanduser()))
    _, features = _opened(pack)
    opened = Run.open(run)
    conform(opened, _collection({_FEATURES: np.array(features[:1])}))
    _check_out(out, overwrite)
    ray = _ray()
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    if not ray.is_initialized():
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nobody has asked for reports to its makers
        ray.init(logging_level="ERROR", log_to_driver=False)
    from pyarrow import compute, dataset

    try:
        with whole_folder(out, lambda: _check_out(out, overwrite), RunError) as partial:
            assign(run, items(pack)).write_parquet(str(partial))
            table = dataset.dataset(partial, format="parquet")
            return table.count_rows(), table.count_rows(filter=compute.field("percentile") >= 100)
    except ray.exceptions.RayError as error:
        raise RunError(f"Ray did not assign the items: {str(error).strip().splitlines()[-1]}") from error


def _check_out(out: Path, overwrite: bool) -> None:
    if not os.path.lexists(out):
        return
    if not overwrite:
        raise RunError(f"{out} exists: choose another folder, or give --overwrite to replace it")
    if not out.is_dir() or any(path.suffix != ".parquet" for path in out.iterdir()):
        raise RunError(f"{out} is no folder of Parquet files alone, so it is not replaced")


def _opened(pack: str | Path) -> tuple[Path, NDArray[Any]]:
    folder = Path(pack).expanduser().resolve()
    if not is_pack(folder):
        raise DataError(f"{folder} is no pack: make one with `somscope data pack`")
    return folder, npy_array(folder / "features.npy")


def _ray() -> Any:
    try:
        import ray.data
    except ImportError:
        raise RunError("this needs Ray Data: pip install 'somscope[ray]'") from None
    return ray


def _mapped(dataset: Dataset, made: type[Any], run: Path, workers: int | None) -> Dataset:
    path = str(run.expanduser().resolve())
    pool = None if workers is None else _ray().data.ActorPoolStrategy(size=workers)
    return dataset.map_batches(made, fn_constructor_args=(path,), batch_size=None, compute=pool)


def _read(part: dict[str, Any]) -> Iterator[Columns]:
    """The rows start .. stop - 1 of a pack."""
    folder, start, stop = Path(part["folder"][0]), int(part["start"][0]), int(part["stop"][0])
    features = np.array(npy_array(folder / "features.npy")[start:stop])
    yield {"id": _ids(folder, start, stop), _FEATURES: features}


def _ids(folder: Path, start: int, stop: int) -> NDArray[Any]:
    """The ids of some rows; only the groups of rows that hold them are read."""
    import pyarrow.parquet as pq

    path = folder / "items.parquet"
    file = pq.ParquetFile(path) if path.is_file() else None
    if file is None or "id" not in file.schema_arrow.names:  # they are numbered
        return np.arange(start, stop).astype(np.str_).astype(object)
    ends = np.cumsum([file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)])
    groups = range(int(np.searchsorted(ends, start, "right")), int(np.searchsorted(ends, stop)) + 1)
    before = int(ends[groups[0] - 1]) if groups[0] else 0
    ids = file.read_row_groups(list(groups), columns=["id"])["id"]
    return np.asarray(ids.slice(start - before, stop - start).to_numpy())


def _collection(batch: Columns) -> Collection:
    features = batch[_FEATURES]
    if features.dtype == object:  # lists of a Parquet file
        try:
            features = np.stack(list(features))
        except ValueError as error:
            raise InputError(f"the rows of {_FEATURES} cannot be put into one array: {error}") from None
    features = np.ascontiguousarray(features)
    return Collection("the data set", "images" if features.ndim == 4 else "vectors", features)


def _others(batch: Columns) -> Columns:
    return {name: values for name, values in batch.items() if name != _FEATURES}


class _Assign:
    def __init__(self, run: str) -> None:
        self.assigner = Assigner(Run.open(run))

    def __call__(self, batch: Columns) -> Columns:
        table = self.assigner(_collection(batch))
        found = {name: table[name].to_numpy() for name in _OWN if name in table.column_names}
        return {**_others(batch), **found}


class _Encode:
    def __init__(self, run: str) -> None:
        try:
            self.encoder: Any = CodeRun.open(run).encoder
            self.run = None
        except RunError:
            self.run = Run.open(run)
            self.encoder = self.run.model()
            if not hasattr(self.encoder, "encode"):
                raise InputError(f"{run} holds a map without a network: it has no codes") from None

    def __call__(self, batch: Columns) -> Columns:
        collection = _collection(batch)
        if self.run is not None:
            collection = conform(self.run, collection)
        return {**_others(batch), "code": np.asarray(self.encoder.encode(collection))}
