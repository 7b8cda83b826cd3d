"""A small map of random items, whose parts the tests of each measure take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from somscope.maps.lattice import Lattice


@dataclass(frozen=True)
class Example:
    """Items x (n, d), prototypes m (K, d), a lattice, and each item's best and second unit, distance and label."""

    x: NDArray[np.float64]
    m: NDArray[np.float64]
    lattice: Lattice
    best: NDArray[np.int64]
    second: NDArray[np.int64]
    distances: NDArray[np.float64]
    labels: NDArray[np.int64]

    def permute_items(self, order: NDArray[np.int64]) -> Example:
        """The same map with its items in another order."""
        return replace(
            self,
            x=self.x[order],
            best=self.best[order],
            second=self.second[order],
            distances=self.distances[order],
            labels=self.labels[order],
        )

    def renumber_units(self, new: NDArray[np.int64]) -> Example:
        """The same map where unit k is called new[k] (for a symmetry of the lattice)."""
        m = np.empty_like(self.m)
        m[new] = self.m
        return replace(self, m=m, best=new[self.best], second=new[self.second])


@pytest.fixture(scope="session")
def make_example() -> Callable[..., Example]:
    def make(
        seed: int = 0, n: int = 40, d: int = 3, lattice: Lattice | None = None, classes: int = 3
    ) -> Example:
        lattice = lattice or Lattice(3, 4)
        rng = np.random.default_rng(seed)
        x, m = rng.normal(size=(n, d)), rng.normal(size=(lattice.n_units, d))
        distances = np.linalg.norm(x[:, None] - m, axis=2)
        two = np.argsort(distances, axis=1)[:, :2]
        return Example(
            x,
            m,
            lattice,
            two[:, 0],
            two[:, -1],
            distances[np.arange(n), two[:, 0]],
            rng.integers(0, classes, n),
        )

    return make


LATTICES = [
    Lattice(3, 4),
    Lattice(4, 4, toroidal=True),
    Lattice(4, 3, "hexagonal"),
    Lattice(4, 5, "hexagonal", toroidal=True),
    Lattice(1, 7),
    Lattice(1, 6, toroidal=True),
]


@pytest.fixture(
    params=LATTICES, ids=lambda lat: f"{lat.rows}x{lat.columns}-{lat.shape}-{'torus' * lat.toroidal}"
)
def lattice(request: pytest.FixtureRequest) -> Lattice:
    return request.param
