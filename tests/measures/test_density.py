from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.metrics.pairwise import nan_euclidean_distances

from somscope.errors import InputError
from somscope.measures import p_matrix, pareto_radius, u_star_matrix


def plain_pareto_radius(x, share):
    """The smallest distance at which half of the spheres around the items hold the share (n odd)."""
    apart = [[math.dist(a, b) for b in x] for a in x]
    need = math.ceil(share * len(x))
    for radius in sorted({d for row in apart for d in row}):
        if statistics.median(sum(d <= radius for d in row) for row in apart) >= need:
            return radius
    raise AssertionError("unreachable")


@given(st.integers(0, 1000), st.sampled_from([0.05, 0.2013, 0.5, 1.0]))
def test_radius_matches_the_plain_loop(make_example, seed, share):
    x = make_example(seed, n=31).x
    assert pareto_radius(x, share) == pytest.approx(plain_pareto_radius(x, share))


def test_p_matrix_matches_the_plain_loop(make_example):
    e = make_example(n=60)
    radius = pareto_radius(e.x)
    expected = [sum(math.dist(a, m) <= radius for a in e.x) for m in e.m]
    np.testing.assert_array_equal(p_matrix(e.x, e.m, (3, 4)), np.reshape(expected, (3, 4)))
    assert p_matrix(e.x, e.m, (3, 4), radius=0.0).sum() == 0
    assert (p_matrix(e.x, e.m, (3, 4), radius=1e6) == 60).all()


def test_sparse_and_missing(make_example):
    e = make_example(n=60, d=6)
    x = np.where(np.abs(e.x) < 0.8, 0.0, e.x)
    radius = 2.5
    np.testing.assert_array_equal(
        p_matrix(sparse.csr_array(x), e.m, (3, 4), radius), p_matrix(x, e.m, (3, 4), radius)
    )
    x[x == 0.0] = np.nan
    x[:, 0] = e.x[:, 0]
    expected = (nan_euclidean_distances(x, e.m) <= radius).sum(axis=0).reshape(3, 4)
    np.testing.assert_array_equal(p_matrix(x, e.m, (3, 4), radius), expected)


def test_large_sets_use_a_seeded_sample(make_example):
    x = make_example(n=500).x
    first = pareto_radius(x, sample_size=100, random_state=1)
    assert first == pareto_radius(x, sample_size=100, random_state=1)
    assert first != pareto_radius(x)
    assert first == pytest.approx(pareto_radius(x), rel=0.2)


def test_u_star_is_u_at_mean_density_and_nothing_at_the_densest():
    u = np.array([[2.0, 2.0, 2.0]])
    np.testing.assert_allclose(u_star_matrix(u, [[0, 1, 2]]), [[4.0, 2.0, 0.0]])
    np.testing.assert_array_equal(u_star_matrix(u, [[3, 3, 3]]), u)


def test_one_item_and_equal_items():
    assert pareto_radius([[1.0, 2.0]]) == 0.0
    assert pareto_radius(np.ones((7, 2))) == 0.0
    assert p_matrix(np.ones((7, 2)), [[1.0, 1.0], [2.0, 2.0]], (1, 2)).tolist() == [[7, 0]]


def test_input_that_cannot_be_used():
    with pytest.raises(InputError, match=r"share=0\.0"):
        pareto_radius(np.eye(3), share=0.0)
    with pytest.raises(InputError, match="sample_size=1"):
        pareto_radius(np.eye(3), sample_size=1)
    with pytest.raises(InputError, match="radius=-1"):
        p_matrix(np.eye(3), np.eye(3), (1, 3), radius=-1)
    with pytest.raises(InputError, match="does not hold 3 units"):
        p_matrix(np.eye(3), np.eye(3), (2, 2))
    with pytest.raises(InputError, match="one shape"):
        u_star_matrix(np.ones((2, 2)), np.ones((1, 4)))
