from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import topographic_function

INFINITE = 10**9


def plain_topographic_function(best, second, rows, columns, toroidal, k):
    """Villmann et al. for a rectangular lattice, positions compared one by one."""
    n_units = rows * columns

    def offsets(i, j):
        down, across = abs(i // columns - j // columns), abs(i % columns - j % columns)
        return (min(down, rows - down), min(across, columns - across)) if toroidal else (down, across)

    linked = {(b, s) for b, s in zip(best, second, strict=True)} | {
        (s, b) for b, s in zip(best, second, strict=True)
    }

    def steps_in_graph(i, j):
        front, seen, length = {i}, {i}, 0
        while front:
            if j in front:
                return length
            front = {b for a in front for b in range(n_units) if (a, b) in linked} - seen
            seen |= front
            length += 1
        return INFINITE

    def f(i, k):
        if k > 0:
            return sum(max(offsets(i, j)) > k and steps_in_graph(i, j) == 1 for j in range(n_units))
        return sum(sum(offsets(i, j)) == 1 and steps_in_graph(i, j) > -k for j in range(n_units))

    if k == 0:
        return sum(f(i, 1) + f(i, -1) for i in range(n_units)) / n_units
    return sum(f(i, k) for i in range(n_units)) / n_units


@pytest.mark.parametrize("lattice", [Lattice(3, 4), Lattice(4, 4, toroidal=True), Lattice(1, 6)], ids=str)
def test_matches_the_plain_loops(make_example, lattice):
    e = make_example(lattice=lattice, n=25)
    result = topographic_function(e.best, e.second, lattice.steps("8"), lattice.adjacency("4"))
    for k, value in zip(result.k, result.values, strict=True):
        expected = plain_topographic_function(
            e.best, e.second, lattice.rows, lattice.columns, lattice.toroidal, int(k)
        )
        assert value == pytest.approx(expected), k


def _one_item_per_edge(lattice, kind):
    edges = lattice.edges(kind)
    return edges[:, 0], edges[:, 1]


def test_is_zero_when_data_and_lattice_have_the_same_neighbours():
    for lattice, kind in ((Lattice(3, 4), "4"), (Lattice(4, 4, "hexagonal", toroidal=True), "hexagonal")):
        best, second = _one_item_per_edge(lattice, kind)
        steps = lattice.steps("8" if kind == "4" else kind)
        assert not topographic_function(best, second, steps, lattice.adjacency(kind)).values.any()


def test_a_tear_shows_on_the_positive_side():
    lattice = Lattice(1, 5)
    best, second = _one_item_per_edge(lattice, "4")
    result = topographic_function([*best, 0], [*second, 4], lattice.steps("8"), lattice.adjacency("4"))
    np.testing.assert_allclose(result.values, [0, 0, 0, 0, 0.4, 0.4, 0.4, 0.4, 0])


def test_hexagonal_tear():
    lattice = Lattice(4, 4, "hexagonal")
    best, second = _one_item_per_edge(lattice, "hexagonal")
    result = topographic_function(
        [*best, 0], [*second, 15], lattice.steps("hexagonal"), lattice.adjacency("hexagonal")
    )
    reach = lattice.steps("hexagonal")[0, 15]
    assert result.values[result.k > 0].tolist() == [
        2 / 16 if k < reach else 0.0 for k in result.k[result.k > 0]
    ]


def test_normalised_on_a_torus_is_villmanns_factor(make_example):
    lattice = Lattice(5, 6, toroidal=True)
    e = make_example(lattice=lattice, n=50)
    plain = topographic_function(e.best, e.second, lattice.steps("8"), lattice.adjacency("4"))
    scaled = topographic_function(
        e.best, e.second, lattice.steps("8"), lattice.adjacency("4"), normalise=True
    )
    positive = plain.k > 0
    # 1 / (K (K - 9)) sum_i f_i(k)
    np.testing.assert_allclose(scaled.values[positive], plain.values[positive] / (30 - 9))
    np.testing.assert_allclose(scaled.values[plain.k < 0], plain.values[plain.k < 0] / 4)


@given(st.integers(0, 10_000), st.booleans())
def test_falls_on_both_sides_and_ignores_item_order(make_example, seed, normalise):
    e = make_example(seed)
    p = e.permute_items(np.random.default_rng(seed).permutation(len(e.x)))
    steps, near = e.lattice.steps("8"), e.lattice.adjacency("4")
    result = topographic_function(e.best, e.second, steps, near, normalise)
    np.testing.assert_array_equal(
        result.values, topographic_function(p.best, p.second, steps, near, normalise).values
    )
    assert (np.diff(result.values[result.k > 0]) <= 0).all()
    assert (np.diff(result.values[result.k < 0]) >= 0).all()
    assert result.values[result.k == 0] == pytest.approx(result.values[np.abs(result.k) == 1].sum())
    if normalise:
        assert result.values[result.k != 0].max() <= 1.0


def test_one_unit():
    assert not topographic_function([0], [0], [[0]], [[False]], normalise=True).values.any()


def test_steps_and_adjacency_must_belong_together():
    lattice = Lattice(2, 2)
    with pytest.raises(InputError, match="1 step apart"):
        topographic_function([0], [1], lattice.steps("4"), lattice.adjacency("8"))
    with pytest.raises(InputError, match="steps has shape"):
        topographic_function([0], [1], np.zeros((3, 3)), lattice.adjacency("8"))
