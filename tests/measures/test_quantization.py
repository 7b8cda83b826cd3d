from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics.pairwise import nan_euclidean_distances

from somscope.errors import InputError
from somscope.measures import distortion, gaussian_neighbourhood, item_distances, quantization_error


def plain_quantization_error(x, m, best):
    total = 0.0
    for i in range(len(x)):
        total += math.sqrt(sum((x[i][f] - m[best[i]][f]) ** 2 for f in range(len(x[i]))))
    return total / len(x)


def plain_distortion(x, m, best, lattice_distances, radius):
    total = 0.0
    for i in range(len(x)):
        for k in range(len(m)):
            weight = math.exp(-(lattice_distances[best[i]][k] ** 2) / (2 * radius * radius))
            total += weight * sum((x[i][f] - m[k][f]) ** 2 for f in range(len(x[i])))
    return total / len(x)


def test_matches_the_plain_loops(make_example, lattice):
    e = make_example(lattice=lattice)
    assert quantization_error(e.x, e.m, e.best) == pytest.approx(plain_quantization_error(e.x, e.m, e.best))
    h = gaussian_neighbourhood(lattice.distances(), 1.3)
    assert distortion(e.x, e.m, e.best, h) == pytest.approx(
        plain_distortion(e.x, e.m, e.best, lattice.distances(), 1.3)
    )


def test_item_distances_are_those_of_the_map(make_example):
    e = make_example()
    np.testing.assert_allclose(item_distances(e.x, e.m, e.best), e.distances, rtol=1e-12)


@given(st.integers(0, 10_000), st.floats(0.1, 100))
def test_order_of_items_and_scale(make_example, seed, scale):
    e = make_example(seed)
    p = e.permute_items(np.random.default_rng(seed).permutation(len(e.x)))
    h = gaussian_neighbourhood(e.lattice.distances(), 1.0)
    error, energy = quantization_error(e.x, e.m, e.best), distortion(e.x, e.m, e.best, h)
    assert quantization_error(p.x, p.m, p.best) == pytest.approx(error)
    assert distortion(p.x, p.m, p.best, h) == pytest.approx(energy)
    assert quantization_error(scale * e.x, scale * e.m, e.best) == pytest.approx(scale * error)
    assert distortion(scale * e.x, scale * e.m, e.best, h) == pytest.approx(scale**2 * energy)


def test_a_narrow_neighbourhood_gives_the_mean_squared_distance(make_example):
    e = make_example()
    h = gaussian_neighbourhood(e.lattice.distances(), 1e-3)
    assert distortion(e.x, e.m, e.best, h) == pytest.approx((e.distances**2).mean())


def test_sparse_items_give_what_dense_ones_give(make_example):
    e = make_example(d=6)
    x = np.where(np.abs(e.x) < 0.8, 0.0, e.x)
    h = gaussian_neighbourhood(e.lattice.distances(), 1.0)
    for csr in (sparse.csr_matrix(x), sparse.csr_array(x)):
        assert quantization_error(csr, e.m, e.best) == pytest.approx(quantization_error(x, e.m, e.best))
        assert distortion(csr, e.m, e.best, h) == pytest.approx(distortion(x, e.m, e.best, h))


def test_duplicate_sparse_entries_are_summed():
    twice = sparse.csr_array((np.array([1.0, 2.0]), np.array([0, 0]), np.array([0, 2])), shape=(1, 2))
    assert quantization_error(twice, [[0.0, 4.0]], [0]) == pytest.approx(5.0)
    assert twice.nnz == 2  # the caller's matrix is left as it was


def test_missing_values_use_scaled_partial_distances(make_example):
    e = make_example(d=5)
    x = e.x.copy()
    x[np.random.default_rng(1).random(x.shape) < 0.3] = np.nan
    x[:, 0] = e.x[:, 0]
    all_distances = nan_euclidean_distances(x, e.m)
    np.testing.assert_allclose(item_distances(x, e.m, e.best), all_distances[np.arange(len(x)), e.best])
    h = gaussian_neighbourhood(e.lattice.distances(), 1.0)
    expected = (h[e.best] * all_distances**2).sum(axis=1).mean()
    assert distortion(x, e.m, e.best, h) == pytest.approx(expected)


def test_integers_and_float32_are_taken():
    x = np.array([[0, 0], [3, 4]], dtype=np.uint8)
    assert quantization_error(x, [[0.0, 0.0]], [0, 0]) == 2.5
    assert quantization_error(x.astype(np.float32), [[0.0, 0.0]], [0, 0]) == 2.5


def test_distances_far_from_the_origin_are_not_rounded_away():
    x = np.array([[1e8, 1e8], [1e8 + 1, 1e8]])
    assert distortion(x, x, [0, 1], np.eye(2)) == 0.0
    assert distortion(x, x, [0, 1], np.ones((2, 2))) == pytest.approx(1.0)


def test_many_blocks_give_the_same(make_example, monkeypatch):
    e = make_example(n=50)
    h = gaussian_neighbourhood(e.lattice.distances(), 1.0)
    whole = quantization_error(e.x, e.m, e.best), distortion(e.x, e.m, e.best, h)
    monkeypatch.setattr("somscope.measures._arrays._BLOCK_BYTES", 200)
    assert (quantization_error(e.x, e.m, e.best), distortion(e.x, e.m, e.best, h)) == pytest.approx(whole)


@pytest.mark.parametrize(
    ("x", "m", "best", "message"),
    [
        ([1.0, 2.0], [[1.0]], [0], "features have shape"),
        (np.zeros((0, 2)), [[1.0, 1.0]], [], "at least one"),
        ([["a"]], [[1.0]], [0], "numbers"),
        ([[np.inf]], [[1.0]], [0], "infinite value in row 0"),
        ([[np.nan], [1.0]], [[1.0]], [0, 0], "item 0 has no observed feature"),
        (sparse.csr_array([[np.nan]]), [[1.0]], [0], "sparse features"),
        ([[1.0]], [[1.0, 2.0]], [0], "prototypes have 2 features"),
        ([[1.0]], [[np.nan]], [0], "prototypes holds NaN"),
        ([[1.0]], [1.0], [0], "prototypes have shape"),
        ([[1.0]], [[1.0]], [1], r"units\[0\] is 1; allowed: units 0 to 0"),
        ([[1.0]], [[1.0]], [-1], r"units\[0\] is -1"),
        ([[1.0]], [[1.0]], [0, 0], "2 entries but there are 1 items"),
        ([[1.0]], [[1.0]], [0.0], "integers"),
        ([[1.0]], [[1.0]], [[0]], r"allowed: \(items,\)"),
    ],
)
def test_input_that_cannot_be_used(x, m, best, message):
    with pytest.raises(InputError, match=message):
        quantization_error(x, m, best)


@pytest.mark.parametrize("radius", [0.0, -1.0, np.nan, np.inf])
def test_radius_must_be_positive(radius):
    with pytest.raises(InputError, match="above 0"):
        gaussian_neighbourhood(np.zeros((1, 1)), radius)


def test_distortion_refuses_a_neighbourhood_of_another_map():
    with pytest.raises(InputError, match=r"neighbourhood has shape \(2, 2\)"):
        distortion([[1.0]], [[1.0]], [0], np.ones((2, 2)))
    with pytest.raises(InputError, match="no observed"):
        distortion([[np.nan]], [[1.0]], [0], np.ones((1, 1)))
