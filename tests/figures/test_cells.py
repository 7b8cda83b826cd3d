"""The geometry of cells: they tile the plane, touch their neighbours, and keep row 0 at the top."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.figures.cells import cell_polygons, edge_displacements, limits, shared_sides, units_from
from somscope.maps.lattice import Lattice


def area(polygon: np.ndarray) -> float:
    x, y = polygon.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2


@pytest.mark.parametrize(("shape", "expected"), [("rectangular", 1.0), ("hexagonal", np.sqrt(3) / 2)])
def test_a_cell_has_the_area_of_its_share_of_the_plane(shape, expected):
    polygons = cell_polygons(Lattice(4, 4, shape))
    assert polygons.shape == (16, 4 if shape == "rectangular" else 6, 2)
    assert [area(polygon) for polygon in polygons] == pytest.approx([expected] * 16)
    np.testing.assert_allclose(polygons.mean(axis=1), Lattice(4, 4, shape).positions, atol=1e-12)


@given(rows=st.integers(1, 6), columns=st.integers(1, 6), shape=st.sampled_from(["rectangular", "hexagonal"]))
def test_a_shared_side_joins_two_corners_of_both_cells(rows, columns, shape):
    lattice = Lattice(rows, columns, shape)
    edges = lattice.edges("hexagonal" if shape == "hexagonal" else "4")
    polygons = cell_polygons(lattice)
    sides = shared_sides(lattice, edges)
    assert len(sides) == len(edges)
    for edge, side in zip(edges, sides, strict=True):
        for unit in edge:
            gaps = np.linalg.norm(polygons[unit][:, None] - side[None], axis=2).min(axis=0)
            assert gaps.max() < 1e-9


def test_an_edge_around_a_torus_has_a_side_on_each_border():
    lattice = Lattice(1, 4, toroidal=True)
    sides = shared_sides(lattice, np.array([[0, 3]]))
    np.testing.assert_allclose(np.sort(sides[:, 0, 0]), [-0.5, 3.5])


def test_displacements_take_the_shorter_way_round():
    lattice = Lattice(4, 6, "hexagonal", toroidal=True)
    edges = lattice.edges()
    np.testing.assert_allclose(np.linalg.norm(edge_displacements(lattice, edges), axis=1), 1.0)


def test_row_zero_is_at_the_top(lattice):
    left, right, bottom, top = limits(lattice)
    assert left < right
    assert bottom > top  # matplotlib draws the first of the two y limits at the bottom


def test_values_of_the_wrong_shape_are_refused():
    with pytest.raises(InputError, match=r"\(5,\); allowed: \(6,\) or \(2, 3\)"):
        units_from(Lattice(2, 3), np.zeros(5), "hits")
    with pytest.raises(InputError, match="allowed"):
        units_from(Lattice(2, 3), np.zeros((3, 2)), "hits")
