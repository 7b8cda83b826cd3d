"""The lattice: where the units of a map lie and who is whose neighbour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice

__all__ = ["ADJACENCIES", "SHAPES", "Lattice"]

SHAPES = ("rectangular", "hexagonal")
ADJACENCIES = ("4", "8", "hexagonal")
_BLOCK = 1 << 20  # pairs of units looked at together
_HEXAGONAL_ROW = np.sqrt(3.0) / 2.0  # rows of a hexagonal lattice lie sqrt(3)/2 steps apart


@dataclass(frozen=True)
class Lattice:
    """Rows x columns units, numbered row by row: unit = row * columns + column.

    shape: "rectangular", or "hexagonal" (odd rows shifted by half a step, rows sqrt(3)/2 apart, so that all six
    neighbours lie at distance 1). toroidal: opposite edges are joined. One row (or one column) is a chain, and a
    toroidal chain is a ring.

    Raises InputError for an unknown shape, fewer than one unit, or a toroidal hexagonal lattice with an odd number
    of rows (its first and last row would not interlock).
    """

    rows: int
    columns: int
    shape: str = "rectangular"
    toroidal: bool = False

    def __post_init__(self) -> None:
        check_choice("lattice", self.shape, SHAPES)
        if self.rows < 1 or self.columns < 1:
            raise InputError(f"grid {self.rows}x{self.columns}: rows and columns must be at least 1")
        if self.shape == "hexagonal" and self.toroidal and self.rows % 2 and self.rows > 1:
            raise InputError(
                f"grid {self.rows}x{self.columns}: a toroidal hexagonal lattice needs an even number of rows"
            )

    def record(self) -> dict[str, Any]:
        """What a file says of the lattice; plain values."""
        return {
            "rows": self.rows,
            "columns": self.columns,
            "shape": self.shape,
            "toroidal": self.toroidal,
        }

    @property
    def n_units(self) -> int:
        """Number of units K."""
        return self.rows * self.columns

    @property
    def positions(self) -> NDArray[np.float64]:
        """(K, 2) x and y of each unit, in lattice steps; y grows downwards, as rows do."""
        row, column = np.divmod(np.arange(self.n_units), self.columns)
        if self.shape == "rectangular":
            return np.stack([column, row], axis=1).astype(np.float64)
        return np.stack([column + 0.5 * (row % 2), row * _HEXAGONAL_ROW], axis=1)

    @property
    def period(self) -> tuple[float, float]:
        """Width and height after which a toroidal lattice repeats, in lattice steps."""
        return float(self.columns), self.rows * (_HEXAGONAL_ROW if self.shape == "hexagonal" else 1.0)

    @property
    def extent(self) -> float:
        """The longest distance between two units, in lattice steps."""
        return float(np.sqrt(self.squared_distances().max()))

    def squared_distances(self, units: NDArray[np.integer] | None = None) -> NDArray[np.float64]:
        """(len(units), K) squared Euclidean distance on the lattice, in steps^2; all units by default.

        On a toroidal lattice each axis takes the shorter way round.
        """
        positions = self.positions
        start = positions if units is None else positions[units]
        total = np.zeros((len(start), self.n_units))
        for axis in range(2):
            delta = np.abs(start[:, axis, None] - positions[None, :, axis])
            if self.toroidal:
                delta = np.minimum(delta, self.period[axis] - delta)
            total += delta**2
        return total

    def distances(self) -> NDArray[np.float64]:
        """(K, K) Euclidean distance on the lattice, in steps."""
        return np.sqrt(self.squared_distances())

    @property
    def default_adjacency(self) -> str:
        """ "hexagonal" on a hexagonal lattice, "8" on a rectangular one."""
        return "hexagonal" if self.shape == "hexagonal" else "8"

    def edges(self, kind: str | None = None) -> NDArray[np.int64]:
        """(E, 2) pairs of neighbours, each once, lower unit first, in order.

        kind: "4" (sides) or "8" (sides and corners) on a rectangular lattice, "hexagonal" (six sides) on a hexagonal
        one; by default `default_adjacency`. Raises InputError for a kind that the lattice does not have.
        """
        kind = self.default_adjacency if kind is None else kind
        allowed = ("hexagonal",) if self.shape == "hexagonal" else ("4", "8")
        check_choice(f"adjacency on a {self.shape} lattice", kind, allowed)
        row, column = np.divmod(np.arange(self.n_units), self.columns)
        # Half of the neighbours: the next in the row, and those in the row below; the other half sees these.
        steps: list[tuple[int, NDArray[np.int64] | int]] = [(0, 1), (1, 0)]
        if kind == "8":
            steps += [(1, 1), (1, -1)]
        elif kind == "hexagonal":
            steps += [(1, np.where(row % 2, 1, -1))]
        pairs = []
        for down, across in steps:
            other_row, other_column = row + down, column + across
            if self.toroidal:
                other_row, other_column = other_row % self.rows, other_column % self.columns
            inside = (other_row < self.rows) & (other_column >= 0) & (other_column < self.columns)
            other = other_row * self.columns + other_column
            pairs.append(
                np.stack([np.arange(self.n_units), other], axis=1)[
                    inside & (other != np.arange(self.n_units))
                ]
            )
        # On a narrow torus two ways round can lead to the same neighbour.
        return np.unique(np.sort(np.concatenate(pairs), axis=1), axis=0)

    def adjacency(self, kind: str | None = None) -> NDArray[np.bool_]:
        """(K, K) True where two different units are neighbours of that kind; see `edges`."""
        neighbours = np.zeros((self.n_units, self.n_units), np.bool_)
        lower, upper = self.edges(kind).T
        neighbours[lower, upper] = neighbours[upper, lower] = True
        return neighbours

    def are_neighbours(
        self, first: NDArray[np.integer], second: NDArray[np.integer], kind: str | None = None
    ) -> NDArray[np.bool_]:
        """(n,) True where two units are different neighbours of that kind; needs nothing of size (K, K)."""
        lower, upper = self.edges(kind).T
        joined = lower * self.n_units + upper
        found = np.empty(len(first), np.bool_)
        for start in range(0, len(first), _BLOCK):
            rows = slice(start, start + _BLOCK)
            one, other = np.asarray(first[rows], np.int64), np.asarray(second[rows], np.int64)
            found[rows] = np.isin(np.minimum(one, other) * self.n_units + np.maximum(one, other), joined)
        return found

    def steps(self, kind: str | None = None) -> NDArray[np.int64]:
        """(K, K) length of the shortest path between two units over neighbours of that kind."""
        from scipy.sparse import csr_matrix
        from scipy.sparse.csgraph import shortest_path

        graph = csr_matrix(self.adjacency(kind).astype(np.float64))
        return np.asarray(np.rint(shortest_path(graph, unweighted=True)), dtype=np.int64)
