"""U-matrix and clusters of units in the distance that the map was trained with, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from maps.transcriptions import distance
from somscope.maps.distances import paired_distances
from somscope.maps.items import METRICS
from somscope.maps.lattice import Lattice
from somscope.maps.som import SOM
from somscope.maps.units import cluster_units, u_matrix

LATTICES = [Lattice(3, 5), Lattice(4, 3, "hexagonal", True), Lattice(1, 6)]


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0]


def example(n, d=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) + 2, rng.uniform(0.1, 3, d)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("weighted", [False, True])
def test_paired_distances_are_those_of_the_formula(metric, weighted):
    (a, weights), (b, _) = example(20), example(20, seed=1)
    ones = weights if weighted else np.ones(4)
    expected = [distance(one, other, metric, ones) for one, other in zip(a, b, strict=True)]
    np.testing.assert_allclose(paired_distances(a, b, metric, weights if weighted else None), expected)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("lattice", LATTICES, ids=str)
def test_the_u_matrix_is_the_mean_of_the_maps_own_distances(metric, weighted, lattice):
    m, weights = example(lattice.n_units)
    near = lattice.adjacency()
    ones = weights if weighted else np.ones(4)
    expected = [
        np.mean([distance(m[k], m[j], metric, ones) for j in range(len(m)) if near[k, j]])
        for k in range(len(m))
    ]
    got = u_matrix(m, lattice, weights if weighted else None, metric)
    np.testing.assert_allclose(got.ravel(), expected)
    if not weighted:
        som = SOM.from_prototypes(m, lattice, metric=metric)
        np.testing.assert_allclose(som.u_matrix_, got)


@pytest.mark.parametrize("metric", METRICS)
def test_a_trained_map_has_the_u_matrix_of_its_metric_and_weights(digits, metric):
    weights = np.random.default_rng(0).uniform(0, 2, 64)
    som = SOM(grid=(4, 5), metric=metric, feature_weights=weights, random_state=0).fit(digits)
    m, near = som.prototypes_, som.lattice_.adjacency()
    expected = [
        np.mean([distance(m[k], m[j], metric, weights) for j in range(20) if near[k, j]]) for k in range(20)
    ]
    np.testing.assert_allclose(som.u_matrix_.ravel(), expected)


@pytest.mark.parametrize("metric", METRICS)
def test_weighted_clusters_are_those_of_features_of_another_scale(digits, metric):
    """Two roads to one answer: feature weights, or features in another unit of measure."""
    lattice, hits = Lattice(5, 6), np.random.default_rng(1).integers(0, 3, 30)
    m, weights = example(30, d=6, seed=2)
    scale = weights if metric == "manhattan" else np.sqrt(weights)
    one = cluster_units(m, lattice, 4, hits, weights, metric)
    np.testing.assert_array_equal(one, cluster_units(m * scale, lattice, 4, hits, None, metric))
    other = cluster_units(m, lattice, 4, hits, None, metric)
    assert not np.array_equal(one, other)


def test_cosine_clusters_do_not_depend_on_the_lengths_of_prototypes():
    m, _ = example(30, seed=3)
    longer = m * np.random.default_rng(0).uniform(0.1, 10, (30, 1))
    hits = np.arange(30) % 3
    np.testing.assert_array_equal(
        cluster_units(m, Lattice(5, 6), 4, hits, None, "cosine"),
        cluster_units(longer, Lattice(5, 6), 4, hits, None, "cosine"),
    )
    assert not np.array_equal(
        cluster_units(m, Lattice(5, 6), 4, hits), cluster_units(longer, Lattice(5, 6), 4, hits)
    )
