"""The contact sheet: pictures where they belong, of any size, grey and coloured."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from somscope.errors import InputError
from somscope.figures import save_figure
from somscope.figures.contact_sheet import contact_sheet_figure


def test_every_picture_has_its_place():
    grey = np.full((3, 10, 20, 1), 90, np.uint8)
    red = np.zeros((3, 10, 20, 3), np.uint8)
    red[..., 0] = 250
    red[2] = (0, 0, 250)
    figure = contact_sheet_figure({"given": grey, "made $1": red}, ["a", "b", "a long name in a deep folder"])
    file = io.BytesIO()
    save_figure(figure, file, dpi=100)
    picture = np.asarray(Image.open(file).convert("RGB"))
    box = figure.axes[0].get_position()
    high, wide = picture.shape[:2]

    def at(column, row):
        y = (1 - box.y1) * high + (row + 0.5) / 3 * box.height * high
        x = box.x0 * wide + (column + 0.5) / 2 * box.width * wide
        return picture[int(y), int(x)].tolist()

    assert at(0, 0) == at(0, 2) == [90, 90, 90]
    assert at(1, 0) == at(1, 1) == [250, 0, 0]
    assert at(1, 2) == [0, 0, 250]
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[0] == "given"
    assert texts[-1] == "…n a deep folder"


def test_columns_that_are_refused():
    one = np.zeros((1, 4, 4, 1), np.uint8)
    for columns in ({"a": one, "b": one.repeat(2, 0)}, {"a": one[:0]}, {}):
        with pytest.raises(InputError, match="columns of a contact sheet"):
            contact_sheet_figure(columns)
