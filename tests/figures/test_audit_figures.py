"""Figures of an audit: colours, borders, hatches and lines are those of the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection

from somscope.errors import InputError
from somscope.figures.audit import composition_figure, flows_figure
from somscope.maps.lattice import Lattice


def test_composition() -> None:
    figure = composition_figure(
        Lattice(2, 2),
        [9, 0, 1, 0],
        [0, 8, 1, 0],
        [-np.inf, np.inf, 0.0, np.nan],
        ["mostly real", "mostly generated", "too few to say", "empty"],
    )
    axes = figure.axes[0]
    cells, *marks = [part for part in axes.collections if isinstance(part, PolyCollection)]
    np.testing.assert_array_equal(np.ma.filled(cells.get_array(), np.nan), [-3, 3, 0, np.nan])
    thick = [part for part in marks if part.get_linewidth()[0] == 3]
    assert len(thick[0].get_paths()) == 2
    assert [len(part.get_paths()) for part in marks if part.get_hatch() == "..."] == [1]
    assert [text.get_text() for text in axes.texts] == ["9 real\n0 gen.", "0 real\n8 gen.", "1 real\n1 gen."]
    with pytest.raises(InputError, match="3 units and the lattice 4"):
        composition_figure(Lattice(2, 2), [1] * 3, [1] * 3, [0.0] * 3, ["balanced"] * 3)


def test_flows() -> None:
    figure = flows_figure(Lattice(2, 2), np.array([0, 0, 0, 1]), np.array([3, 3, 2, 1]), ("input", "output"))
    lines = next(part for part in figure.axes[0].collections if isinstance(part, LineCollection))
    assert len(lines.get_segments()) == 3
    widths = sorted(np.asarray(lines.get_linewidth()).tolist())
    assert widths == [0.5, 0.5, 2.8]
    assert [text.get_text() for text in figure.axes[0].texts] == ["input map", "output map"]
