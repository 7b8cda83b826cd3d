"""t-SNE of items and units: like lies with like, and the figure holds what it is given."""

from __future__ import annotations

import numpy as np
import pytest

from somscope.errors import InputError
from somscope.figures import embedding_figure, tsne_places


def test_units_lie_among_their_items() -> None:
    generator = np.random.default_rng(0)
    centres = np.array([[0.1, 0.1, 0.9], [0.9, 0.1, 0.1], [0.1, 0.9, 0.5]])
    labels = np.repeat(np.arange(3), 25)
    items, units = tsne_places(centres[labels] + generator.normal(0, 0.02, (75, 3)), centres)
    distances = np.linalg.norm(items[:, None] - units[None], axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), labels)
    with pytest.raises(InputError, match="at least 4"):
        tsne_places(centres[:1], centres[:1])


def test_the_figure_holds_lines_pictures_and_classes() -> None:
    generator = np.random.default_rng(0)
    joined = np.zeros((4, 4), bool)
    joined[0, 1] = joined[1, 0] = True
    figure = embedding_figure(
        generator.random((30, 2)), generator.random((4, 2)), joined,
        images=generator.random((4, 6, 6, 1)), labels=np.arange(30) % 3 - 1, names=("cat", "dog"),
    )  # fmt: skip
    (axes,) = figure.axes
    assert len(axes.artists) == 4
    assert [len(c.get_segments()) for c in axes.collections if hasattr(c, "get_segments")] == [1]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["cat", "dog"]


def test_a_single_dimension_is_laid_out_too() -> None:
    items, units = tsne_places(np.linspace(0, 1, 12)[:, None], np.array([[0.2], [0.8]]))
    assert items.shape == (12, 2)
    assert np.isfinite(items).all()
    assert np.isfinite(units).all()
