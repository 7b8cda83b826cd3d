from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import edge_distances, u_matrix, u_matrix_expanded


def plain_u_matrix(m, adjacency):
    heights = []
    for k in range(len(m)):
        near = [math.dist(m[k], m[j]) for j in range(len(m)) if adjacency[k][j]]
        heights.append(sum(near) / len(near) if near else 0.0)
    return heights


def test_u_matrix_matches_the_plain_loop(make_example, lattice):
    e = make_example(lattice=lattice)
    expected = np.reshape(plain_u_matrix(e.m, lattice.adjacency()), (lattice.rows, lattice.columns))
    np.testing.assert_allclose(u_matrix(e.m, lattice.adjacency(), (lattice.rows, lattice.columns)), expected)


def test_edges(make_example, lattice):
    e = make_example(lattice=lattice)
    edges = lattice.edges()
    expected = [math.dist(e.m[a], e.m[b]) for a, b in edges]
    np.testing.assert_allclose(edge_distances(e.m, edges), expected)


@pytest.mark.parametrize("shape", [(3, 4), (1, 5), (5, 1), (1, 1)])
def test_expanded_planar(shape):
    rows, columns = shape
    m = np.random.default_rng(0).normal(size=(rows, columns, 3))
    picture = u_matrix_expanded(m.reshape(-1, 3), shape)
    assert picture.shape == (2 * rows - 1, 2 * columns - 1)
    for r in range(rows):
        for c in range(columns):
            around = []
            if c + 1 < columns:
                assert picture[2 * r, 2 * c + 1] == pytest.approx(math.dist(m[r, c], m[r, c + 1]))
                around.append(math.dist(m[r, c], m[r, c + 1]))
            if r + 1 < rows:
                assert picture[2 * r + 1, 2 * c] == pytest.approx(math.dist(m[r, c], m[r + 1, c]))
                around.append(math.dist(m[r, c], m[r + 1, c]))
            if r + 1 < rows and c + 1 < columns:
                diagonals = math.dist(m[r, c], m[r + 1, c + 1]), math.dist(m[r, c + 1], m[r + 1, c])
                assert picture[2 * r + 1, 2 * c + 1] == pytest.approx(sum(diagonals) / 2)
            around += [math.dist(m[r, c], m[r, c - 1])] if c else []
            around += [math.dist(m[r, c], m[r - 1, c])] if r else []
            assert picture[2 * r, 2 * c] == pytest.approx(np.mean(around) if around else 0.0)


@pytest.mark.parametrize("shape", [(3, 4), (1, 5), (4, 1), (2, 2)])
def test_expanded_torus(shape):
    rows, columns = shape
    m = np.random.default_rng(0).normal(size=(rows, columns, 3))
    picture = u_matrix_expanded(m.reshape(-1, 3), shape, toroidal=True)
    assert picture.shape == (2 * rows if rows > 1 else 1, 2 * columns if columns > 1 else 1)
    for r in range(rows):
        for c in range(columns):
            around = []
            if columns > 1:
                gap = math.dist(m[r, c], m[r, (c + 1) % columns])
                assert picture[2 * r, 2 * c + 1] == pytest.approx(gap)
                around += [gap, math.dist(m[r, c], m[r, c - 1])]
            if rows > 1:
                gap = math.dist(m[r, c], m[(r + 1) % rows, c])
                assert picture[2 * r + 1, 2 * c] == pytest.approx(gap)
                around += [gap, math.dist(m[r, c], m[r - 1, c])]
            assert picture[2 * r, 2 * c] == pytest.approx(np.mean(around))


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_turning_the_map_turns_the_picture(make_example, seed, scale):
    lattice = Lattice(3, 4)
    e = make_example(seed, lattice=lattice)
    turned = np.rot90(e.m.reshape(3, 4, -1))
    flat = turned.reshape(12, -1)
    picture = u_matrix(e.m, lattice.adjacency("4"), (3, 4))
    np.testing.assert_allclose(u_matrix(flat, Lattice(4, 3).adjacency("4"), (4, 3)), np.rot90(picture))
    np.testing.assert_allclose(u_matrix_expanded(flat, (4, 3)), np.rot90(u_matrix_expanded(e.m, (3, 4))))
    np.testing.assert_allclose(u_matrix(scale * e.m, lattice.adjacency("4"), (3, 4)), scale * picture)


def test_the_units_of_the_expanded_form_are_the_u_matrix_of_side_neighbours(make_example):
    for torus in (False, True):
        lattice = Lattice(4, 5, toroidal=torus)
        e = make_example(lattice=lattice)
        np.testing.assert_allclose(
            u_matrix_expanded(e.m, (4, 5), torus)[::2, ::2], u_matrix(e.m, lattice.adjacency("4"), (4, 5))
        )


def test_one_unit_has_no_height():
    assert u_matrix([[1.0, 2.0]], [[False]], (1, 1)).tolist() == [[0.0]]
    assert u_matrix_expanded([[1.0, 2.0]], (1, 1), toroidal=True).tolist() == [[0.0]]


def test_input_that_cannot_be_used():
    with pytest.raises(InputError, match=r"shape=\(2, 2\) does not hold 3 units"):
        u_matrix(np.ones((3, 2)), Lattice(1, 3).adjacency(), (2, 2))
    with pytest.raises(InputError, match="does not hold"):
        u_matrix_expanded(np.ones((3, 2)), (0, 3))
    with pytest.raises(InputError, match="outside 0 to 2"):
        edge_distances(np.ones((3, 2)), [[0, 3]])
    with pytest.raises(InputError, match="edges have shape"):
        edge_distances(np.ones((3, 2)), [0, 1])
