from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy import sparse

from somscope import measures
from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import DESCRIPTIONS, measure_map

ALWAYS = {
    "quantization_error",
    "combined_error",
    "topographic_product",
    "distortion",
    "trustworthiness",
    "neighbourhood_preservation",
    "kruskal_shepard",
    "sample_size",
    "unit_perplexity",
    "dead_units",
}
WITH_LABELS = {
    "class_scatter_index",
    "purity",
    "nmi_arithmetic",
    "nmi_geometric",
    "accuracy",
    "ari",
    "ami",
    "homogeneity",
    "completeness",
}


def test_names_by_lattice(make_example, lattice):
    e = make_example(lattice=lattice)
    result = measure_map(e.x, e.m, lattice, e.best, e.second, e.distances, e.labels)
    errors = ["hexagonal"] if lattice.shape == "hexagonal" else ["4", "8"]
    assert set(result) == ALWAYS | WITH_LABELS | {f"topographic_error_{kind}" for kind in errors}
    assert set(result) <= set(DESCRIPTIONS)
    assert all(math.isfinite(v) for v in result.values())
    json.dumps(result, allow_nan=False)


def test_values_are_those_of_the_single_measures(make_example):
    e = make_example(lattice=Lattice(3, 4))
    result = measure_map(e.x, e.m, e.lattice, e.best, e.second, None, e.labels, n_neighbours=4, radius=2.0)
    apart, near = e.lattice.distances(), e.lattice.adjacency("8")
    assert result["quantization_error"] == pytest.approx(e.distances.mean())
    assert result["topographic_error_4"] == measures.topographic_error(
        e.best, e.second, e.lattice.adjacency("4")
    )
    assert result["topographic_error_8"] == measures.topographic_error(e.best, e.second, near)
    assert result["combined_error"] == pytest.approx(
        measures.combined_error(e.distances, e.m, e.best, e.second, near)
    )
    assert result["trustworthiness"] == measures.trustworthiness(e.x, e.best, apart, 4)
    h = measures.gaussian_neighbourhood(apart, 2.0)
    assert result["distortion"] == measures.distortion(e.x, e.m, e.best, h)
    assert result["nmi_geometric"] == measures.nmi(e.labels, e.best, average="geometric")
    assert result["ami"] == measures.adjusted_mutual_information(e.labels, e.best)
    assert result["sample_size"] == 40


def test_every_value_lies_in_its_stated_range(make_example):
    for seed in range(5):
        e = make_example(seed)
        for name, value in measure_map(e.x, e.m, e.lattice, e.best, e.second, None, e.labels).items():
            d = DESCRIPTIONS[name]
            assert d.low is None or value >= d.low, name
            assert d.high is None or value <= d.high, name


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_every_description_is_a_sentence(name):
    d = DESCRIPTIONS[name]
    assert d.title
    assert d.sentence[0].isupper()
    assert d.sentence.endswith((".", "?"))
    assert d.better in ("lower", "higher", "none")


def test_more_items_than_the_sample(make_example):
    e = make_example(n=200)
    args = (e.x, e.m, e.lattice, e.best, e.second, e.distances, e.labels)
    whole, sampled = measure_map(*args), measure_map(*args, sample_size=90)
    assert (whole["sample_size"], sampled["sample_size"]) == (200, 90)
    over_pairs = {"trustworthiness", "neighbourhood_preservation", "kruskal_shepard", "sample_size"}
    assert {name for name in whole if whole[name] != sampled[name]} == over_pairs
    assert sampled["trustworthiness"] == pytest.approx(whole["trustworthiness"], abs=0.1)
    assert measure_map(*args, sample_size=90) == sampled
    assert measure_map(*args, sample_size=90, random_state=1) != sampled


def test_without_labels_or_second_units(make_example):
    e = make_example()
    assert WITH_LABELS.isdisjoint(measure_map(e.x, e.m, e.lattice, e.best, e.second))
    assert WITH_LABELS.isdisjoint(
        measure_map(e.x, e.m, e.lattice, e.best, e.second, labels=np.full(len(e.x), -1))
    )
    result = measure_map(e.x, e.m, e.lattice, e.best)
    assert "combined_error" not in result
    assert "topographic_error_8" not in result


def test_sparse_and_missing(make_example):
    e = make_example(d=6)
    x = np.where(np.abs(e.x) < 0.5, 0.0, e.x)
    dense = measure_map(x, e.m, e.lattice, e.best, e.second, None, e.labels)
    assert measure_map(
        sparse.csr_matrix(x), e.m, e.lattice, e.best, e.second, None, e.labels
    ) == pytest.approx(dense)
    x[0, 0] = np.nan
    assert measure_map(x, e.m, e.lattice, e.best, e.second, None, e.labels).keys() == dense.keys()


def test_items_with_nothing_observed_are_left_out(make_example):
    e = make_example()
    expected = measure_map(e.x, e.m, e.lattice, e.best, e.second, e.distances, e.labels)
    x = np.vstack([e.x, np.full((2, 3), np.nan)])
    ends = np.zeros(2, dtype=int)
    found = measure_map(
        x,
        e.m,
        e.lattice,
        np.r_[e.best, ends],
        np.r_[e.second, ends],
        np.r_[e.distances, ends],
        np.r_[e.labels, ends],
    )
    assert found == expected
    with pytest.raises(InputError, match="no item has an observed feature"):
        measure_map(np.full((2, 3), np.nan), e.m, e.lattice, ends)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_few_items(n):
    lattice = Lattice(2, 2)
    result = measure_map(
        np.eye(n, 5), np.eye(4, 5), lattice, np.zeros(n, int), np.ones(n, int), labels=np.zeros(n, int)
    )
    assert ("trustworthiness" in result) == (n >= 3)
    assert ("kruskal_shepard" in result) == (n >= 2)
    assert all(math.isfinite(v) for v in result.values())


def test_one_unit_and_equal_items():
    result = measure_map(
        np.ones((6, 2)), np.ones((1, 2)), Lattice(1, 1), np.zeros(6, int), None, None, np.arange(6) % 2
    )
    assert result["quantization_error"] == result["distortion"] == 0.0
    assert result["purity"] == 0.5
    assert "topographic_product" not in result
    same = measure_map(np.ones((6, 2)), np.ones((4, 2)), Lattice(2, 2), np.zeros(6, int), np.ones(6, int))
    assert same["kruskal_shepard"] == same["topographic_error_8"] == 0.0
    assert same["dead_units"] == 3
    assert "topographic_product" not in same


def test_input_that_cannot_be_used(make_example):
    e = make_example()
    with pytest.raises(InputError, match="12 prototypes but the lattice has 9 units"):
        measure_map(e.x, e.m, Lattice(3, 3), e.best)
    with pytest.raises(InputError, match="labels has 2 entries"):
        measure_map(e.x, e.m, e.lattice, e.best, labels=[0, 1])
    with pytest.raises(InputError, match="distances have 1 entries"):
        measure_map(e.x, e.m, e.lattice, e.best, distances=[1.0])
    with pytest.raises(InputError, match="n_neighbours=0"):
        measure_map(e.x, e.m, e.lattice, e.best, n_neighbours=0)
    with pytest.raises(InputError, match="sample_size=1"):
        measure_map(e.x, e.m, e.lattice, e.best, sample_size=1)
