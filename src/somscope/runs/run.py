"""Reading a run folder: checked, and without executing anything that lies in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, RunError
from somscope.maps.graph import lattice_of
from somscope.maps.lattice import Lattice
from somscope.models.table import CLUSTERERS, MODELS, model_class
from somscope.runs.jsonfile import read_object

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["FORMAT", "Run", "is_clustering", "left_out", "unfinished"]

# The version of the layout of a run folder; raised when an older somscope could not read a newer run.
FORMAT = 1
_MOST_UNITS = 10_000_000
_BATCH_ROWS = 1 << 16  # of a table of which some rows are read

_FILES = (
    "config.json",
    "metrics.json",
    "model.json",
    "model.safetensors",
    "history.parquet",
    "assignments.parquet",
    "items.parquet",
)
_CONFIG = {
    "somscope": str,
    "created": str,
    "collection": dict,
    "model": dict,
    "lattice": dict,
    "chosen": dict,
}
_COLLECTION = {"name": str, "kind": str, "n_items": int, "n_features": int, "source": dict, "skipped": list}
_LATTICE = {"rows": int, "columns": int, "shape": str, "toroidal": bool}


@dataclass(frozen=True)
class Run:
    """A run folder that was checked when it was opened; its tables and its model are read when asked for.

    path: the folder. config: what was mapped, with what settings and versions. metrics: measure name -> number
    (NaN where a measure has no value). lattice: the lattice of the map.
    """

    path: Path
    config: dict[str, Any]
    metrics: dict[str, float]
    lattice: Lattice

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """Open the run in folder `path`.

        Raises RunError, naming the file, if the folder is not a run, lacks a file, was written in a newer format or
        has a broken one.
        """
        path = Path(path).expanduser()
        if not path.is_dir():
            raise RunError(f"{path} is not a folder: expected a run, as `somscope map` writes it")
        config_file = path / "config.json"
        if not config_file.is_file():
            raise RunError(f"{path} is not a run folder: it has no config.json")
        config = read_object(config_file)
        _check_format(config, config_file)
        needed = (
            name for name in _FILES if name != "assignments.parquet" or "assignments" not in left_out(config)
        )
        missing = [name for name in needed if not (path / name).is_file()]
        if missing:
            raise RunError(f"{path} is not a whole run: {', '.join(missing)} is missing")
        _check_fields(config, _CONFIG, config_file, "")
        _check_fields(config["collection"], _COLLECTION, config_file, "collection.")
        _check_fields(config["lattice"], _LATTICE, config_file, "lattice.")
        _check_fields(config["model"], {"name": str, "parameters": dict}, config_file, "model.")
        try:
            lattice = lattice_of(config["lattice"])
        except (InputError, TypeError, KeyError) as error:
            raise RunError(f"{config_file}: {error}") from error
        if lattice.n_units > _MOST_UNITS:
            raise RunError(
                f"{config_file} declares {lattice.n_units:,} units; allowed: up to {_MOST_UNITS:,}"
            )
        return cls(path, config, _read_metrics(path / "metrics.json"), lattice)

    @property
    def n_items(self) -> int:
        """Number of items that were mapped."""
        return int(self.config["collection"]["n_items"])

    def assignments(self, rows: NDArray[np.integer] | None = None) -> pa.Table:
        """Where each item lies: id, unit, distance, second_unit, percentile (0-100), label (string or null); of a
        model that says how undecided it is, uncertainty (0-1); of one that merged its units, group. rows: ascending
        numbers of the items, by default all.

        Raises RunError where the run was made without them, and says why.
        """
        if "assignments" in left_out(self.config):
            raise RunError(
                f"{self.path} does not say where its items lie ({left_out(self.config)['assignments']}): "
                "repeat its command with --overwrite"
            )
        columns = ("id", "unit", "distance", "second_unit", "percentile", "label")
        table = self._table("assignments.parquet", columns, self.n_items, rows)
        for name in ("unit", "second_unit"):
            units = table[name].to_numpy()
            allowed = range(0 if name == "unit" else -1, self.lattice.n_units)
            if len(units) and not (units.min() in allowed and units.max() in allowed):
                raise RunError(
                    f"{self.path / 'assignments.parquet'}: {name} must lie in {allowed.start}..{allowed.stop - 1}, "
                    f"not in {units.min()}..{units.max()}"
                )
        return table

    def items(self, rows: NDArray[np.integer] | None = None) -> pa.Table:
        """What shows each item: id, label, and `thumbnail` (PNG or WebP bytes) for images or `text` for text. rows:
        ascending numbers of the items, by default all.

        A run that left the thumbnails or texts out has none of these two columns.
        """
        shown = {"images": ("thumbnail",), "text": ("text",)}.get(self.config["collection"]["kind"], ())
        shown = () if "thumbnails" in left_out(self.config) else shown
        return self._table("items.parquet", ("id", "label", *shown), self.n_items, rows)

    def history(self) -> pa.Table:
        """What the training recorded: a row for each pass over the data, or for some steps, by their phase."""
        table = self._table("history.parquet", ())
        if "pass" not in table.column_names and not {"step", "phase"} <= set(table.column_names):
            raise RunError(f"{self.path / 'history.parquet'} lacks the column pass, or step and phase")
        return table

    def units(self) -> pa.Table | None:
        """unit, hits, u_matrix and density (the P-matrix, or null) of each unit, and group where the model merged them;
        None in a run without assignments."""
        if not (self.path / "units.parquet").is_file():
            return None
        return self._table("units.parquet", ("unit", "hits", "u_matrix", "density"), self.lattice.n_units)

    def vocabulary(self) -> pa.Table | None:
        """word and idf of a run of texts, in the order of its features; None without words."""
        if not (self.path / "vocabulary.parquet").is_file():
            return None
        columns = ("word", "idf")
        return self._table("vocabulary.parquet", columns, self.config["collection"]["n_features"])

    def model(self) -> Any:
        """The trained model, of the class that `models.table.MODELS` names.

        Raises RunError if its files are broken or its kind is not known.
        """
        name = self.config["model"]["name"]
        if name not in MODELS:
            raise RunError(f"{self.path}: model {name!r} is not known; allowed: {', '.join(MODELS)}")
        return model_class(name).load(self.path)

    def _table(
        self,
        name: str,
        columns: tuple[str, ...],
        n_rows: int | None = None,
        rows: NDArray[np.integer] | None = None,
    ) -> pa.Table:
        import pyarrow as pa
        import pyarrow.parquet as pq

        file = self.path / name
        try:
            table = pq.read_table(file, partitioning=None) if rows is None else _some_rows(file, rows)
        except (OSError, MemoryError, pa.ArrowException) as error:
            raise RunError(f"{file} cannot be read: {error}") from error
        absent = [column for column in columns if column not in table.column_names]
        if absent:
            raise RunError(f"{file} lacks the column {', '.join(absent)}")
        held = table.num_rows if rows is None else pq.read_metadata(file).num_rows
        if n_rows is not None and held != n_rows:
            raise RunError(f"{file} has {held} rows; by config.json it must have {n_rows}")
        return table


def _some_rows(file: Path, rows: NDArray[np.integer]) -> pa.Table:
    """Rows of a Parquet file by their ascending numbers, read part by part; numbers beyond its end give none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as opened:
        parts, start = [opened.schema_arrow.empty_table()], 0
        for batch in opened.iter_batches(_BATCH_ROWS):
            end = start + len(batch)
            chosen = rows[np.searchsorted(rows, start) : np.searchsorted(rows, end)] - start
            parts.append(pa.Table.from_batches([batch]).take(chosen))
            start = end
    return pa.concat_tables(parts)


def is_clustering(config: Mapping[str, Any]) -> bool:
    """Whether a run's units are clusters and not those of a map; config: as in `config.json`."""
    return config["model"].get("name") in CLUSTERERS


def left_out(config: Mapping[str, Any]) -> dict[str, str]:
    """What a run lacks -> why; config: as in `config.json`, whatever it holds."""
    entries = config.get("left_out")
    known = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    return {str(entry.get("what")): str(entry.get("why")) for entry in known}


def unfinished(config: Mapping[str, Any]) -> bool:
    """Whether Ctrl-C or an error kept a run from being what it was to be; config: as in `config.json`."""
    entries = config.get("left_out")
    causes = {entry.get("cause") for entry in entries or () if isinstance(entry, dict)}
    return config.get("stop_reason") == "interrupted" or bool(causes & {"interrupted", "error"})


def _check_format(config: dict[str, Any], file: Path) -> None:
    version = config.get("format")
    if type(version) is not int or version < 1:
        raise RunError(f"{file} has no format version: the folder is not a run of somscope")
    if version > FORMAT:
        raise RunError(
            f"{file} has format {version}; this somscope reads up to {FORMAT}: "
            f"it was written by somscope {config.get('somscope')}"
        )


def _check_fields(value: dict[str, Any], fields: Mapping[str, type], file: Path, where: str) -> None:
    for name, kind in fields.items():
        if name not in value:
            raise RunError(f"{file} lacks the field {where}{name}")
        if not isinstance(value[name], kind) or (kind is int and isinstance(value[name], bool)):
            raise RunError(
                f"{file}: the field {where}{name} must be {kind.__name__}, not {type(value[name]).__name__}"
            )


def _read_metrics(file: Path) -> dict[str, float]:
    metrics = {}
    for name, value in read_object(file).items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise RunError(f"{file}: {name} must be a number or null, not {type(value).__name__}")
        metrics[name] = float("nan") if value is None else float(value)
    return metrics
