"""Places for the units of a map that is a graph."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from somscope.errors import InputError
from somscope.maps.graph import GraphLattice, connection_distances, lattice_of, lay_out, mean_connection
from somscope.maps.lattice import Lattice


def laid_out(n_units: int, seed: int = 0, near: float = 0.3) -> tuple[GraphLattice, np.ndarray, np.ndarray]:
    centres = np.random.default_rng(seed).random((n_units, 2))
    connections = cdist(centres, centres) < near
    np.fill_diagonal(connections, False)
    return lay_out(centres, np.ones_like(centres), connections), centres, connections


@settings(max_examples=25, deadline=None)
@given(n_units=st.integers(1, 40), seed=st.integers(0, 99))
def test_every_unit_has_a_cell_of_its_own(n_units: int, seed: int) -> None:
    lattice, _, connections = laid_out(n_units, seed)
    assert lattice.n_units == n_units == len(np.unique(lattice.positions, axis=0))
    apart = cdist(lattice.positions, lattice.positions) + 9 * np.eye(n_units)
    assert apart.min() > 0.99
    np.testing.assert_array_equal(lattice.adjacency(), connections)
    assert lattice.rows * lattice.columns <= 2 * n_units + 8
    assert lattice_of(json.loads(json.dumps(lattice.record()))) == lattice


def test_what_is_near_among_the_units_is_near_in_the_plane() -> None:
    lattice, centres, connections = laid_out(60)
    pairs = np.triu_indices(60, 1)
    there, here = cdist(centres, centres)[pairs], cdist(lattice.positions, lattice.positions)[pairs]
    assert np.corrcoef(there, here)[0, 1] > 0.9
    shuffled = np.random.default_rng(0).permutation(60)
    mixed = cdist(lattice.positions[shuffled], lattice.positions[shuffled])[pairs]
    assert here[connections[pairs]].mean() < 0.6 * mixed[connections[pairs]].mean()


def test_equal_units_and_a_single_one_have_places() -> None:
    lattice = lay_out(np.full((5, 3), 0.5), np.ones((5, 3)), ~np.eye(5, dtype=bool))
    assert len(np.unique(lattice.positions, axis=0)) == 5
    assert lay_out(np.zeros((1, 3)), np.ones((1, 3)), np.zeros((1, 1), bool)).n_units == 1


def test_neighbours_are_the_connections_and_cells_that_touch_are_asked_for() -> None:
    lattice = GraphLattice(
        2, 3, "hexagonal", cells=((0, 0), (1, 2), (0, 1), (1, 0)), connections=((0, 1), (1, 3))
    )
    assert lattice.edges().tolist() == [[0, 1], [1, 3]]
    assert lattice.edges("hexagonal").tolist() == [[0, 2], [0, 3], [2, 3]]
    touching = cdist(lattice.positions, lattice.positions)
    assert sorted(zip(*np.where(np.triu(abs(touching - 1) < 1e-6)), strict=True)) == [(0, 2), (0, 3), (2, 3)]
    assert lattice.are_neighbours(np.array([0, 0]), np.array([1, 2])).tolist() == [True, False]
    joined = np.zeros((4, 4), dtype=bool)
    joined[[0, 1, 1, 3], [1, 0, 3, 1]] = True
    centres = np.array([[0.0, 0.0], [0.3, 0.5], [0.9, 0.0], [0.4, 0.9]])
    weights = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 1.0], [1.0, 0.0]])
    # from each of the two units: what it takes for relevant
    expected = [(0.3 + np.sqrt((0.3**2 + 0.5**2) / 2)) / 2, (np.sqrt((0.1**2 + 0.4**2) / 2) + 0.1) / 2]
    apart = connection_distances(centres, weights, joined)
    np.testing.assert_allclose(apart, expected, atol=1e-6)
    means = [apart[0], apart.mean(), np.nan, apart[1]]
    np.testing.assert_allclose(mean_connection(apart, joined), means)
    with pytest.raises(InputError, match="allowed: connections, hexagonal"):
        lattice.edges("8")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"cells": ()}, "cells of a graph"),
        ({"cells": ((0, 0), (0, 0))}, "different pairs"),
        ({"cells": ((0, 0), (0, 3))}, "within 2 rows, 3 columns"),
        ({"cells": ((0, 0), (0, 1.5))}, "cells of a graph"),
        ({"connections": ((1, 0),)}, "connections of a graph"),
        ({"connections": ((0, 2),)}, "connections of a graph"),
        ({"toroidal": True, "rows": 4}, "not toroidal"),
    ],
)
def test_graphs_that_do_not_exist_are_refused(changes: dict[str, object], said: str) -> None:
    good = {
        "rows": 2,
        "columns": 3,
        "shape": "hexagonal",
        "cells": ((0, 0), (0, 1)),
        "connections": ((0, 1),),
    }
    assert GraphLattice(**good).n_units == 2  # type: ignore[arg-type]
    with pytest.raises(InputError, match=said):
        GraphLattice(**{**good, **changes})  # type: ignore[arg-type]


def test_the_record_of_a_lattice_makes_it_again() -> None:
    for lattice in (Lattice(3, 4), Lattice(4, 2, "hexagonal", toroidal=True)):
        assert lattice_of(lattice.record()) == lattice
