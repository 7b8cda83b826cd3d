"""Where new items lie on the map of a run: read as the run's own items were, and checked to be comparable."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope.data.collection import Collection
from somscope.data.open import open_collection, options_of
from somscope.data.table_files import TABLE_SUFFIXES, read_table
from somscope.errors import InputError
from somscope.maps.relevance import unassigned
from somscope.runs.features import best_units, uncertainties, unit_groups, without_unknown
from somscope.runs.record import assignments_table
from somscope.runs.run import Run
from somscope.runs.words import reweigh

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Assigner", "assign_collection", "conform", "open_like"]

# What a reader is told about the form of items; labels, samples and names are another collection's own.
_FORM = ("columns", "id_column", "label_column", "text_column", "image_column", "image_size", "key")
_log = logging.getLogger(__name__)

# Grey from R, G, B in 16-bit fixed point (ITU-R 601): the weights and the rounding of Pillow, which the readers use.
_GREY = np.array([19595, 38470, 7471], dtype=np.uint32)


def assign_collection(run: Run, collection: Collection, noise: bool = False) -> pa.Table:
    """One row per item: id, unit, distance, second_unit, percentile, and uncertainty and group where the model has
    them; columns as in the run's `assignments.parquet`.

    The percentile of a distance is the share of the training items, in percent, that lie at most as far from their
    unit. noise: the unit is -1 where an item activates no unit of a growing map up to its threshold.
    Raises InputError if the items cannot be compared with the map, see `conform`, or for `noise` of another map.
    """
    return Assigner(run, noise)(collection)


class Assigner:
    """`assign_collection` of one collection after the other, for which a run is read once."""

    def __init__(self, run: Run, noise: bool = False) -> None:
        self.run, self.model, self.noise = run, run.model(), noise
        if noise and not hasattr(self.model, "relevances_"):
            raise InputError(
                f"{run.path} is a map by {run.config['model']['name']}, which has no noise; it is of dc-somrl, "
                "larfdssom and somrl"
            )
        self.training = np.sort(run.assignments()["distance"].to_numpy())

    def __call__(self, collection: Collection) -> pa.Table:
        items = conform(self.run, collection)
        units, distances = best_units(self.model, items)
        unsure = uncertainties(self.model, items)
        if self.noise:
            units[unassigned(distances[:, 0], self.model.threshold), 0] = -1
        table = assignments_table(
            collection, units, distances, self.training, unsure, unit_groups(self.model)
        )
        return table.drop_columns(["label"])


def conform(run: Run, collection: Collection) -> Collection:
    """The collection with the features of the run: grey or colour, columns in its order, words with its weights.

    Raises InputError for another kind of items, another size of images, missing columns, or another number of features.
    """
    trained = run.config["collection"]
    if collection.kind != trained["kind"]:
        raise InputError(
            f"{collection.name} holds {collection.kind}, but {run.path} is a map of {trained['kind']}"
        )
    if collection.kind == "images":
        return _conform_images(run, collection, tuple(trained["image_shape"]))
    vocabulary = run.vocabulary()
    if collection.kind == "text" and vocabulary is not None and collection.texts is not None:
        return reweigh(collection, vocabulary)
    names = tuple(trained.get("feature_names") or ())
    if names and collection.feature_names and names != collection.feature_names:
        place = {name: i for i, name in enumerate(collection.feature_names)}
        missing = [name for name in names if name not in place]
        if missing:
            raise InputError(
                f"{collection.name} lacks {len(missing)} of the {len(names)} columns of the map: "
                f"{', '.join(missing[:5])}{', ...' if len(missing) > 5 else ''}"
            )
        features = collection.features[:, [place[name] for name in names]]
        return replace(collection, features=features, feature_names=names)
    if collection.n_features != trained["n_features"]:
        raise InputError(
            f"{collection.name} has {collection.n_features} features, but {run.path} is a map of "
            f"{trained['n_features']}"
        )
    return collection


def _conform_images(run: Run, collection: Collection, shape: tuple[int, ...]) -> Collection:
    pixels = collection.features
    if collection.image_shape[:2] != shape[:2]:  # type: ignore[index]  # images have a shape
        raise InputError(
            f"{collection.name} has images of {pixels.shape[1]}x{pixels.shape[2]} pixels, but {run.path} is a map of "
            f"{shape[0]}x{shape[1]}: give image_size"
        )
    if pixels.shape[3] == shape[2]:
        return collection
    return replace(collection, features=_grey(pixels) if shape[2] == 1 else np.repeat(pixels, 3, axis=3))


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(n, H, W, 3) -> (n, H, W, 1), one image at a time in memory of a wider type."""
    grey = np.empty((*pixels.shape[:3], 1), dtype=np.uint8)
    step = max(1, 2**20 // int(np.prod(pixels.shape[1:])))
    for start in range(0, len(pixels), step):
        block = pixels[start : start + step].astype(np.uint32)
        grey[start : start + step, ..., 0] = (block @ _GREY + 0x8000) >> 16
    return grey


def open_like(run: Run, source: str | Path, **options: Any) -> Collection:
    """Open new items at `source` as the run's own were: the same columns of a table (also those of the ids, the labels,
    the texts or the images), images of its size, the same array of an archive.

    options: of the reader; they go before what the run says. What a source does not have is left out, such as labels
    of new items; the columns that were mapped must be there. Items without any value are skipped and named.
    Errors as of `open_collection`.
    """
    trained = run.config["collection"]
    read = trained["source"]
    like = {name: value for name, value in (read.get("options") or {}).items() if name in _FORM}
    like |= {name: read[name] for name in ("columns", "text_column", "image_column") if read.get(name)}
    if trained["kind"] == "images":
        like["image_size"] = trained["image_shape"][:2]
    like |= options
    taken = options_of(source, like)
    like = {name: value for name, value in like.items() if name in taken or name in options}
    absent = [name for name in ("id_column", "label_column") if name in like and name not in options]
    if absent and Path(source).suffix.lower() in TABLE_SUFFIXES:
        there = read_table(Path(source)).column_names
        for name in [name for name in absent if like[name] not in there]:
            column = like.pop(name)
            if name == "id_column":
                _log.warning(
                    "%s has no column %r, which names the run's items: rows are counted", source, column
                )
    return without_unknown(open_collection(source, **like))
