"""What each unit holds, in numbers: the arrays behind every layer of the report's map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from somscope.errors import RunError
from somscope.figures.class_counts import count_classes
from somscope.maps.units import edge_distances
from somscope.maps.units import u_matrix as unit_distances
from somscope.measures import mean_per_unit
from somscope.report.run_like import RunLike
from somscope.runs.distance import MapDistance

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MapSummary", "summarise"]


@dataclass(frozen=True)
class MapSummary:
    """Arrays over the n items, the K units and the C classes of a run.

    order: (n,) items by unit, nearest first within a unit; starts: (K + 1,) where each unit's items begin in it.
    labels: (n,) class index or -1. counts: (K, C) items per class. mean_distance: (K,) NaN for an empty unit.
    topographic_error: (K,) share of a unit's items whose second unit is not its neighbour, NaN for an empty unit.
    uncertainty: (K,) mean of a unit's items, NaN for an empty unit; None in a run without it.
    edges: (E, 2) neighbouring units and edge_distances: (E,) the distance of their prototypes.
    """

    ids: list[str]
    units: NDArray[np.int64]
    second_units: NDArray[np.int64]
    distances: NDArray[np.float64]
    percentiles: NDArray[np.float64]
    labels: NDArray[np.int64]
    class_names: tuple[str, ...]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    hits: NDArray[np.int64]
    counts: NDArray[np.int64]
    mean_distance: NDArray[np.float64]
    topographic_error: NDArray[np.float64]
    uncertainty: NDArray[np.float64] | None
    edges: NDArray[np.int64]
    edge_distances: NDArray[np.float64]
    u_matrix: NDArray[np.float64]

    def members(self, unit: int) -> NDArray[np.int64]:
        """Items of a unit, nearest to its prototype first."""
        return self.order[self.starts[unit] : self.starts[unit + 1]]

    @property
    def medoids(self) -> NDArray[np.int64]:
        """(K,) the item nearest to each prototype among the unit's own, -1 for an empty unit."""
        first = np.minimum(self.starts[:-1], max(len(self.order) - 1, 0))
        return np.where(self.hits > 0, self.order[first] if len(self.order) else -1, -1)


def summarise(
    run: RunLike,
    prototypes: NDArray[np.floating],
    u_matrix: NDArray[np.floating] | None,
    distance: MapDistance,
    between: NDArray[np.floating] | None = None,
) -> MapSummary:
    """Count, average and sort the assignments of a run.

    u_matrix: (rows, columns) or (K,), and between: (E,) distances of neighbouring units; made from the prototypes where
    the model has none. distance: of the map.
    Raises RunError for a model with other connections than the run's lattice.
    """
    table, lattice = run.assignments(), run.lattice
    units = table["unit"].to_numpy().astype(np.int64)
    second = table["second_unit"].to_numpy().astype(np.int64)
    distances = table["distance"].to_numpy().astype(np.float64)
    labels, names = _classes(
        table["label"].to_pylist(), tuple(run.config["collection"].get("label_names") or ())
    )
    hits = np.bincount(units, minlength=lattice.n_units)
    edges = lattice.edges()
    if between is None:
        between = edge_distances(prototypes, edges, distance.weights, distance.metric)
    if len(between) != len(edges):
        raise RunError(f"the model has {len(between)} connections for a lattice of {len(edges)}")
    apart = (second >= 0) & ~lattice.are_neighbours(units, second)
    errors = np.bincount(units, apart, minlength=lattice.n_units)
    if u_matrix is None:
        u_matrix = unit_distances(prototypes, lattice, distance.weights, distance.metric)
    return MapSummary(
        ids=table["id"].to_pylist(),
        units=units,
        second_units=second,
        distances=distances,
        percentiles=table["percentile"].to_numpy().astype(np.float64),
        labels=labels,
        class_names=names,
        order=np.lexsort((distances, units)),
        starts=np.concatenate([[0], np.cumsum(hits)]),
        hits=hits,
        counts=count_classes(lattice, units, labels, len(names)),
        mean_distance=mean_per_unit(distances, units, lattice.n_units)
        if len(units)
        else np.full(lattice.n_units, np.nan),
        topographic_error=np.where(hits > 0, errors / np.maximum(hits, 1), np.nan),
        uncertainty=_uncertainty(table, units, lattice.n_units),
        edges=edges,
        edge_distances=np.asarray(between, dtype=np.float64),
        u_matrix=np.asarray(u_matrix, dtype=np.float64).reshape(-1),
    )


def _uncertainty(table: pa.Table, units: NDArray[np.int64], n_units: int) -> NDArray[np.float64] | None:
    """(K,) mean of the members', where the run has it."""
    if "uncertainty" not in table.column_names or not len(units):
        return None
    return mean_per_unit(table["uncertainty"].to_numpy().astype(np.float64), units, n_units)


def _classes(texts: list[str | None], known: tuple[str, ...]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Class index of each label (-1 for none) and the names: the collection's own, then any other in sorted order."""
    others = sorted({text for text in texts if text is not None} - set(known))
    names = (*known, *others)
    index: dict[str | None, int] = {name: i for i, name in enumerate(names)}
    index[None] = -1
    return np.array([index[text] for text in texts], dtype=np.int64), names
