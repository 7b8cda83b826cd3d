"""The search for best units: always the answer of brute force, whatever the data do to its bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from somscope.maps import kernels
from somscope.maps.basis import find_basis
from somscope.maps.items import DenseItems
from somscope.maps.search import BoundedSearch


def brute_force(x, prototypes, found):
    """Units and squared distances by measuring everything in float64; ties to the lower unit."""
    x, m = x.astype(np.float64), prototypes.astype(x.dtype).astype(np.float64)
    squared = np.stack([np.sum((x - one) ** 2, axis=1) for one in m], axis=1)
    order = np.argsort(squared, axis=1, kind="stable")[:, :found]
    return order, np.take_along_axis(squared, order, axis=1)


def assert_exact(x, prototypes):
    for found in {1, min(2, len(prototypes))}:
        units, distances = DenseItems(x).nearest(prototypes.astype(x.dtype), second=found == 2)
        expected, squared = brute_force(x, prototypes, found)
        np.testing.assert_array_equal(units, expected)
        np.testing.assert_allclose(distances, np.sqrt(squared), rtol=1e-9)


def some_map(rng, x, n_units):
    """Prototypes as a map has them: means of a few items each."""
    return x[rng.integers(len(x), size=(n_units, 6))].mean(axis=1)


@given(
    st.integers(1, 150), st.sampled_from([1, 2, 7, 95, 96, 130]), st.integers(1, 150), st.integers(0, 2**31),
    st.sampled_from([np.float32, np.float64]), st.sampled_from([0.0, 0.1, 10.0]),
)  # fmt: skip
@settings(max_examples=60)
def test_the_answer_is_that_of_brute_force(n, d, n_units, seed, dtype, structure):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d)) + structure * rng.standard_normal((n, 3)) @ rng.standard_normal((3, d))
    assert_exact(x.astype(dtype), some_map(rng, x, n_units))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [20, 120])
@pytest.mark.parametrize(
    ("offset", "scale"),
    [(1e4, 1), (1e6, 1), (-3e5, 0.1), (0, 1e-20), (0, 1e15), (0, 1e-30), (7e17, 1e15)],
)
def test_data_far_from_zero_tiny_or_huge(dtype, d, offset, scale):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400, d)) * scale + offset
    assert_exact(x.astype(dtype), some_map(rng, x, 70))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [20, 120])
@pytest.mark.parametrize("shrink", [1e-3, 1e-9, 1e-16, 1e-22, 0.0])
def test_a_map_far_from_items_that_are_nearly_equal(dtype, d, shrink):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((100, d)) * shrink + 1.0
    assert_exact(x.astype(dtype), rng.standard_normal((70, d)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [1e3, 1e8, 1e22])
def test_one_item_far_from_all_others(dtype, size):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((300, 110))
    prototypes = some_map(rng, x, 80)
    x[17] *= size
    prototypes[5] = 0.3 * x[17]
    assert_exact(x.astype(dtype), prototypes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [3, 120])
@pytest.mark.parametrize("n_units", [64, 65, 128, 200])
def test_equal_prototypes_go_to_the_lower_unit(dtype, d, n_units):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((500, d))
    prototypes = some_map(rng, x, n_units)
    prototypes[rng.permutation(n_units)[: n_units // 2]] = prototypes[
        rng.permutation(n_units)[: n_units // 2]
    ]
    assert_exact(x.astype(dtype), prototypes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [4, 120])
def test_repeated_items_items_on_prototypes_and_rows_of_zeros(dtype, d):
    rng = np.random.default_rng(5)
    own = rng.standard_normal((90, d))
    own[::7] = 0.0
    x = np.repeat(own, 4, axis=0).astype(dtype)
    assert_exact(x, own.astype(dtype))


@pytest.mark.parametrize("d", [8, 130])
def test_points_of_a_grid_with_many_exact_ties(d):
    rng = np.random.default_rng(6)
    x = rng.integers(0, 2, (300, d)).astype(np.float32)
    assert_exact(x, rng.integers(0, 2, (100, d)))
    assert_exact(x, np.full((100, d), 0.5))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_without_any_direction_that_a_projection_could_use(dtype):
    rng = np.random.default_rng(7)
    x = rng.standard_normal((300, 400))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    prototypes = rng.standard_normal((120, 400))
    prototypes /= np.linalg.norm(prototypes, axis=1, keepdims=True)
    assert_exact(x.astype(dtype), prototypes)


def structured(n, d, rng):
    """Items with a few strong directions, as images have."""
    return rng.standard_normal((n, 8)) @ rng.standard_normal((8, d)) + 0.3 * rng.standard_normal((n, d))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_projection_is_used_and_leaves_few_prototypes_to_measure(dtype, monkeypatch):
    rng = np.random.default_rng(8)
    x = structured(600, 300, rng).astype(dtype)
    prototypes = some_map(rng, x, 400)
    compiled, calls = kernels.nearest_bounded, []

    def counting(*given):
        compiled(*given)
        codes, measured = given[5], given[-1]
        calls.append((codes.shape[1], int(measured[0])))

    monkeypatch.setattr(kernels, "nearest_bounded", counting)
    DenseItems(x).nearest(prototypes)
    width, _ = calls[-1]
    assert 0 < width < 300
    assert 600 <= sum(measured for _, measured in calls) < 0.1 * 600 * 400
    assert_exact(x, prototypes)


def test_few_features_are_bounded_by_themselves():
    rng = np.random.default_rng(9)
    x = structured(600, 20, rng)
    assert find_basis(x, x.mean(axis=0), 400).directions.shape == (20, 0)


@pytest.mark.parametrize(("d", "dtype"), [(3, np.float64), (60, np.float32), (120, np.float32)])
@pytest.mark.parametrize("n", [900, 5000])
def test_a_large_map_of_smooth_prototypes(n, d, dtype):
    rng = np.random.default_rng(14)
    corners = rng.standard_normal((4, d))
    across = np.linspace(0, 1, 27)
    plane = np.stack([np.outer(a, b) for a in (across, 1 - across) for b in (across, 1 - across)], axis=-1)
    prototypes = plane.reshape(-1, 4) @ corners
    x = prototypes[rng.integers(729, size=n)] + 0.1 * rng.standard_normal((n, d))
    prototypes[100:110] = prototypes[600:610]
    assert_exact(x.astype(dtype), prototypes)


@pytest.mark.parametrize("d", [20, 150])
def test_any_basis_gives_the_same_answer(d):
    rng = np.random.default_rng(10)
    x, other = structured(300, d, rng), rng.standard_normal((300, d)) + 5
    prototypes = some_map(rng, x, 100)
    own = BoundedSearch(x, find_basis(x, x.mean(axis=0), 100))(prototypes, True)
    foreign = BoundedSearch(x, find_basis(other, other.mean(axis=0), 100))(prototypes, True)
    np.testing.assert_array_equal(own[0], foreign[0])
    np.testing.assert_array_equal(own[1], foreign[1])


def test_one_search_serves_map_after_map():
    rng = np.random.default_rng(11)
    x = structured(300, 150, rng).astype(np.float32)
    items = DenseItems(x)
    for n_units in (40, 1, 100, 64):
        prototypes = some_map(rng, x, n_units)
        np.testing.assert_array_equal(items.nearest(prototypes)[0], brute_force(x, prototypes, 1)[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("d", [10, 120])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_feature_weights_and_cosine_distance(dtype, d, weighted, metric):
    rng = np.random.default_rng(12)
    x = structured(300, d, rng).astype(dtype)
    prototypes = some_map(rng, x, 70)
    weights = rng.uniform(0, 3, d) * (rng.random(d) > 0.2) if weighted else None
    units, distances = DenseItems(x, metric, weights).nearest(prototypes, second=True)
    scale = np.ones(d) if weights is None else np.sqrt(weights)
    a, b = x.astype(np.float64) * scale, prototypes.astype(np.float64) * scale
    if metric == "cosine":
        a, b = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (a, b))
        full = 1 - a @ b.T
    else:
        full = np.sqrt(np.sum((a[:, None] - b[None]) ** 2, axis=2))
    # The scaled values are rounded to the items' float type: nearly equal distances may change places.
    loose = 1e-5 if dtype == np.float32 else 1e-12
    best = np.sort(full, axis=1)[:, :2]
    np.testing.assert_allclose(np.take_along_axis(full, units, axis=1), best, rtol=loose, atol=loose)
    np.testing.assert_allclose(distances, best, rtol=loose, atol=loose)


def test_items_that_are_nearly_parallel_and_rows_of_zeros_under_cosine():
    rng = np.random.default_rng(13)
    x = 1.0 + 1e-12 * rng.standard_normal((200, 120))
    x[3] = 0.0
    prototypes = rng.standard_normal((70, 120))
    units, distances = DenseItems(x, "cosine").nearest(prototypes)
    scaled = prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True)
    full = 1 - x @ scaled.T / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
    kept = np.arange(200) != 3
    np.testing.assert_array_equal(units[kept, 0], full[kept].argmin(axis=1))
    assert np.isfinite(distances).all()
