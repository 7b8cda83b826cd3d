"""Lattices: distances, neighbours and steps against plain transcriptions and their symmetries."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from maps.transcriptions import lattice_distance, place
from somscope.errors import InputError
from somscope.maps.lattice import Lattice


@st.composite
def lattices(draw, toroidal=None):
    shape = draw(st.sampled_from(["rectangular", "hexagonal"]))
    wrap = draw(st.booleans()) if toroidal is None else toroidal
    rows, columns = draw(st.integers(1, 7)), draw(st.integers(1, 7))
    assume(not (shape == "hexagonal" and wrap and rows % 2 and rows > 1))
    return Lattice(rows, columns, shape, wrap)


@given(lattices())
def test_distances_are_those_of_the_transcription(lattice):
    units = range(lattice.n_units)
    expected = [[lattice_distance(lattice, a, b) for b in units] for a in units]
    np.testing.assert_allclose(lattice.distances(), expected, atol=1e-12)
    np.testing.assert_allclose(lattice.positions, [place(lattice, k) for k in units])


@given(lattices())
def test_distances_are_a_metric(lattice):
    d = lattice.distances()
    assert (d == d.T).all()
    assert ((d == 0) == np.eye(lattice.n_units, dtype=bool)).all()
    assert (d[:, None, :] <= d[:, :, None] + d[None, :, :] + 1e-9).all()


@given(lattices())
def test_squared_distances_of_some_units_are_rows_of_all(lattice):
    some = np.arange(0, lattice.n_units, 3)
    np.testing.assert_array_equal(lattice.squared_distances(some), lattice.squared_distances()[some])


@given(lattices())
def test_hexagonal_neighbours_lie_at_distance_one(lattice):
    near = lattice.adjacency()
    assert (near == near.T).all()
    assert not near.diagonal().any()
    if lattice.shape == "hexagonal":
        np.testing.assert_allclose(lattice.distances()[near], 1.0)


@pytest.mark.parametrize(("kind", "inside", "side", "corner"), [("4", 4, 3, 2), ("8", 8, 5, 3)])
def test_rectangular_units_have_as_many_neighbours_as_the_kind_says(kind, inside, side, corner):
    degree = Lattice(5, 6).adjacency(kind).sum(axis=1).reshape(5, 6)
    assert (degree[1:-1, 1:-1] == inside).all()
    assert (degree[0, 1:-1] == side).all()
    assert (degree[1:-1, -1] == side).all()
    assert degree[0, 0] == degree[-1, -1] == corner


def test_hexagonal_units_have_six_neighbours_inside_and_fewer_at_the_edge():
    degree = Lattice(5, 6, "hexagonal").adjacency().sum(axis=1).reshape(5, 6)
    assert (degree[1:-1, 1:-1] == 6).all()
    assert (degree[0, 1:-1] == 4).all()
    # Even rows begin further left than odd ones: their first unit lacks two more neighbours.
    assert degree[:, 0].tolist() == [2, 5, 3, 5, 2]
    assert degree[:, -1].tolist() == [3, 3, 5, 3, 3]


@pytest.mark.parametrize(
    ("shape", "kind", "degree"), [("rectangular", "4", 4), ("rectangular", "8", 8), ("hexagonal", None, 6)]
)
def test_a_torus_has_no_edge(shape, kind, degree):
    assert (Lattice(6, 5, shape, toroidal=True).adjacency(kind).sum(axis=1) == degree).all()


@given(lattices(toroidal=True), st.integers(0, 9), st.integers(0, 9))
def test_a_torus_looks_the_same_from_every_unit(lattice, down, across):
    if lattice.shape == "hexagonal":
        down *= 2  # an even row can only be moved to an even row
    grid = np.arange(lattice.n_units).reshape(lattice.rows, lattice.columns)
    moved = np.roll(grid, (down, across), axis=(0, 1)).ravel()
    d = lattice.distances()
    np.testing.assert_allclose(d[np.ix_(moved, moved)], d, atol=1e-12)


@given(lattices(), st.sampled_from(["4", "8"]))
def test_steps_are_those_of_a_breadth_first_search(lattice, kind):
    kind = None if lattice.shape == "hexagonal" else kind
    near, n = lattice.adjacency(kind), lattice.n_units
    expected = np.full((n, n), -1)
    for start in range(n):
        expected[start, start] = 0
        queue = deque([start])
        while queue:
            unit = queue.popleft()
            for other in range(n):
                if near[unit, other] and expected[start, other] < 0:
                    expected[start, other] = expected[start, unit] + 1
                    queue.append(other)
    np.testing.assert_array_equal(lattice.steps(kind), expected)


@given(lattices())
def test_edges_are_the_pairs_of_neighbours_once_each(lattice):
    edges = lattice.edges()
    assert (edges[:, 0] < edges[:, 1]).all()
    again = np.zeros((lattice.n_units, lattice.n_units), dtype=bool)
    again[edges[:, 0], edges[:, 1]] = again[edges[:, 1], edges[:, 0]] = True
    np.testing.assert_array_equal(again, lattice.adjacency())
    assert 2 * len(edges) == again.sum()


@pytest.mark.parametrize("shape", ["rectangular", "hexagonal"])
@pytest.mark.parametrize("size", [(1, 6), (6, 1)])
def test_one_row_or_column_is_a_chain_and_joined_a_ring(shape, size):
    chain = Lattice(*size, shape)
    assert chain.edges().tolist() == [[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]]
    assert chain.steps()[0].tolist() == [0, 1, 2, 3, 4, 5]
    ring = Lattice(*size, shape, toroidal=True)
    assert (ring.adjacency().sum(axis=1) == 2).all()
    assert ring.steps()[0].tolist() == [0, 1, 2, 3, 2, 1]


@pytest.mark.parametrize("shape", ["rectangular", "hexagonal"])
def test_a_torus_of_two_rows_or_columns_counts_a_neighbour_once(shape):
    for size in [(2, 5), (6, 2), (2, 2)]:
        lattice = Lattice(*size, shape, toroidal=True)
        kind = "4" if shape == "rectangular" else None
        expected = [
            sum(lattice_distance(lattice, a, b) < 1.2 for b in range(lattice.n_units) if b != a)
            for a in range(lattice.n_units)
        ]
        assert lattice.adjacency(kind).sum(axis=1).tolist() == expected
    assert Lattice(2, 2, "rectangular", True).adjacency("4").sum() == 8


@given(lattices())
def test_extent_is_the_longest_distance(lattice):
    assert lattice.extent == pytest.approx(lattice.distances().max())


def test_what_is_no_lattice_is_refused():
    with pytest.raises(InputError, match="allowed: rectangular, hexagonal"):
        Lattice(3, 3, "triangular")
    with pytest.raises(InputError, match="at least 1"):
        Lattice(0, 3)
    with pytest.raises(InputError, match="even number of rows"):
        Lattice(3, 4, "hexagonal", toroidal=True)
    with pytest.raises(InputError, match="allowed: 4, 8"):
        Lattice(3, 4).adjacency("hexagonal")
    with pytest.raises(InputError, match="allowed: hexagonal"):
        Lattice(3, 4, "hexagonal").adjacency("4")


@given(lattices())
def test_pairs_are_neighbours_as_the_adjacency_says(lattice):
    first, second = (side.ravel() for side in np.indices((lattice.n_units, lattice.n_units)))
    for kind in ("hexagonal",) if lattice.shape == "hexagonal" else ("4", "8"):
        expected = lattice.adjacency(kind)[first, second]
        np.testing.assert_array_equal(lattice.are_neighbours(first, second, kind), expected)
