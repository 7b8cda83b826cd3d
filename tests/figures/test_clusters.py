"""Figures of clusterings: sizes by label, codes in the plane, centres as pictures."""

from __future__ import annotations

import numpy as np
import pytest

from somscope import figures
from somscope.maps.clusters import cluster_cells


def test_cells_hold_the_largest_cluster_first():
    cells = cluster_cells([5, 9, 1, 9, 7])
    order = sorted(range(5), key=lambda k: cells.cells[k])
    assert order == [1, 3, 4, 0, 2]  # ties by number
    assert cells.n_units == 5
    assert len(cells.edges()) == 0
    assert cluster_cells([3]).cells == ((0, 0),)
    assert cluster_cells(np.arange(100)).columns == 15


@pytest.mark.parametrize("labels", [True, False])
def test_bars_are_as_long_as_the_clusters_are_large(draw, labels):
    counts = np.array([[2, 1], [0, 6], [0, 0]])
    figure = figures.cluster_sizes_figure([4, 6, 0], counts if labels else None, ("a", "$b$"))
    axes = figure.axes[0]
    ends = {}
    for bar in axes.patches:
        row = round(bar.get_y() + bar.get_height() / 2)
        ends[row] = max(ends.get(row, 0.0), bar.get_x() + bar.get_width())
    assert ends == {0: 6, 1: 4, 2: 0}
    assert [text.get_text() for text in axes.get_yticklabels()] == ["1", "0", "2"]
    assert (axes.get_legend() is not None) is labels
    draw(figure)


@pytest.mark.parametrize("n_dimensions", [1, 2, 7])
def test_codes_lie_in_the_plane_of_most_variance(draw, n_dimensions):
    rng = np.random.default_rng(0)
    codes = rng.standard_normal((80, n_dimensions)) * np.arange(n_dimensions, 0, -1)
    clusters = np.arange(80) % 3
    centres = np.stack([codes[clusters == k].mean(0) for k in range(3)])
    figure = figures.latent_figure(codes, clusters, centres)
    drawn = np.asarray(figure.axes[0].collections[0].get_offsets())
    values = np.linalg.eigvalsh(np.atleast_2d(np.cov(codes.T, bias=True)))[::-1]
    wanted = [*values[:2], 0.0][:2]
    np.testing.assert_allclose(drawn.var(0), wanted, atol=1e-9)
    share = f"{values[0] / values.sum():.0%}"
    assert share in figure.axes[0].get_xlabel()
    assert [text.get_text() for text in figure.axes[0].texts] == ["0", "1", "2"]
    draw(figure)


def test_a_sample_of_many_codes_is_drawn():
    codes = np.random.default_rng(0).standard_normal((6000, 3))
    figure = figures.latent_figure(codes, np.zeros(6000, int), codes[:1])
    assert len(figure.axes[0].collections[0].get_offsets()) == 5000
    assert "5,000 of 6,000 items" in figure.axes[0].get_title("left")


def test_centres_say_how_many_items_they_have(draw):
    images = np.zeros((3, 4, 4, 1), np.uint8)
    figure = figures.centre_pictures_figure(cluster_cells([5, 1200, 7]), images, [5, 1200, 7])
    assert [text.get_text() for text in figure.axes[0].texts] == ["0: 5", "1: 1,200", "2: 7"]
    draw(figure)
