"""A run made ready to be looked at: what is drawn, in arrays, and what is missing, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from numpy.typing import NDArray

import somscope
from somscope.errors import RunError
from somscope.explorer.columns import pack_columns, text_columns
from somscope.explorer.laid_out import LaidOut
from somscope.explorer.metadata import MetadataColumn, metadata_columns
from somscope.explorer.mosaic import SIZES, Pixels, Thumbnails, as_webp
from somscope.explorer.notes import Notes
from somscope.explorer.on_disk import OnDisk, items_of
from somscope.explorer.originals import Originals
from somscope.explorer.unit_layers import layer_columns
from somscope.explorer.unit_sheets import unit_sheet
from somscope.figures.palette import CLASS_COLOURS, DIVERGING, SEQUENTIAL
from somscope.figures.units import describe
from somscope.maps.graph import GraphLattice
from somscope.report.summary import MapSummary, summarise
from somscope.runs.distance import MapDistance
from somscope.runs.features import is_deep, shown_prototypes
from somscope.runs.run import Run, is_clustering, left_out, unfinished

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Shown", "open_shown"]

_SHEET_PIXELS = 4_000_000
_MOST_DIMENSIONS = 1024
_EMPTY = {"id": "string", "unit": "int32", "distance": "float32", "second_unit": "int32"}
_EMPTY |= {"percentile": "float32", "label": "string"}


@dataclass(frozen=True)
class _Readable:
    """A run whose missing assignments are an empty table, so that its map can still be shown."""

    run: Run | LaidOut
    assigned: bool

    @property
    def config(self) -> Mapping[str, Any]:
        return self.run.config

    @property
    def metrics(self) -> Mapping[str, float]:
        return self.run.metrics

    @property
    def lattice(self) -> Any:
        return self.run.lattice

    def assignments(self) -> pa.Table:
        import pyarrow as pa

        if self.assigned:
            return self.run.assignments()
        return pa.table({name: pa.array([], getattr(pa, kind)()) for name, kind in _EMPTY.items()})

    def items(self) -> pa.Table:
        return self.run.items()

    def units(self) -> pa.Table | None:
        return self.run.units()

    def history(self) -> pa.Table:
        return self.run.history()

    def model(self) -> Any:
        return self.run.model()


@dataclass
class Shown:
    """Everything that the explorer draws of a run, or of what is laid out like one.

    title: of the map, where it is one of several. measured: whether the distances of items to their units are known.
    packed, n_bits: (n, n_bits / 8) binary codes of the items, where they have some. images: where the folder of the
    images is now. pairs: (n,) numbers that items have in common with those of other maps beside it; places: (n,) such
    numbers of where they lie, for maps whose items have nothing in common but their lattice. first_layers: shown before
    the others. noted: names and notes of the units, those beside the run unless others are given.

    Raises RunError if the folder is not a run, or its tables and its model do not fit each other. Missing pictures and
    a training that was not finished are not errors: `problems` says so in words.
    """

    run: Run | LaidOut
    problems: list[str] = field(default_factory=list)
    title: str = ""
    measured: bool = True
    packed: NDArray[np.uint8] | None = None
    n_bits: int = 0
    pairs: NDArray[np.int64] | None = None
    places: NDArray[np.int64] | None = None
    first_layers: list[dict[str, Any]] = field(default_factory=list)
    images: Path | None = None
    noted: InitVar[Notes | None] = None

    def __post_init__(self, noted: Notes | None) -> None:
        run = self.run
        self.title = self.title or run.path.resolve().name
        self.model: Any = run.model()
        self.codes = np.asarray(self.model.prototypes_, dtype=np.float64)
        if len(self.codes) != run.lattice.n_units:
            raise RunError(
                f"{run.path}: the model has {len(self.codes)} prototypes for a lattice of {run.lattice.n_units} units"
            )
        self.prototypes = np.asarray(shown_prototypes(self.model))
        self.distance = MapDistance.of(run.config, getattr(self.model, "feature_weights", None))
        readable = _Readable(run, "assignments" not in left_out(run.config))
        self.summary: MapSummary = summarise(
            readable,
            np.asarray(self.model.prototypes_),
            getattr(self.model, "u_matrix_", None),
            self.distance,
            getattr(self.model, "edge_distances_", None),
        )
        things, pictures = items_of(run) if isinstance(run, Run) else (run.items(), None)
        self.thumbnails, self.texts = self._things(things, pictures)
        self.originals = Originals(run.config["collection"]["source"], self.images)
        if self.originals.problem is not None:
            self.problems.append(self.originals.problem)
        self.metadata = metadata_columns(things) if len(self.summary.ids) else []
        if "uncertainty" in readable.assignments().column_names:
            values = readable.assignments()["uncertainty"].to_numpy()
            self.metadata.append(MetadataColumn("uncertain", "uncertainty", values, ()))
        self.notes = noted or Notes(run.path, run.lattice.n_units, str(run.config["created"]))
        for what, why in left_out(run.config).items():
            self.problems.append(f"This run has no {what}: {why}.")
        if unfinished(run.config):
            self.problems.append(
                "The training of this run was not finished: the map is shown as it was then."
            )

    def _things(
        self, items: pa.Table, pictures: OnDisk | None
    ) -> tuple[Thumbnails | None, list[str | None] | None]:
        """The pictures or the texts of the items, where the run has them."""
        kind = self.run.config["collection"]["kind"]
        if kind == "text" and "text" in items.column_names:
            return None, items["text"].to_pylist()
        there = pictures is not None or "thumbnail" in items.column_names
        if kind != "images" or not there or not len(self.summary.order):
            return None, None
        encoded = items["thumbnail"] if pictures is None else pictures
        if encoded.null_count:
            self.problems.append(
                f"{encoded.null_count:,} of {len(encoded):,} images have no picture here: a cross stands for each."
            )
        grey = self._image_shape is not None and self._image_shape[2] == 1
        return Thumbnails(encoded, self.summary.order, self.summary.starts, grey), None

    @property
    def _image_shape(self) -> tuple[int, int, int] | None:
        shape = self.run.config["collection"].get("image_shape")
        whole = isinstance(shape, list) and len(shape) == 3 and all(type(n) is int and n > 0 for n in shape)
        return (shape[0], shape[1], shape[2]) if whole else None

    @property
    def pictured(self) -> bool:
        """Whether prototypes are pictures."""
        shape = self._image_shape
        fits = shape is not None and int(np.prod(shape)) == self.prototypes.shape[1]
        return fits and self.packed is None

    def as_pixels(self, items: NDArray[Any]) -> Pixels:
        """(m, H, W, C) pictures of (m, d) items or prototypes in 0..1."""
        scaled = np.clip(np.nan_to_num(np.asarray(items, dtype=np.float64)) * 255, 0, 255).round()
        return scaled.astype(np.uint8).reshape(-1, *(self._image_shape or (1, 1, 1)))

    @cached_property
    def sheet_side(self) -> int:
        """Pixels of a unit's cell in a sheet."""
        return int(np.clip(np.sqrt(_SHEET_PIXELS / self.run.lattice.n_units), 8, 96)) // 8 * 8

    @property
    def sheet_columns(self) -> int:
        """Cells in a row of a sheet."""
        return int(np.ceil(np.sqrt(self.run.lattice.n_units)))

    @property
    def sheet_names(self) -> list[str]:
        """Which sheets there are: one picture for each unit."""
        own = ["medoids", "mosaic"] if self.thumbnails is not None else []
        return (["prototypes"] if self.pictured else []) + own

    def sheet(self, name: str) -> bytes | None:
        """The sheet `name` as WebP; None for one that there is not. Each is made once."""
        if name not in self.sheet_names:
            return None
        if name not in self._sheets:
            self._sheets[name] = unit_sheet(self, name)
        return self._sheets[name]

    def bake(self) -> None:
        """Make what a page asks for first, so that it need not wait for it."""
        self.units()
        self.layers()
        for name in self.sheet_names[:1]:
            self.sheet(name)

    @cached_property
    def _sheets(self) -> dict[str, bytes]:
        return {}

    def record(self) -> dict[str, Any]:
        """What the page must know first, as JSON; everything of the length of the items comes as columns."""
        run, lattice, collection = self.run, self.run.lattice, self.run.config["collection"]
        deep = is_deep(self.model)
        ramp = matplotlib.colormaps[SEQUENTIAL](np.linspace(0, 1, 64))
        return {
            "version": somscope.__version__,
            "name": str(collection["name"]),
            "title": self.title,
            "folder": run.path.name,
            "kind": collection["kind"],
            "model": str(run.config["model"]["name"]),
            "n_items": len(self.summary.ids),
            "clusters": is_clustering(run.config),
            "lattice": {
                "rows": lattice.rows,
                "columns": lattice.columns,
                "shape": lattice.shape,
                "toroidal": lattice.toroidal,
                "graph": isinstance(lattice, GraphLattice),
                "period": list(lattice.period),
                "words": describe(lattice),
            },
            "distance_unit": self.distance.items if self.packed is None else "Euclidean, between bits",
            "label_names": list(self.summary.class_names),
            "label_colours": list(CLASS_COLOURS),
            "ramp": [to_hex(colour) for colour in ramp],
            "diverging": [
                to_hex(colour) for colour in matplotlib.colormaps[DIVERGING](np.linspace(0, 1, 63))
            ],
            "sheets": {
                "names": self.sheet_names,
                "side": self.sheet_side,
                "columns": self.sheet_columns,
            },
            "tile_sizes": list(SIZES) if self.thumbnails is not None else [],
            "thumbnails": self.thumbnails is not None,
            "measured": self.measured,
            "bits": self.n_bits,
            "search_image": self._image_shape is not None and self.measured,
            "decode": self.pictured and self.measured and (not deep or hasattr(self.model, "decode")),
            "code_dimensions": self.codes.shape[1] if deep and self.packed is None else 0,
            "measures": {name: value for name, value in run.metrics.items() if np.isfinite(value)},
            "problems": self.problems,
            "notes": self.notes.all(),
        }

    def items(self) -> bytes:
        """The columns of the items: where each lies, its distance and label, its id, and the order by unit."""
        s = self.summary
        columns: dict[str, NDArray[Any]] = {
            "unit": s.units,
            "second_unit": s.second_units,
            "distance": s.distances if self.measured else np.full(len(s.ids), np.nan),
            "percentile": s.percentiles if self.measured else np.full(len(s.ids), np.nan),
            "label": s.labels,
            "order": s.order,
            **text_columns("id", s.ids),
        }
        if self.texts is not None:
            columns |= text_columns("text", self.texts)
        if self.pairs is not None:
            columns["pair"] = self.pairs
        if self.places is not None:
            columns["place"] = self.places
        described = [{"key": one.key, "title": one.title, "names": list(one.names)} for one in self.metadata]
        columns |= {one.key: one.values for one in self.metadata}
        return pack_columns(columns, {"metadata": described})

    def units(self) -> bytes:
        """The columns of the units: places, hits, where their members begin in `order`, and neighbours; `codes`
        (K * L) and, where they were learned, `relevances` (K * L) of the dimensions that the header names."""
        return self._units

    @cached_property
    def _units(self) -> bytes:
        s, lattice = self.summary, self.run.lattice
        columns = {
            "x": lattice.positions[:, 0],
            "y": lattice.positions[:, 1],
            "hits": s.hits,
            "starts": s.starts,
            "medoid": s.medoids,
            "edge_a": s.edges[:, 0],
            "edge_b": s.edges[:, 1],
        }
        names = self._dimensions
        if names:
            columns["codes"] = np.asarray(self.distance.shaped(self.codes)).ravel()
            relevances = getattr(self.model, "relevances_", None)
            if relevances is not None and np.shape(relevances) == self.codes.shape:
                columns["relevances"] = np.asarray(relevances).ravel()
        return pack_columns(columns, {"dimensions": names})

    @property
    def _dimensions(self) -> list[str]:
        """Names of what a person can weigh: codes of a network and columns of a table; single pixels and words of a
        vocabulary are too many, and too little each."""
        length = self.codes.shape[1]
        if self.packed is not None or not self.measured or length > _MOST_DIMENSIONS:
            return []
        if is_deep(self.model):
            return [f"dimension {i}" for i in range(length)]
        if self.run.config["collection"]["kind"] != "vectors":
            return []
        names = self.feature_names
        return names if len(names) == length else [f"column {i}" for i in range(length)]

    def layers(self) -> bytes:
        """The layers: their words in the header, and for each its column of values or classes over the units."""
        return self._layers

    @cached_property
    def _layers(self) -> bytes:
        return layer_columns(self)

    @property
    def feature_names(self) -> list[str]:
        """Names of the features; none where the collection has no names for them."""
        return [str(name) for name in self.run.config["collection"].get("feature_names") or ()]

    def item_picture(self, item: int) -> bytes | None:
        """The picture of an item as WebP or PNG; None where there is none."""
        if self.thumbnails is None or not 0 <= item < len(self.summary.ids):
            return None
        return as_webp(self.thumbnails.pixels(item, 64), None)

    def whole_picture(self, item: int) -> bytes | None:
        """An item as large as it is known: the file that it came from, or else its thumbnail."""
        if not 0 <= item < len(self.summary.ids):
            return None
        return self.originals.picture(self.summary.ids[item]) or self.item_picture(item)


def open_shown(path: str | Path) -> Shown:
    """The run in a folder, ready to be looked at."""
    return Shown(Run.open(path))
