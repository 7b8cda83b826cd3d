from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import edge_distances, u_matrix


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


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_turning_the_map_turns_the_picture(make_example, seed, scale):
    lattice = Lattice(3, 4)
    e = make_example(seed, lattice=lattice)
    turned = np.rot90(e.m.reshape(3, 4, -1))
    flat = turned.reshape(12, -1)
    picture = u_matrix(e.m, lattice.adjacency("4"), (3, 4))
    np.testing.assert_allclose(u_matrix(flat, Lattice(4, 3).adjacency("4"), (4, 3)), np.rot90(picture))
    np.testing.assert_allclose(u_matrix(scale * e.m, lattice.adjacency("4"), (3, 4)), scale * picture)


def test_one_unit_has_no_height():
    assert u_matrix([[1.0, 2.0]], [[False]], (1, 1)).tolist() == [[0.0]]


def test_input_that_cannot_be_used():
    with pytest.raises(InputError, match=r"shape=\(2, 2\) does not hold 3 units"):
        u_matrix(np.ones((3, 2)), Lattice(1, 3).adjacency(), (2, 2))
    with pytest.raises(InputError, match="outside 0 to 2"):
        edge_distances(np.ones((3, 2)), [[0, 3]])
    with pytest.raises(InputError, match="edges have shape"):
        edge_distances(np.ones((3, 2)), [0, 1])
