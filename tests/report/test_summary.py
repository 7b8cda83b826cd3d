"""The numbers behind the layers, against plain loops."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from somscope.maps.lattice import Lattice
from somscope.report import render_report
from somscope.report.members import most_listed, most_per_unit
from somscope.report.summary import summarise
from somscope.report.words import distinctive_terms, standing_out, top_terms
from somscope.runs import MapDistance


@pytest.mark.parametrize(
    "lattice", [Lattice(3, 4), Lattice(4, 3, "hexagonal", toroidal=True), Lattice(1, 6), Lattice(1, 1)]
)
def test_units_against_a_loop(make_run, lattice):
    x = np.random.default_rng(0).normal(size=(60, 5))
    run = make_run(lattice, "vectors", x, labels=[None if i % 7 == 0 else f"c{i % 3}" for i in range(60)])
    prototypes = run.attributes["prototypes_"]
    summary = summarise(run, prototypes, None, MapDistance())
    near = lattice.adjacency()
    for unit in range(lattice.n_units):
        own = [i for i in range(60) if summary.units[i] == unit]
        assert summary.hits[unit] == len(own)
        assert sorted(summary.members(unit)) == own
        distances = [summary.distances[i] for i in summary.members(unit)]
        assert distances == sorted(distances)
        around = [
            np.linalg.norm(prototypes[unit] - prototypes[o]) for o in range(lattice.n_units) if near[unit, o]
        ]
        assert summary.u_matrix[unit] == pytest.approx(np.mean(around) if around else 0.0)
        if own:
            assert summary.medoids[unit] == min(own, key=lambda i: summary.distances[i])
            assert summary.mean_distance[unit] == pytest.approx(np.mean(distances))
            wrong = [summary.second_units[i] >= 0 and not near[unit, summary.second_units[i]] for i in own]
            assert summary.topographic_error[unit] == pytest.approx(np.mean(wrong))
        else:
            assert summary.medoids[unit] == -1
            assert np.isnan(summary.mean_distance[unit])
    assert summary.class_names == ("c0", "c1", "c2")
    assert (summary.labels == -1).sum() == 9


def test_labels_that_the_collection_does_not_name_are_kept(make_run):
    run = make_run(Lattice(2, 2), "vectors", np.eye(4), labels=["b", "a", None, "b"])
    run.config["collection"]["label_names"] = ["b"]
    assert summarise(run, run.attributes["prototypes_"], None, MapDistance()).class_names == ("b", "a")


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("euclidean", np.sqrt(36 + 1)), ("manhattan", 12.5), ("cosine", 1 - 12.5 / np.sqrt(4.25 * 37))],
)
def test_prototypes_are_apart_by_the_distance_of_the_map(make_run, metric, expected):
    run = make_run(Lattice(1, 2), "vectors", np.eye(2))
    prototypes = np.array([[0.0, 0.0], [3.0, 2.0]]) + (metric == "cosine") * np.array(
        [[1.0, 1.0], [0.0, 0.0]]
    )
    distance = MapDistance(metric, np.array([4.0, 0.25]))
    summary = summarise(run, prototypes, None, distance)
    assert summary.edge_distances == pytest.approx([expected])
    assert summary.u_matrix == pytest.approx([expected, expected])


def test_only_listed_items_are_decoded(make_picture_run, monkeypatch):
    """A thumbnail that cannot be read does no harm where its item is not listed."""
    monkeypatch.setattr("somscope.report.members.most_per_unit", lambda hits: 4)
    run = make_picture_run(Lattice(1, 2), n=100)
    summary = summarise(run, run.attributes["prototypes_"], None, MapDistance())
    hidden = next(i for i in range(100) if i not in set(most_listed(summary).tolist()))
    items = run.tables["items"].to_pylist()
    items[hidden]["thumbnail"] = b"broken"
    run.tables["items"] = pa.Table.from_pylist(items)
    assert "8 of 100 items are listed" in render_report(run)
    assert set(summary.medoids) <= set(most_listed(summary))


def test_terms():
    prototypes = np.array([[0.5, 0.9, 0.0], [0.5, 0.0, 0.3]])
    names = ["said", "oil", "gold"]
    assert top_terms(prototypes, names) == [[("oil", 0.9), ("said", 0.5)], [("said", 0.5), ("gold", 0.3)]]
    assert distinctive_terms(prototypes, names) == [["oil"], ["gold"]]
    assert top_terms(prototypes, [], 1) == [[("feature 1", 0.9)], [("feature 0", 0.5)]]


def test_what_stands_out_is_measured_in_standard_deviations():
    rows = standing_out(np.array([[1.0, 5.0, np.nan], [3.0, 5.0, 2.0]]), ["a", "b", "c"])
    assert rows == [[("a", 1.0, -1.0)], [("a", 3.0, 1.0)]]


@pytest.mark.parametrize(("most", "expected"), [(10, 2), (12, 3), (100, 8), (1, 1)])
def test_most_per_unit(most, expected):
    hits = np.array([8, 3, 2, 3, 0, 1])
    assert most_per_unit(hits, most) == expected
