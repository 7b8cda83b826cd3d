from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.manifold import trustworthiness as sklearn_trustworthiness

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import neighbourhood_preservation, trust_and_preservation, trustworthiness
from somscope.measures._ties import expected_excess


def pair_distances(points):
    points = np.asarray(points, dtype=float)
    return np.round(np.linalg.norm(points[:, None] - points, axis=2), 9)


def plain_penalty(near_by, ranked_by, k):
    """sum_i sum_{j among the k nearest by `near_by`} max(rank of j by `ranked_by` - k, 0), ties averaged.

    Each tie is averaged by counting: an item in a tie of s, a items ahead, has the ranks a+1 ... a+s equally often.
    """
    n, total = len(near_by), 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        for j in others:

            def ranks(by, i=i, j=j, others=others):
                ahead = sum(by[i][h] < by[i][j] for h in others)
                tied = sum(by[i][h] == by[i][j] for h in others)
                return range(ahead + 1, ahead + tied + 1)

            near, rank = ranks(near_by), ranks(ranked_by)
            chance = sum(r <= k for r in near) / len(near)
            total += chance * sum(max(r - k, 0) for r in rank) / len(rank)
    return total


def brute_force_penalty(near_by, ranked_by, k):
    """The same by going through every order of the other items, in both spaces, for each item."""
    n, total = len(near_by), 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        orders = list(itertools.permutations(others))
        found = 0.0
        for first in orders:
            near = sorted(first, key=lambda j: near_by[i][j])[:k]
            for second in orders:
                ranked = sorted(second, key=lambda j: ranked_by[i][j])
                found += sum(max(ranked.index(j) + 1 - k, 0) for j in near)
        total += found / len(orders) ** 2
    return total


def measures_from(penalty, x, best, lattice_distances, k):
    data, on_map = pair_distances(x), np.round(lattice_distances[np.ix_(best, best)], 9)
    n = len(x)
    scale = 2 / (n * k * (2 * n - 3 * k - 1))
    return 1 - scale * penalty(on_map, data, k), 1 - scale * penalty(data, on_map, k)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("k", [1, 2])
def test_ties_are_the_average_over_all_orders(seed, k):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 3, (5, 2)).astype(float)  # ties in the data too
    best = rng.integers(0, 4, 5)
    apart = Lattice(2, 2).distances()
    expected = measures_from(brute_force_penalty, x, best, apart, k)
    assert trust_and_preservation(x, best, apart, k) == pytest.approx(expected)
    assert measures_from(plain_penalty, x, best, apart, k) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 3, 10, 19])
def test_matches_the_plain_loops(make_example, lattice, k):
    e = make_example(lattice=lattice)
    expected = measures_from(plain_penalty, e.x, e.best, lattice.distances(), k)
    assert trust_and_preservation(e.x, e.best, lattice.distances(), k) == pytest.approx(expected)
    assert trustworthiness(e.x, e.best, lattice.distances(), k) == pytest.approx(expected[0])
    assert neighbourhood_preservation(e.x, e.best, lattice.distances(), k) == pytest.approx(expected[1])


@given(st.integers(0, 10_000), st.integers(3, 25), st.integers(1, 3), st.booleans())
def test_matches_the_plain_loops_with_ties_in_the_data(seed, n, values, crowded):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, values + 1, (n, 2)).astype(float) * 0.1
    lattice = Lattice(2, 3, "hexagonal")
    best = rng.integers(0, 2 if crowded else 6, n)
    k = int(rng.integers(1, (n - 1) // 2 + 1))
    expected = measures_from(plain_penalty, x, best, lattice.distances(), k)
    assert trust_and_preservation(x, best, lattice.distances(), k) == pytest.approx(expected)


@pytest.mark.parametrize(("n", "k", "tolerance"), [(60, 5, 1e-12), (2500, 12, 1e-6)])
def test_agrees_with_scikit_learn_without_ties(n, k, tolerance):
    """Every item on a unit of its own, units anywhere in the plane: an ordinary embedding. 2,500: the float32 path."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 8))
    places = x[:, :2] + 0.3 * rng.normal(size=(n, 2))
    unit = rng.permutation(n)
    apart = np.empty((n, n))
    apart[np.ix_(unit, unit)] = np.linalg.norm(places[:, None] - places, axis=2)
    trust, kept = trust_and_preservation(x, unit, apart, k)
    assert trust == pytest.approx(sklearn_trustworthiness(x, places, n_neighbors=k), abs=tolerance)
    assert kept == pytest.approx(sklearn_trustworthiness(places, x, n_neighbors=k), abs=tolerance)


def test_float32_and_float64_paths_agree(make_example, monkeypatch):
    e = make_example(n=300, d=5)
    apart = e.lattice.distances()
    exact = trust_and_preservation(e.x, e.best, apart, 7)
    monkeypatch.setattr("somscope.measures._pairs._EXACT_ITEMS", 0)
    assert trust_and_preservation(e.x, e.best, apart, 7) == pytest.approx(exact, abs=1e-5)
    whole = np.rint(2 * e.x)  # small whole numbers: exact in float32, ties and all
    single = trust_and_preservation(whole, e.best, apart, 7)
    monkeypatch.undo()
    assert single == pytest.approx(trust_and_preservation(whole, e.best, apart, 7), abs=1e-12)


def test_many_blocks_and_threads_give_the_same(make_example, monkeypatch):
    e = make_example(n=97)
    whole = trust_and_preservation(e.x, e.best, e.lattice.distances(), 4)
    monkeypatch.setattr("somscope.measures._arrays._BLOCK_BYTES", 97 * 8 * 10)
    monkeypatch.setattr("somscope.measures._threads.n_threads", lambda: 3)
    assert trust_and_preservation(e.x, e.best, e.lattice.distances(), 4) == whole


def test_a_perfect_map_has_one():
    """No ties here: where data and map both have them, their orders are drawn apart and 1 is out of reach."""
    places = np.random.default_rng(0).normal(size=(30, 2))
    assert trust_and_preservation(places, np.arange(30), pair_distances(places), 4) == (1.0, 1.0)
    lattice = Lattice(5, 6)
    assert trust_and_preservation(lattice.positions, np.arange(30), lattice.distances(), 4)[0] < 1.0


@pytest.mark.parametrize("n", [3, 4, 11])
def test_all_items_in_one_unit_or_all_equal(n):
    """Every order is as likely: the k nearest are k of the n - 1 others at random."""
    k = (n - 1) // 2
    mean_excess = sum(max(r - k, 0) for r in range(1, n)) / (n - 1)
    chance = 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * n * k * mean_excess
    x, apart = np.random.default_rng(0).normal(size=(n, 2)), Lattice(1, 3).distances()
    assert trust_and_preservation(x, np.full(n, 2), apart, k) == pytest.approx((chance, chance))
    assert trust_and_preservation(np.ones((n, 2)), np.zeros(n, dtype=int), apart, k) == pytest.approx(
        (chance, chance)
    )
    assert trust_and_preservation(np.ones((n, 2)), np.arange(n) % 3, apart, k) == pytest.approx(
        (chance, chance)
    )


@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_order_of_items_symmetry_of_the_lattice_and_scale(make_example, seed, scale):
    e = make_example(seed, lattice=Lattice(4, 4))
    apart = e.lattice.distances()
    value = trust_and_preservation(e.x, e.best, apart, 5)
    p = e.permute_items(np.random.default_rng(seed).permutation(len(e.x)))
    turned = e.renumber_units(np.rot90(np.arange(16).reshape(4, 4)).ravel())
    assert trust_and_preservation(p.x, p.best, apart, 5) == pytest.approx(value)
    assert trust_and_preservation(e.x, turned.best, apart, 5) == pytest.approx(value)
    assert trust_and_preservation(scale * e.x + 7, e.best, apart, 5) == pytest.approx(value)
    assert trust_and_preservation(e.x, e.best, scale * apart, 5) == pytest.approx(value)


def test_sparse_items_give_what_dense_ones_give(make_example):
    e = make_example(d=6)
    x = np.where(np.abs(e.x) < 0.8, 0.0, e.x)
    value = trust_and_preservation(x, e.best, e.lattice.distances(), 5)
    for csr in (sparse.csr_matrix(x), sparse.csr_array(x)):
        assert trust_and_preservation(csr, e.best, e.lattice.distances(), 5) == pytest.approx(value)


def test_missing_values_use_partial_distances(make_example):
    e = make_example(d=4, n=15)
    x = e.x.copy()
    x[::3, 1] = np.nan
    x[0, [0, 2, 3]] = x[1, 1] = np.nan
    x[0, 1] = 1.0  # items 0 and 1 have no feature in common
    columns = [x[~np.isnan(x[:, f]), f] for f in range(4)]
    apart = np.zeros((15, 15))
    for i, j in itertools.product(range(15), repeat=2):
        both = ~np.isnan(x[i]) & ~np.isnan(x[j])
        squared = ((x[i] - x[j])[both] ** 2).sum() * 4 / max(1, both.sum())
        apart[i, j] = squared if both.any() else 2 * sum(c.var() for c in columns)
    on_map = np.round(e.lattice.distances()[np.ix_(e.best, e.best)], 9)
    scale = 2 / (15 * 3 * (30 - 9 - 1))
    assert trustworthiness(x, e.best, e.lattice.distances(), 3) == pytest.approx(
        1 - scale * plain_penalty(on_map, np.round(apart, 9), 3)
    )


@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 30))
def test_expected_excess_is_the_mean_over_the_ranks_of_a_tie(before, tied, k):
    ranks = range(before + 1, before + tied + 1)
    expected = sum(max(r - k, 0) for r in ranks) / tied if tied else 0.0
    assert expected_excess(np.array([before]), np.array([tied]), k)[0] == pytest.approx(expected)


@pytest.mark.parametrize("k", [0, 3, -1, 2.0, True])
def test_k_out_of_range_names_the_range(k):
    with pytest.raises(InputError, match=r"n_neighbours=.*allowed: 1 to 2"):
        trustworthiness(np.eye(6), np.arange(6), Lattice(2, 3).distances(), k)


@pytest.mark.parametrize(
    ("x", "best", "apart", "message"),
    [
        (np.eye(2), [0, 1], Lattice(1, 2).distances(), "at least 3"),
        (np.eye(4), [0, 1, 1], Lattice(1, 2).distances(), "best has 3 entries but there are 4 items"),
        (np.eye(4), [0, 1, 1, 2], Lattice(1, 2).distances(), "allowed: units 0 to 1"),
        (np.eye(4), [0, 1, 1, 1], np.ones((2, 3)), "lattice_distances has shape"),
        (np.full((4, 2), np.nan), [0, 1, 1, 1], Lattice(1, 2).distances(), "no observed feature"),
    ],
)
def test_input_that_cannot_be_used(x, best, apart, message):
    with pytest.raises(InputError, match=message):
        trust_and_preservation(x, best, apart, 1)
