"""Places for the units of a map without a lattice: hexagonal cells, in which connected and similar units lie together.

A growing map has no rows and columns, only connections. To be drawn, its units are laid out in the plane, so that
distances there follow those between units (SMACOF, de Leeuw 1977; those of connected units halved), and then moved to
the nearest free cells of a hexagonal grid, all at once (the assignment of least squared way).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice
from somscope.maps.lattice import Lattice
from somscope.maps.relevance import EPSILON, activations, root_mean_square

__all__ = ["GraphLattice", "connection_distances", "lattice_of", "lay_out", "mean_connection"]

_STEPS = 200  # of SMACOF
_ROOM = 1.15  # cells for each unit

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class GraphLattice(Lattice):
    """K units in some of the rows x columns cells of a hexagonal grid, with neighbours of their own.

    cells: K pairs (row, column), different ones. connections: pairs of units that are neighbours.
    Raises InputError for cells and connections that do not exist.
    """

    cells: tuple[tuple[int, int], ...] = ()
    connections: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shape != "hexagonal" or self.toroidal:
            raise InputError("a graph lies on a hexagonal grid that is not toroidal")
        whole = all(
            len(pair) == 2 and all(type(i) is int for i in pair) for pair in (*self.cells, *self.connections)
        )
        inside = whole and all(0 <= r < self.rows and 0 <= c < self.columns for r, c in self.cells)
        if not self.cells or not inside or len(set(self.cells)) < len(self.cells):
            raise InputError(
                f"cells of a graph are different pairs within {self.rows} rows, {self.columns} columns"
            )
        if not all(0 <= a < b < len(self.cells) for a, b in self.connections):
            raise InputError(f"connections of a graph are pairs a < b of its {len(self.cells)} units")

    @property
    def _grid(self) -> Lattice:
        return Lattice(self.rows, self.columns, "hexagonal")

    @property
    def n_units(self) -> int:
        return len(self.cells)

    @property
    def positions(self) -> Floats:
        rows, columns = np.array(self.cells).T
        return np.asarray(self._grid.positions[rows * self.columns + columns])

    @property
    def default_adjacency(self) -> str:
        """ "connections": those that the map has learned."""
        return "connections"

    def edges(self, kind: str | None = None) -> NDArray[np.int64]:
        """(E, 2) pairs of neighbours. kind: "connections" (the default), or "hexagonal" for cells that touch."""
        kind = self.default_adjacency if kind is None else kind
        check_choice("adjacency of a graph", kind, ("connections", "hexagonal"))
        if kind == "connections":
            return np.unique(np.array(self.connections, np.int64).reshape(-1, 2), axis=0)
        unit_of = np.full(self.rows * self.columns, -1)
        rows, columns = np.array(self.cells).T
        unit_of[rows * self.columns + columns] = np.arange(self.n_units)
        found = unit_of[self._grid.edges()]
        return np.unique(np.sort(found[(found >= 0).all(axis=1)], axis=1), axis=0)

    def record(self) -> dict[str, Any]:
        return {
            **super().record(),
            "cells": [list(cell) for cell in self.cells],
            "connections": [list(pair) for pair in self.connections],
        }


def lattice_of(record: Mapping[str, Any]) -> Lattice:
    """The lattice that wrote this `record`. Raises InputError, KeyError or TypeError for what none writes."""
    plain = {name: record[name] for name in ("rows", "columns", "shape", "toroidal")}
    if "cells" not in record:
        return Lattice(**plain)
    cells, connections = (tuple(tuple(pair) for pair in record[name]) for name in ("cells", "connections"))
    return GraphLattice(**plain, cells=cells, connections=connections)


def lay_out(
    centres: NDArray[np.floating], relevances: NDArray[np.floating], connections: NDArray[np.bool_]
) -> GraphLattice:
    """The units of a map with centres and relevances (K, d) and connections (K, K) in the cells of a grid."""
    from scipy.optimize import linear_sum_assignment

    n_units = len(centres)
    own, weights = np.asarray(centres, np.float64), np.asarray(relevances, np.float64)
    distances = np.asarray(root_mean_square(activations(own, own, weights)))
    distances = (distances + distances.T) / 2
    distances[connections] /= 2
    np.fill_diagonal(distances, 0.0)
    place = _smacof(distances)
    spread = np.ptp(place, axis=0) + 1e-12
    aspect = float(np.clip(spread[0] / spread[1], 0.5, 2.0))
    columns = max(1, round(np.sqrt(_ROOM * n_units * aspect * np.sqrt(3.0) / 2.0)))
    rows = -(-int(np.ceil(_ROOM * n_units)) // columns)
    grid = Lattice(rows, columns, "hexagonal").positions
    wanted = (place - place.min(axis=0)) / spread * np.ptp(grid, axis=0)
    _, cell = linear_sum_assignment(((wanted[:, None] - grid[None]) ** 2).sum(axis=2))
    pairs = np.argwhere(np.triu(connections, 1))
    return GraphLattice(
        rows,
        columns,
        "hexagonal",
        cells=tuple((int(c) // columns, int(c) % columns) for c in cell),
        connections=tuple((int(a), int(b)) for a, b in pairs),
    )


def _smacof(distances: Floats) -> Floats:
    """(K, K) -> (K, 2) points whose distances follow these; it begins with classical scaling."""
    n = len(distances)
    squared = distances**2
    middle = squared - squared.mean(axis=0) - squared.mean(axis=1, keepdims=True) + squared.mean()
    values, vectors = np.linalg.eigh(-0.5 * middle)
    place = np.zeros((n, 2))
    top = vectors[:, ::-1][:, :2] * np.sqrt(np.maximum(values[::-1][:2], 0.0))
    place[:, : top.shape[1]] = top * np.where(
        np.take_along_axis(top, abs(top).argmax(axis=0)[None], axis=0) < 0, -1, 1
    )
    for _ in range(_STEPS):
        apart = np.sqrt(((place[:, None] - place[None]) ** 2).sum(axis=2))
        ratio = np.divide(distances, apart, out=np.zeros_like(apart), where=apart > 1e-12)
        moved = (np.diag(ratio.sum(axis=1)) - ratio) @ place / n
        settled = np.abs(moved - place).max() <= 1e-6 * (np.abs(place).max() + 1e-12)
        place = moved
        if settled:
            break
    return place


def connection_distances(
    centres: NDArray[np.floating],
    relevances: NDArray[np.floating],
    connections: NDArray[np.bool_],
    epsilon: float = EPSILON,
    distance: str = "relevance",
) -> Floats:
    """(E,) distance of the units that each connection joins, in the order of `GraphLattice.edges`.

    It is that of items to units, `relevance.root_mean_square`, from either unit to the other's centre, and their mean.
    centres, relevances: (K, d); connections: (K, K).
    """
    own, weights = np.asarray(centres, np.float64), np.asarray(relevances, np.float64)
    apart = np.asarray(root_mean_square(activations(own, own, weights, epsilon, distance)))
    return np.asarray((apart + apart.T)[np.triu(connections, 1)] / 2)


def mean_connection(distances: Floats, connections: NDArray[np.bool_]) -> Floats:
    """(K,) mean distance of each unit to those it is connected with; NaN for a unit without any.

    distances: (E,) from `connection_distances`; connections: (K, K).
    """
    ends = np.argwhere(np.triu(connections, 1)).T.ravel()
    total = np.bincount(ends, weights=np.tile(distances, 2), minlength=len(connections))
    degree = np.bincount(ends, minlength=len(connections))
    return np.asarray(np.divide(total, degree, out=np.full(len(connections), np.nan), where=degree > 0))
