"""The shared drawing: K polygons with the right values and colours on every lattice."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from somscope.figures import draw_units
from somscope.figures.cells import cell_polygons
from somscope.figures.palette import EMPTY, SEQUENTIAL
from somscope.figures.units import describe, draw_borders, map_figure
from somscope.maps.lattice import Lattice


def test_one_polygon_per_unit_with_its_value_and_colour(lattice, draw):
    figure, axes = map_figure(lattice, "Values")
    values = np.linspace(2.0, 5.0, lattice.n_units)
    cells = draw_units(axes, lattice, values)
    paths = cells.get_paths()
    assert len(paths) == lattice.n_units
    corners = np.stack([path.vertices[:-1] for path in paths])
    np.testing.assert_allclose(corners, cell_polygons(lattice))
    np.testing.assert_array_equal(cells.get_array(), values)
    draw(figure)
    if lattice.n_units > 1:
        expected = colormaps[SEQUENTIAL]((values - 2.0) / 3.0)
        np.testing.assert_allclose(cells.get_facecolors(), expected)


def test_rows_and_columns_give_the_same_as_units_in_a_row():
    lattice = Lattice(3, 4)
    values = np.arange(12.0)
    axes = Figure().add_subplot()
    flat, square = draw_units(axes, lattice, values), draw_units(axes, lattice, values.reshape(3, 4))
    np.testing.assert_array_equal(flat.get_array(), square.get_array())


def test_a_pixel_has_the_colour_of_the_unit_that_lies_there(draw):
    """Row 0 at the top, column 0 at the left: read back from the drawn picture."""
    lattice = Lattice(2, 3)
    figure, axes = map_figure(lattice, "Values")
    values = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    draw_units(axes, lattice, values)
    pixels = draw(figure, dpi=100)
    at = axes.transData.transform(lattice.positions) * 100 / figure.dpi
    seen = np.array([pixels[len(pixels) - 1 - int(y), int(x)] for x, y in at]) / 255
    np.testing.assert_allclose(seen, colormaps[SEQUENTIAL](values)[:, :3], atol=0.02)
    assert at[0, 1] > at[3, 1]
    assert at[0, 0] < at[2, 0]


def test_missing_values_are_grey_and_hatched(draw):
    lattice = Lattice(2, 2)
    figure, axes = map_figure(lattice, "Values")
    cells = draw_units(axes, lattice, [1.0, np.nan, 3.0, 4.0])
    draw(figure)
    np.testing.assert_allclose(cells.get_facecolors()[1], to_rgba(EMPTY))
    hatched = [other for other in axes.collections if other.get_hatch()]
    assert [len(other.get_paths()) for other in hatched] == [1]


def test_a_flat_map_and_one_without_values_can_be_drawn(draw):
    for values in ([2.0] * 4, [np.nan] * 4, [0.0] * 4):
        figure, axes = map_figure(Lattice(2, 2), "Values")
        cells = draw_units(axes, Lattice(2, 2), values)
        low, high = cells.get_clim()
        assert low < high
        draw(figure)


def test_a_torus_says_that_its_edges_are_joined():
    assert "left joins right" in describe(Lattice(4, 4, toroidal=True))
    assert "ends are joined" in describe(Lattice(1, 4, toroidal=True))
    assert "join" not in describe(Lattice(4, 4))
    figure, axes = map_figure(Lattice(4, 4, "hexagonal", toroidal=True), "Values")
    assert axes.spines["left"].get_visible()
    assert any("joins" in text.get_text() for text in axes.texts)
    assert not map_figure(Lattice(4, 4), "Values")[1].spines["left"].get_visible()
    assert figure.axes == [axes]


@pytest.mark.parametrize(("shape", "expected"), [("rectangular", 3), ("hexagonal", 5)])
def test_borders_lie_between_different_groups(shape, expected):
    """Three rows of two units, split into columns: 3 sides between squares; hexagons touch across rows as well."""
    lattice = Lattice(3, 2, shape)
    lines = draw_borders(Figure().add_subplot(), lattice, np.tile([0, 1], 3))
    assert len(lines.get_segments()) == expected
    assert len(draw_borders(Figure().add_subplot(), lattice, np.zeros(6, int)).get_segments()) == 0
