"""Each figure on every lattice: what it draws, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

from somscope import figures
from somscope.errors import InputError
from somscope.figures.classes import majority
from somscope.figures.errors import topographic_error_pairs
from somscope.figures.palette import class_colours
from somscope.figures.pictures import mosaic
from somscope.figures.pies import pie_slices
from somscope.figures.planes import most_varied
from somscope.figures.u_matrix import expanded_u_matrix
from somscope.maps.lattice import Lattice

NAMES = ["cat", "dog", "_$bird"]


def assigned(lattice: Lattice, n: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Units, second units, distances and labels of n made-up items; the last unit holds none."""
    rng = np.random.default_rng(0)
    units = rng.integers(0, max(1, lattice.n_units - 1), n)
    second = (units + rng.integers(1, max(2, lattice.n_units), n)) % lattice.n_units
    second = np.full(n, -1) if lattice.n_units == 1 else second
    return units, second, rng.random(n), rng.integers(-1, 3, n)


def main_cells(figure: Figure, lattice: Lattice) -> PolyCollection:
    """The collection with one polygon per unit."""
    found = [
        item
        for item in figure.axes[0].collections
        if isinstance(item, PolyCollection)
        and not item.get_hatch()
        and len(item.get_paths()) == lattice.n_units
    ]
    assert found, "no collection has a polygon for each unit"
    return found[0]


def test_u_matrix(lattice, draw):
    values = np.arange(lattice.n_units, dtype=float).reshape(lattice.rows, lattice.columns)
    figure = figures.u_matrix_figure(lattice, values, unit="standard deviations")
    np.testing.assert_array_equal(main_cells(figure, lattice).get_array(), values.reshape(-1))
    labels = {axes.get_ylabel() + axes.get_xlabel() for axes in figure.axes[1:]}
    assert labels == {"mean distance to the neighbouring prototypes\n(standard deviations)"}
    draw(figure)


def test_expanded_u_matrix_on_every_lattice(lattice, draw):
    prototypes = np.random.default_rng(1).normal(size=(lattice.n_units, 3))
    centres, values = expanded_u_matrix(lattice, prototypes)
    assert len(centres) == len(values)
    assert len(np.unique(np.round(centres, 4), axis=0)) == len(centres)
    np.testing.assert_allclose(centres[: lattice.n_units], lattice.positions)
    draw(figures.expanded_u_matrix_figure(lattice, prototypes))


def test_expanded_u_matrix_against_a_loop():
    """(2r - 1) x (2c - 1) cells, with the mean of both diagonals over sqrt(2) at the crossings (Ultsch 1990)."""
    rows, columns = 3, 4
    lattice = Lattice(rows, columns)
    w = np.random.default_rng(2).normal(size=(rows, columns, 5))
    expected = np.zeros((2 * rows - 1, 2 * columns - 1))
    for r in range(rows):
        for c in range(columns):
            around = []
            for dr, dc in [(0, 1), (1, 0), (0, -1), (-1, 0)]:
                if 0 <= r + dr < rows and 0 <= c + dc < columns:
                    around.append(np.linalg.norm(w[r, c] - w[r + dr, c + dc]))
                    expected[2 * r + dr, 2 * c + dc] = around[-1]
            expected[2 * r, 2 * c] = np.median(around)
            if r + 1 < rows and c + 1 < columns:
                one = np.linalg.norm(w[r, c] - w[r + 1, c + 1])
                other = np.linalg.norm(w[r, c + 1] - w[r + 1, c])
                expected[2 * r + 1, 2 * c + 1] = (one + other) / np.sqrt(2) / 2
    centres, values = expanded_u_matrix(lattice, w.reshape(-1, 5))
    assert len(values) == expected.size
    column, row = np.rint(2 * centres).astype(int).T
    np.testing.assert_allclose(values, expected[row, column])


def test_hits(lattice, draw):
    counts = np.arange(lattice.n_units)
    figure = figures.hits_figure(lattice, counts, numbers=True)
    shown = main_cells(figure, lattice).get_array()
    assert np.ma.getmaskarray(shown).tolist() == (counts == 0).tolist()
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert [text for text in texts if text.isdigit()] == [str(count) for count in counts]
    assert any(f"{counts.sum()} items, 1 hatched" in text.replace("\n", " ") for text in texts)
    draw(figure)


def test_large_maps_have_no_numbers():
    figure = figures.hits_figure(Lattice(20, 20), np.ones(400))
    assert not any(text.get_text().isdigit() for text in figure.axes[0].texts)


def test_component_planes(lattice, draw):
    prototypes = np.random.default_rng(0).normal(size=(lattice.n_units, 4))
    figure = figures.component_planes_figure(lattice, prototypes, ["a", "b", "$c", "_d"])
    planes = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title().strip("\u200b\\") for axes in planes] == ["a", "b", "$c", "_d"]
    for feature, axes in enumerate(planes):
        np.testing.assert_array_equal(axes.collections[0].get_array(), prototypes[:, feature])
    draw(figure)


def test_many_features_are_capped_and_the_title_says_so():
    lattice = Lattice(3, 3)
    prototypes = np.random.default_rng(0).normal(size=(9, 50)) * np.arange(50)
    figure = figures.component_planes_figure(lattice, prototypes, most=6)
    assert "the 6 of 50 features whose prototypes vary most" in figure.get_suptitle()
    kept = [int(axes.get_title().split()[1]) for axes in figure.axes if axes.get_title()]
    assert kept == sorted(np.argsort(-prototypes.var(axis=0))[:6])
    assert most_varied(np.array([[np.nan, 1.0], [2.0, 3.0]]), 1).tolist() == [1]


def test_prototype_pictures(lattice, draw):
    images = np.random.default_rng(0).integers(0, 256, (lattice.n_units, 6, 5)).astype(np.uint8)
    canvas, (left, right, bottom, top) = mosaic(lattice, images)
    assert (canvas[..., 3] > 0).sum() == lattice.n_units * 30, "pictures overlap or are cut"
    height, width = canvas.shape[:2]
    for unit, (x, y) in enumerate(lattice.positions):  # the pixel at each unit's centre is of its own picture
        row, column = int((y - top) / (bottom - top) * height), int((x - left) / (right - left) * width)
        near = canvas[row - 1 : row + 2, column - 1 : column + 2, 0]
        assert np.isclose(near[1, 1] * 255, images[unit]).any()
    draw(figures.prototype_pictures_figure(lattice, images))


def test_pictures_in_colour_as_floats_and_too_large_ones(draw):
    lattice = Lattice(2, 2, "hexagonal")
    draw(
        figures.prototype_pictures_figure(lattice, np.random.default_rng(0).random((4, 5, 5, 3)) * 1.5 - 0.2)
    )
    canvas, _ = mosaic(lattice, np.full((4, 3000, 3000), 128, np.uint8))
    assert max(canvas.shape) < 3300
    assert np.unique(canvas[..., 0]).tolist() == pytest.approx([0, 128 / 255])
    with pytest.raises(InputError, match="one picture per unit"):
        mosaic(lattice, np.zeros((3, 5, 5)))


def test_label_pies(lattice, draw):
    units, _, _, labels = assigned(lattice)
    counts = figures.count_classes(lattice, units, labels, 3)
    assert counts.sum() == (labels >= 0).sum()
    slices, unit, group = pie_slices(lattice, counts)
    assert len(slices) == (counts > 0).sum()
    area = np.array(
        [abs(s[:, 0] @ np.roll(s[:, 1], -1) - s[:, 1] @ np.roll(s[:, 0], -1)) / 2 for s in slices]
    )
    share = counts[unit, group]
    if lattice.n_units > 1:  # slice areas are proportional to items, over all pies alike
        np.testing.assert_allclose(area / area.sum(), share / share.sum(), rtol=0.05)
    figure = figures.label_pies_figure(lattice, counts, NAMES)
    drawn = figure.axes[0].collections[0]
    np.testing.assert_allclose(drawn.get_facecolors()[:, :3], class_colours(group))
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:2] == ["cat", "dog"]
    assert len(texts) == 3
    draw(figure)


def test_class_map(lattice, draw):
    units, _, _, labels = assigned(lattice)
    counts = figures.count_classes(lattice, units, labels, 3)
    best, purity = majority(counts)
    figure = figures.class_map_figure(lattice, counts, NAMES, numbers=True)
    colours = main_cells(figure, lattice).get_facecolors()[:, :3]
    known = best >= 0
    strength = 0.35 + 0.65 * purity[known, None]
    np.testing.assert_allclose(colours[known], 1 - strength * (1 - class_colours(best[known])))
    numbers = [text.get_text() for text in figure.axes[0].texts if text.get_text().isdigit()]
    assert numbers == [str(group) for group in best if group >= 0]
    if not known.all():
        assert "no labelled item" in [text.get_text() for text in figure.legends[0].get_texts()]
    draw(figure)


def test_majority_ties_go_to_the_first_class():
    best, purity = majority(np.array([[2, 2, 1], [0, 0, 0]]))
    assert best.tolist() == [0, -1]
    assert purity[0] == pytest.approx(0.4)
    assert np.isnan(purity[1])


def test_error_layers(lattice, draw):
    units, second, distances, _ = assigned(lattice)
    figure = figures.error_layers_figure(lattice, units, second, distances)
    shown = main_cells(figure, lattice).get_array()
    for unit in range(lattice.n_units):
        own = distances[units == unit]
        if len(own):
            assert shown[unit] == pytest.approx(own.mean())
        else:
            assert np.ma.getmaskarray(shown)[unit]
    pairs, count = topographic_error_pairs(lattice, units, second)
    near = lattice.adjacency()
    expected = sum(not near[a, b] for a, b in zip(units, second, strict=True) if b >= 0)
    assert count.sum() == expected
    lines = [item for item in figure.axes[0].collections if isinstance(item, LineCollection)]
    if lattice.toroidal:
        assert len(pairs) <= len(lines[0].get_segments()) <= 2 * len(pairs)
    else:
        assert sum(len(item.get_segments()) for item in lines) == len(pairs)
    draw(figure)


def test_error_lines_are_capped_and_the_subtitle_says_so():
    lattice = Lattice(30, 30)
    units, second, distances, _ = assigned(lattice, 2000)
    figure = figures.error_layers_figure(lattice, units, second, distances)
    said = " ".join(text.get_text() for text in figure.axes[0].texts).replace("\n", " ")
    assert "the 150 most frequent of 1,9" in said


def test_a_legend_of_equal_lines_says_it_once():
    figure = figures.error_layers_figure(Lattice(1, 5), [0, 1], [2, 4], [1.0, 1.0])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["1 item"]
    figure = figures.error_layers_figure(Lattice(1, 5), [0, 0, 1], [2, 2, 4], [1.0, 1.0, 1.0])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["2 items", "1 item"]


def test_a_pie_of_one_class_has_no_line_in_it():
    figure = figures.label_pies_figure(Lattice(1, 2), np.array([[4, 0], [1, 1]]), ["a", "b"])
    assert figure.axes[0].collections[0].get_linewidths() == pytest.approx([0.0, 0.3, 0.3])


def test_p_matrix(lattice, draw):
    density = np.arange(lattice.n_units)
    figure = figures.p_matrix_figure(lattice, density)
    np.testing.assert_array_equal(main_cells(figure, lattice).get_array(), density)
    draw(figure)


def test_unit_clusters(lattice, draw):
    clusters = np.arange(lattice.n_units) // 3
    figure = figures.unit_clusters_figure(lattice, clusters)
    colours = main_cells(figure, lattice).get_facecolors()[:, :3]
    np.testing.assert_allclose(colours, 1 - 0.75 * (1 - class_colours(clusters)))
    numbers = [text.get_text() for text in figure.axes[0].texts if text.get_text().isdigit()]
    assert numbers == [str(i) for i in range(clusters.max() + 1)]
    draw(figure)


def test_training_curves(draw):
    history = {
        "pass": [1, 2, 3], "quantization_error": [3.0, 2.0, 1.5], "radius": [4.0, 2.0, 1.0], "seconds": [1, 1, 1],
        "note": ["a", "b", "c"],
    }  # fmt: skip
    figure = figures.training_curves_figure(history)
    assert [axes.lines[0].get_ydata().tolist() for axes in figure.axes] == [[4.0, 2.0, 1.0], [3.0, 2.0, 1.5]]
    assert "lattice steps" in figure.axes[0].get_ylabel()
    assert figure.axes[-1].get_xlabel() == "pass"
    draw(figure)
    with pytest.raises(InputError, match="no curve loss in the history; it has: pass"):
        figures.training_curves_figure(history, ["loss"])


@pytest.mark.parametrize(
    ("units", "labels", "message"),
    [([0, 1], [0], "shape"), ([0, 9], [0, 0], r"allowed: 0\.\.3"), ([0, 1], [0, 5], "labels lie in 0..5")],
)
def test_counts_refuse_what_does_not_fit(units, labels, message):
    with pytest.raises(InputError, match=message):
        figures.count_classes(Lattice(2, 2), units, labels, 2)


def test_many_classes_get_hatches_and_a_cut_legend(draw):
    lattice = Lattice(7, 7)
    figure = figures.class_map_figure(lattice, np.eye(49, 50, dtype=int), [f"class {i}" for i in range(50)])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "and 10 more" in texts
    hatches = {item.get_hatch() for item in figure.axes[0].collections if item.get_hatch()}
    assert len(hatches) == 2
    draw(figure)
