"""The search from a guess: the answer of brute force whatever was guessed, and used where items lie in clusters."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from somscope.maps import search as searches
from somscope.maps.basis import find_basis
from somscope.maps.items import DenseItems
from somscope.maps.search import BoundedSearch


def clusters(n, d, n_centres, rng, noise=0.2):
    return rng.standard_normal((n_centres, d))[rng.integers(n_centres, size=n)] + noise * rng.standard_normal(
        (n, d)
    )


def brute_force(x, prototypes):
    x, m = x.astype(np.float64), prototypes.astype(x.dtype).astype(np.float64)
    return np.stack([np.sum((x - one) ** 2, axis=1) for one in m], axis=1)


def answer(search, prototypes, guess):
    n = len(search.x)
    units, distances = np.full((n, 1), -1, np.int32), np.full((n, 1), np.nan)
    measured = search._from_guess(prototypes, None, guess.astype(np.int32), units, distances)
    return units[:, 0], distances[:, 0], measured


@given(
    st.integers(1, 200), st.sampled_from([1, 2, 17, 64, 130]), st.integers(1, 150), st.integers(0, 2**31),
    st.sampled_from([np.float32, np.float64]), st.sampled_from([0.0, 0.01, 1.0]), st.sampled_from([0.0, 100.0, 1e5]),
)  # fmt: skip
@settings(max_examples=60)
def test_any_guess_leads_to_the_answer_of_brute_force(n, d, n_units, seed, dtype, noise, offset):
    rng = np.random.default_rng(seed)
    x = (clusters(n, d, 5, rng, noise) + offset).astype(dtype)
    prototypes = x[rng.integers(n, size=(n_units, 3))].mean(axis=1)
    search = BoundedSearch(x, find_basis(x, x.mean(axis=0, dtype=np.float64), n_units))
    squared = brute_force(x, prototypes)
    units, distances, _ = answer(search, prototypes, rng.integers(n_units, size=n))
    np.testing.assert_array_equal(units, squared.argmin(axis=1))
    np.testing.assert_allclose(distances, squared.min(axis=1), rtol=1e-9)


def test_scales_of_rows_and_columns_are_followed():
    rng = np.random.default_rng(3)
    x = clusters(300, 40, 5, rng).astype(np.float32)
    rows, columns = rng.uniform(0.5, 2, 300).astype(np.float32), rng.uniform(0.1, 3, 40).astype(np.float32)
    prototypes = x[:30] * columns
    search = BoundedSearch(x, find_basis(prototypes, prototypes.mean(axis=0), 30), rows, columns)
    units, _, _ = answer(search, prototypes, rng.integers(30, size=300))
    shaped = x.astype(np.float64) * rows[:, None] * columns
    np.testing.assert_array_equal(units, brute_force(shaped, prototypes).argmin(axis=1))


def test_in_clusters_a_good_guess_leaves_a_handful_of_units():
    rng = np.random.default_rng(4)
    x = clusters(2000, 64, 20, rng).astype(np.float32)
    prototypes = x[:200]
    search = BoundedSearch(x, find_basis(x, x.mean(axis=0), 200))
    best = brute_force(x, prototypes).argmin(axis=1)
    assert answer(search, prototypes, best)[2] < 20
    assert answer(search, prototypes, np.zeros(2000))[2] > 50


@pytest.mark.parametrize(("d", "first"), [(64, True), (16, False)])
def test_it_is_chosen_in_clusters_and_not_without_them(d, first, monkeypatch):
    """64 features can be guessed by rough bounds at once; 16 from the second search on."""
    rng = np.random.default_rng(5)
    used = []
    compiled = searches.nearest_from_guess

    def counting(*given):
        used.append(len(given[4]))
        compiled(*given)

    monkeypatch.setattr(searches, "nearest_from_guess", counting)
    for n_centres, pays in ((30, True), (5000, False)):
        x = clusters(5000, d, n_centres, rng).astype(np.float32)
        prototypes = x[:: len(x) // 300][:300].copy()
        items = DenseItems(x)
        items.basis = items.find_basis(300)
        for again in (False, True):
            used.clear()
            units, _ = items.nearest(prototypes)
            assert (5000 in used) == (pays and (again or first))
            np.testing.assert_array_equal(units[:, 0], brute_force(x, prototypes).argmin(axis=1))
            prototypes += 0.01 * rng.standard_normal(prototypes.shape).astype(np.float32)


def test_a_smaller_map_does_not_take_over_the_units_of_a_larger_one():
    rng = np.random.default_rng(6)
    x = clusters(5000, 64, 30, rng).astype(np.float32)
    items = DenseItems(x)
    for n_units in (300, 300, 40, 300):
        prototypes = x[:n_units]
        units, _ = items.nearest(prototypes)
        np.testing.assert_array_equal(units[:, 0], brute_force(x, prototypes).argmin(axis=1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_prototypes_closer_than_float32_can_square(dtype):
    """Their squared distances underflow in float32, where two units differ by less than it can hold."""
    rng = np.random.default_rng(7)
    far = np.repeat([[1.0, 0.0], [-1.0, 0.0]], 2000, axis=0) + 1e-3 * rng.standard_normal((4000, 2))
    near = 5e-23 * rng.standard_normal((400, 2))
    x = np.concatenate([far, near]).astype(dtype)
    prototypes = np.concatenate([far[::200], near]).astype(dtype)
    search = BoundedSearch(x, find_basis(x, np.zeros(2), len(prototypes)))
    squared = brute_force(x, prototypes)
    guess = rng.integers(20, len(prototypes), size=len(x))
    np.testing.assert_array_equal(answer(search, prototypes, guess)[0], squared.argmin(axis=1))


@pytest.mark.parametrize("d", [3, 64])
def test_equal_distances_go_to_the_lower_unit_whatever_was_guessed(d):
    rng = np.random.default_rng(8)
    x = rng.integers(0, 3, (500, d)).astype(np.float32)
    prototypes = np.repeat(x[:40], 3, axis=0)
    search = BoundedSearch(x, find_basis(x, x.mean(axis=0), 120))
    units, _, _ = answer(search, prototypes, rng.integers(120, size=500))
    np.testing.assert_array_equal(units, brute_force(x, prototypes).argmin(axis=1))
