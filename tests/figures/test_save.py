"""Saving a figure whatever its names are written in."""

from __future__ import annotations

import numpy as np
from PIL import Image

from somscope.figures import class_map_figure, save_figure
from somscope.maps.lattice import Lattice


def test_names_in_any_script_are_saved_without_a_warning(tmp_path):
    figure = class_map_figure(Lattice(2, 2), np.eye(4, 3, dtype=int), ["日本語", "ελληνικά", "$x_"])
    save_figure(figure, tmp_path / "classes.png")
    with Image.open(tmp_path / "classes.png") as picture:
        assert min(picture.size) > 200
