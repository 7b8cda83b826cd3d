"""Pictures of what relevances mean: the units they show, what is disturbed and walked, what units share."""

from __future__ import annotations

import numpy as np
import pytest

from somscope import figures

SHAPE = (2, 3, 1)
UNITS = np.array([0, 2])
PROTOTYPES = np.full((3, 6), 0.5)
RELEVANCES = np.array([[0.1, 0.35, 0.45, 0.55, 0.7, 0.9], [1.0] * 6, [0.9, 0.7, 0.55, 0.45, 0.35, 0.1]])


def columns_of(figure):
    """The sheet's pictures as [row][column], by the titles above it; each picture is bright pixels on white."""
    (axes,) = figure.axes
    return axes.images[0].get_array(), [text.get_text() for text in axes.texts]


def watched(codes):
    """A decoder that remembers what it was given."""
    watched.given.append(np.array(codes))
    return codes


@pytest.fixture(autouse=True)
def forget():
    watched.given = []


def test_units_with_most_items_come_first_and_untaught_ones_not_at_all():
    hits = np.array([3, 9, 5])
    assert figures.taught_units(RELEVANCES, hits).tolist() == [2, 0]
    many = np.tile(RELEVANCES[0], (12, 1))
    assert figures.taught_units(many, np.arange(12)).tolist() == list(range(11, 3, -1))


def test_disturbed_are_the_dimensions_that_the_title_names():
    drawn = figures.perturbation_figure(PROTOTYPES, RELEVANCES, watched, SHAPE, UNITS)
    _, titles = columns_of(drawn)
    assert titles[:3] == ["prototype", "relevance < 0.3", "relevance < 0.4"]
    assert titles[3:] == ["relevance < 0.5", "relevance > 0.6", "unit 0", "unit 2"]
    start, *moved = watched.given
    np.testing.assert_array_equal(start, PROTOTYPES[UNITS])
    for codes, (low, high) in zip(moved, ((0, 0.3), (0, 0.4), (0, 0.5), (0.6, 1)), strict=True):
        chosen = (RELEVANCES[UNITS] > low) & (RELEVANCES[UNITS] < high)
        np.testing.assert_allclose(np.abs(codes - start), 0.25 * chosen)


def test_walked_is_the_most_relevant_dimension():
    drawn = figures.traversal_figure(PROTOTYPES, RELEVANCES, watched, SHAPE, UNITS)
    _, titles = columns_of(drawn)
    assert titles[:2] == ["0", "0.125"]
    assert titles[-2:] == ["unit 0, dim 5", "unit 2, dim 0"]
    for codes, dimension in zip(watched.given, (5, 0), strict=True):
        np.testing.assert_allclose(codes[:, dimension], np.linspace(0, 1, 9))
        assert (np.delete(codes, dimension, axis=1) == 0.5).all()


def test_relevances_are_shown_under_the_names_of_the_dimensions():
    def ticks(figure):
        figure.canvas.draw()
        return [label.get_text() for label in figure.axes[1].get_xticklabels()]

    named = figures.relevance_figure(RELEVANCES[[0]], ["a", "b", "c", "d", "e", "of a rather long name"])
    assert ticks(named) == ["of a rather long na…", "e", "d", "c", "b", "a"]
    assert ticks(figures.relevance_figure(RELEVANCES[[0]])) == list("543210")
    many = figures.relevance_figure(np.tile(RELEVANCES[0], (3, 100)))
    numbers = [float(text) for axes in [many.axes[1]] for text in (axes.get_yticks())]
    assert all(number.is_integer() for number in numbers)
    assert len(ticks(many)) < 20


def test_units_of_a_kind_share_a_majority_label_or_a_connection():
    hits = np.array([4, 2, 3, 6, 1])
    units = np.repeat(np.arange(5), hits)
    labels = np.array(["cat", "dog"])[np.isin(units, [3, 4]).astype(int)]
    labels[0] = "dog"  # not the majority of unit 0
    none = np.zeros((5, 5), bool)
    (name, three), *others = figures.units_of_a_kind(hits, none, units, labels)
    assert (name, three.tolist(), others) == ("cat", [0, 2, 1], [])
    near = none.copy()
    near[3, [1, 2, 4]] = True
    found = figures.units_of_a_kind(hits, near, units, [""] * len(units))
    assert [(name, three.tolist()) for name, three in found] == [("unit 3", [3, 2, 1])]


def test_what_units_share_is_the_darkest_of_them():
    pictures = np.array([[0.2] * 6, [0.6] * 6, [1.4] * 6])
    drawn = figures.intersections_figure([("cat", np.array([0, 1, 2]))], pictures, SHAPE)
    sheet, titles = columns_of(drawn)
    assert titles == ["member 1", "member 2", "member 3", "intersection", "union", "cat"]
    width = sheet.shape[1] // 5
    shown = [int(sheet[1, at * width + 1, 0]) for at in range(5)]
    assert shown == [51, 153, 255, 51, 255]
