"""Heat maps of how many images lie at each unit of several maps."""

from __future__ import annotations

import numpy as np
import pytest

from somscope.errors import InputError
from somscope.figures.frequencies import frequencies_figure
from somscope.maps.lattice import Lattice


def test_every_map_has_its_counts_under_one_scale() -> None:
    figure = frequencies_figure(Lattice(2, 2), {"real": [5, 0, 1, 2], "fake": [0, 0, 8, 0]})
    axes, bar = figure.axes
    words = [text.get_text() for text in axes.texts]
    assert words == ["real", "5", "1", "2", "fake", "8"]
    places = {text.get_text(): text.get_position() for text in axes.texts}
    assert places["8"][0] - places["1"][0] == pytest.approx(2.8)  # the same unit, one map further
    assert bar.get_ylim() == (0, 8)
    assert bar.get_ylabel() == "images of the unit"
    assert np.ptp(axes.get_xlim()) > 4
    with pytest.raises(InputError, match="fake has 3 units and the lattice 4"):
        frequencies_figure(Lattice(2, 2), {"fake": [1, 2, 3]})
