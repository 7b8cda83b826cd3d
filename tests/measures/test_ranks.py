"""The fast ranking within rows against plain counting: ties, outliers, many and few entries asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.measures._ranks import nearest, ragged, ranks

SHAPES = {
    "spread": lambda rng, shape: rng.gamma(9, 1, shape),
    "ties": lambda rng, shape: rng.integers(0, 5, shape),
    "equal": lambda rng, shape: np.ones(shape),
    "zero": lambda rng, shape: np.zeros(shape),
    "outlier": lambda rng, shape: rng.random(shape) * 10.0 ** rng.integers(0, 12, shape),
    "narrow": lambda rng, shape: 1.0 + 1e-5 * rng.random(shape),
    "mostly zero": lambda rng, shape: rng.random(shape) * (rng.random(shape) < 0.1),
}


@pytest.mark.parametrize("asked", [0, 3, 60])
@pytest.mark.parametrize("kind", SHAPES)
@given(st.integers(0, 1000), st.sampled_from([np.float32, np.float64]))
def test_ranks_match_plain_counting(kind, asked, seed, dtype):
    rng = np.random.default_rng(seed)
    distances = SHAPES[kind](rng, (4, 30)).astype(dtype)
    distances[np.arange(4), rng.integers(0, 30, 4)] = -1.0
    row, column = np.sort(rng.integers(0, 4, asked)), rng.integers(0, 30, asked)
    smaller, equal = ranks(distances, row, column)
    values = distances[row, column]
    np.testing.assert_array_equal(smaller, (distances[row] < values[:, None]).sum(axis=1))
    np.testing.assert_array_equal(equal, (distances[row] == values[:, None]).sum(axis=1))


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("n", [30, 400])
@given(st.integers(0, 1000), st.integers(1, 30))
def test_nearest_match_a_full_sort(kind, n, seed, k):
    distances = SHAPES[kind](np.random.default_rng(seed), (4, n)).astype(np.float32)
    limit = np.sort(distances, axis=1)[:, k - 1]
    row, column, last = nearest(distances, k)
    found = np.zeros(distances.shape, dtype=int)
    np.add.at(found, (row, column), 1)
    np.testing.assert_array_equal(found, distances <= limit[:, None])
    np.testing.assert_array_equal(last, distances[row, column] == limit[row])


def test_one_column():
    smaller, equal = ranks(np.array([[-1.0]]), np.array([0]), np.array([0]))
    assert (smaller[0], equal[0]) == (0, 1)


@given(st.lists(st.integers(0, 4), max_size=6), st.integers(0, 50))
def test_ragged_is_the_concatenated_ranges(lengths, start):
    starts = [start + 7 * i for i in range(len(lengths))]
    index, owner = ragged(np.array(starts, dtype=int), np.array(lengths, dtype=int))
    expected = [(s + j, i) for i, (s, n) in enumerate(zip(starts, lengths, strict=True)) for j in range(n)]
    assert list(zip(index.tolist(), owner.tolist(), strict=True)) == expected
