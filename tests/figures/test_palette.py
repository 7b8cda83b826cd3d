"""Colours that can be told apart, and text shown as written."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure

from somscope.figures.palette import CLASS_COLOURS, class_colour, class_colours, class_hatch, ink_on, literal

# Machado, Oliveira, Fernandes (2009), severity 1.0, on linear RGB.
DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
PROTANOPIA = np.array(
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
)


def lab(linear: np.ndarray) -> np.ndarray:
    """CIE L*a*b* (D65) of linear sRGB."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = np.clip(linear, 0, 1) @ to_xyz.T / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("sight", [np.eye(3), DEUTERANOPIA, PROTANOPIA], ids=["normal", "deutan", "protan"])
def test_the_first_eight_classes_differ_for_every_sight(sight):
    rgb = class_colours(range(8))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = lab(linear @ sight.T)
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 10  # 2.3 is just noticeable


def test_colours_repeat_with_another_hatch_after_twenty():
    assert len(set(CLASS_COLOURS)) == 20
    assert class_colour(3) == class_colour(23)
    assert class_hatch(3) == ""
    looks = {(class_colour(i), class_hatch(i)) for i in range(160)}
    assert len(looks) == 160


def test_ink_contrasts():
    assert ink_on(np.array([[0, 0, 0], [1, 1, 1], [0, 0, 0.5], [1, 1, 0]])).tolist() == [
        "white", "black", "white", "black",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["$x^2$", "a $ b", "_hidden", r"\frac{$", "two\nlines", "日本"])
def test_any_text_is_drawn_as_it_is(text, draw):
    figure = Figure()
    axes = figure.add_subplot()
    drawn = axes.set_title(literal(text))
    if text.isascii():
        draw(figure)
    assert not literal(text).startswith("_")
    assert "\n" not in drawn.get_text()


def test_long_text_is_shortened():
    assert literal("x" * 100, 10) == "x" * 9 + "…"
