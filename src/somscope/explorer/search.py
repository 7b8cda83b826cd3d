"""Where a new image lies, what is like an item and why, and what lies between units."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from somscope.codes.packing import hamming_distances, unpack
from somscope.data.collection import Collection
from somscope.data.images import UnusableImage, decode_image, read_header
from somscope.data.open import reopen
from somscope.errors import InputError, SomscopeError
from somscope.explorer.columns import pack_columns
from somscope.explorer.mosaic import as_webp
from somscope.explorer.shown import Shown
from somscope.runs.assign import conform
from somscope.runs.features import best_units, feature_matrix, is_deep
from somscope.runs.record import percentiles
from somscope.runs.run import Run

__all__ = ["MOST_PIXELS", "Search"]

MOST_PIXELS = 50_000_000  # of an image that is sent
_LOSSLESS = 32  # pixels; thumbnails of images no larger keep every value
_NEIGHBOURS = 24
_REASONS = 4


@dataclass
class Search:
    """Questions about a run that need its model; one is answered at a time, as models are not made for threads."""

    shown: Shown

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: NDArray[np.float32] | None = None
        self._why: str | None = None  # why the items cannot be read again; "" once they were

    def place(self, data: bytes) -> bytes:
        """Where an image lies: columns `distance` (K,) to each unit, `neighbours` and `neighbour_distance`.

        The header's meta has unit, second_unit, distance and percentile (share of the training items, in percent, that
        lie at most as far from their unit). Raises InputError for what is not an image that can be used.
        """
        shape = self.shown.run.config["collection"].get("image_shape")
        if not shape or not self.shown.measured:
            raise InputError("this is not a map of a run of images: an image has no place on it")
        try:
            header = read_header(data)
            if header.width * header.height > MOST_PIXELS:
                raise InputError(
                    f"the image declares {header.width}x{header.height} pixels: {MOST_PIXELS:,} are allowed"
                )
            pixels = decode_image(data, (shape[0], shape[1], shape[2]))
        except UnusableImage as error:
            raise InputError(f"this image cannot be used: {error}") from None
        query = Collection("query", "images", pixels[None])
        with self._lock:
            query = conform(cast(Run, self.shown.run), query)
            units, distances = best_units(self.shown.model, query)
            x = query if is_deep(self.shown.model) else feature_matrix(query)
            every = np.asarray(self.shown.model.transform(x), dtype=np.float64)[0]
            coded = self._coded(query)
            near, far = self._nearest(coded[0], None)
        training = self.shown.summary.distances
        rank = percentiles(distances[:, 0], training) if len(training) else np.array([np.nan])
        meta = {
            "unit": int(units[0, 0]),
            "second_unit": int(units[0, 1]) if units.shape[1] > 1 else -1,
            "distance": float(distances[0, 0]),
            "percentile": float(rank[0]) if np.isfinite(rank[0]) else None,
        }
        columns = {"distance": every, "neighbours": near, "neighbour_distance": far}
        if self.shown.packed is not None:
            columns |= self._away(np.packbits(coded[0] > 0.5))
        return pack_columns(columns, meta)

    def away(self, item: int) -> bytes:
        """In how many bits the codes of all items differ from that of one: the columns `away` (n,) and `bits` (L,), the
        code itself. Raises InputError for items that are not there or have no codes."""
        packed = self.shown.packed
        if packed is None or not 0 <= item < len(packed):
            raise InputError(f"item {item} has no binary code here")
        return pack_columns(self._away(packed[item]))

    def _away(self, code: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        packed = self.shown.packed
        assert packed is not None
        far = hamming_distances(code[None], packed)[0]
        return {"away": far, "bits": np.unpackbits(code, count=self.shown.n_bits)}

    def like(self, item: int) -> dict[str, Any]:
        """The items most like an item, with their distances and the reasons: which dimensions agree and which differ.

        Raises InputError for an item that is not there, or where the run's items cannot be read again.
        """
        if not 0 <= item < len(self.shown.summary.ids):
            raise InputError(f"item {item} is not in this run; allowed: 0..{len(self.shown.summary.ids) - 1}")
        with self._lock:
            rows = self._all()
            if rows is None:
                raise InputError(
                    f"the items of this run cannot be read again ({self._why}): neighbours need their features"
                )
            near, far = self._nearest(rows[item], item)
            reasons = [self._reasons(rows[item], rows[other]) for other in near.tolist()]
        return {"items": near.tolist(), "distances": far.tolist(), "reasons": reasons}

    def decode(self, weights: dict[int, float], offsets: dict[int, float]) -> bytes:
        """The picture of a mixture of prototypes, moved along some dimensions of the code, as WebP.

        weights: of units, at least one positive; they are scaled to sum to 1. Raises InputError for others, for
        dimensions that codes do not have, and where prototypes are not pictures.
        """
        shown = self.shown
        if not shown.pictured or not shown.measured:
            raise InputError("the prototypes of this run are not pictures")
        total = sum(weights.values())
        usable = all(0 <= unit < len(shown.codes) and weight >= 0 for unit, weight in weights.items())
        if not usable or not total > 0 or not np.isfinite(total):
            raise InputError(
                f"weights are those of units 0..{len(shown.codes) - 1}, none negative, some positive"
            )
        code = sum(shown.codes[unit] * (weight / total) for unit, weight in weights.items())
        code = np.array(code, dtype=np.float64)
        if any(not 0 <= dimension < len(code) for dimension in offsets):
            raise InputError(f"dimensions of the code are 0..{len(code) - 1}")
        for dimension, value in offsets.items():
            code[dimension] += value
        with self._lock:
            deep = is_deep(shown.model)
            item = np.asarray(shown.model.decode(code[None].astype(np.float32)) if deep else code[None])
        return as_webp(shown.as_pixels(item)[0], None)

    def _coded(self, collection: Collection) -> NDArray[np.float32]:
        """(n, L) items in the space in which the map compares them."""
        model = self.shown.model
        rows = model.encode(collection) if is_deep(model) else feature_matrix(collection)
        return np.asarray(self.shown.distance.shaped(rows), dtype=np.float32)

    def _all(self) -> NDArray[np.float32] | None:
        """The codes of all items, read again once; None where they cannot be."""
        if self._why is None:
            self._why = ""
            if self.shown.packed is not None:
                self._rows = unpack(self.shown.packed, self.shown.n_bits).astype(np.float32)
                return self._rows
            try:
                collection = self._again()
                if collection.ids.tolist() != self.shown.summary.ids:
                    raise InputError("the collection has changed since")
                self._rows = self._coded(conform(cast(Run, self.shown.run), collection))
            except (SomscopeError, OSError, ValueError, TypeError) as error:
                self._why = str(error)
        return self._rows

    def _again(self) -> Collection:
        """The run's items: small images from their thumbnails, anything else from where it was read."""
        collection = self.shown.run.config["collection"]
        shape, thumbnails = collection.get("image_shape"), self.shown.thumbnails
        if thumbnails is None or not shape or max(shape[:2]) > _LOSSLESS:
            images = self.shown.images
            return reopen(collection["source"] | ({} if images is None else {"path": str(images)}))
        count = len(self.shown.summary.ids)
        pixels = np.zeros((count, *shape), dtype=np.uint8)
        for item in range(count):
            data = thumbnails.bytes_of(item)
            if data is None:
                raise InputError(f"item {item} has no picture")
            try:
                pixels[item] = decode_image(data, (shape[0], shape[1], shape[2]))
            except UnusableImage as error:
                raise InputError(f"the picture of item {item}: {error}") from None
        return Collection("items", "images", pixels, ids=np.array(self.shown.summary.ids))

    def _nearest(
        self, row: NDArray[np.float32], itself: int | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The nearest items and their distances: Euclidean, of codes the number of bits that differ."""
        rows = self._all()
        if rows is None:
            return np.zeros(0, np.int64), np.zeros(0, np.float32)
        squared = np.square(rows - row).sum(axis=1) if rows.size < 2**26 else _blockwise(rows, row)
        if itself is not None:
            squared[itself] = np.inf
        count = min(_NEIGHBOURS, len(squared) - (itself is not None))
        best = np.argpartition(squared, count - 1)[:count] if count < len(squared) else np.arange(count)
        best = best[np.lexsort((best, squared[best]))]
        return best, squared[best] if self.shown.packed is not None else np.sqrt(squared[best])

    def _reasons(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> dict[str, list[str]]:
        """Names of the dimensions in which two items agree and differ most, measured in the spread over the map."""
        if self.shown.run.config["collection"]["kind"] == "images" and not is_deep(self.shown.model):
            return {"agree": [], "differ": []}  # single pixels say nothing to a person
        if self.shown.packed is not None:
            return {"agree": [], "differ": [f"bit {bit}" for bit in np.flatnonzero(one != other)]}
        spread = self._spread
        gap = np.where(spread > 0, np.abs(one - other) / np.maximum(spread, 1e-12), np.inf)
        order = np.argsort(gap, kind="stable")
        order = order[np.isfinite(gap[order])]
        names = list(self.shown.run.config["collection"].get("feature_names") or ())
        deep = is_deep(self.shown.model)

        def words(dimension: int) -> str:
            named = not deep and dimension < len(names)
            name = names[dimension] if named else f"dimension {dimension}"
            return f"{name} ({gap[dimension]:.2f} sd)"

        return {
            "agree": [words(i) for i in order[:_REASONS].tolist()],
            "differ": [words(i) for i in order[::-1][: _REASONS // 2].tolist()],
        }

    @property
    def _spread(self) -> NDArray[np.float64]:
        rows = self._rows
        return np.zeros(0) if rows is None else np.asarray(rows.std(axis=0), dtype=np.float64)


def _blockwise(rows: NDArray[np.float32], row: NDArray[np.float32]) -> NDArray[np.float32]:
    parts = [np.square(rows[start : start + 8192] - row).sum(axis=1) for start in range(0, len(rows), 8192)]
    return np.concatenate(parts)
