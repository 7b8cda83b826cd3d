"""Binary codes laid out to be seen: a map of their bits, trained when it is opened; the codes stay what they are."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.codes import unpack
from somscope.explorer.laid_out import LaidOut
from somscope.explorer.shown import Shown
from somscope.maps.som import SOM
from somscope.runs.code_run import CodeRun
from somscope.runs.record import percentiles

__all__ = ["BitMap", "code_map"]

_MOST_UNITS = 400
_PASSES = 8


class BitMap:
    """Stands for the model of a run: the map of the bits, and the coder that makes them.

    prototypes_: (K, L) share of ones of each bit at a unit, smoothed over its neighbourhood.
    """

    def __init__(self, run: CodeRun, som: SOM) -> None:
        self._run, self._som = run, som
        self._lock = threading.Lock()
        self.prototypes_ = np.asarray(som.prototypes_)
        self.decoded_prototypes_ = self.prototypes_

    def encode(self, collection: Any) -> NDArray[np.float32]:
        """(n, L) bits of new items."""
        with self._lock:
            codes = self._run.encoder.encode(collection)
        return unpack(codes, self.prototypes_.shape[1]).astype(np.float32)

    def best_units(self, collection: Any, k: int = 1) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """(n, k) units nearest to the items, and their distances."""
        units, distances = self._som.best_units(self.encode(collection), k=k)
        return np.asarray(units), np.asarray(distances)

    def transform(self, collection: Any) -> NDArray[np.floating]:
        """(n, K) distances of items to all units."""
        return np.asarray(self._som.transform(self.encode(collection)))


def code_map(path: str | Path, images: Path | None = None) -> Shown:
    """The codes of a run of `somscope codes`, on a map of at most 400 units.

    Each bit is a component plane, and `Shown.packed` holds the codes. images: where their folder is now.
    Raises RunError for anything else.
    """
    import pyarrow as pa

    run = CodeRun.open(path)
    packed = np.asarray(run.index.codes)
    n_bits = int(run.config["codes"]["bits"])
    bits = unpack(packed, n_bits).astype(np.float32)
    side = int(np.clip(np.sqrt(5 * np.sqrt(len(bits))), 2, np.sqrt(_MOST_UNITS)))
    som = SOM(grid=(side, side), n_passes=_PASSES, random_state=0, verbose=False).fit(bits)
    units, distances = som.best_units(bits, k=2)
    far = np.asarray(distances[:, 0], dtype=np.float32)
    things = run.items()
    table = pa.table(
        {
            "id": things["id"],
            "unit": pa.array(units[:, 0].astype(np.int32)),
            "distance": pa.array(far),
            "second_unit": pa.array(units[:, 1].astype(np.int32)),
            "percentile": pa.array(percentiles(far, far)),
            "label": things["label"],
        }
    )
    config = dict(run.config) | {"chosen": {}}
    laid = LaidOut(run.path, config, som.lattice_, table, things, BitMap(run, som), run.metrics())
    shown = Shown(laid, packed=packed, n_bits=n_bits, images=images)
    kept = run.config["codes"]["features"]["name"]
    shown.problems.append(
        f"These are codes of {n_bits} bits ({run.config['model']['name']} of {kept}). For this view they were laid out "
        "on a map of their bits; distances on it are Euclidean, the search by radius counts bits."
    )
    return shown
