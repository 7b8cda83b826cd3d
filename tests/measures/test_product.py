from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import topographic_product


def plain_topographic_product(m, lattice_distances):
    """Bauer & Pawelzik's formula for distances without ties."""
    k_units = len(m)
    total = 0.0
    for j in range(k_units):
        others = [i for i in range(k_units) if i != j]
        by_map = sorted(others, key=lambda i: lattice_distances[j][i])
        by_data = sorted(others, key=lambda i: math.dist(m[j], m[i]))
        product = 1.0
        for k in range(1, k_units):
            a, v = by_map[k - 1], by_data[k - 1]
            q1 = math.dist(m[j], m[a]) / math.dist(m[j], m[v])
            q2 = lattice_distances[j][a] / lattice_distances[j][v]
            product *= q1 * q2
            total += math.log(product ** (1 / (2 * k)))
    return total / (k_units * (k_units - 1))


def plain_with_ties(m, lattice_distances):
    """The same, averaged over every order of the units, which takes ties in every possible order."""
    k_units = len(m)
    total, orders = 0.0, 0
    for order in itertools.permutations(range(k_units)):
        shuffled = [m[i] for i in order]
        steps = [[lattice_distances[i][j] for j in order] for i in order]
        total += plain_topographic_product(shuffled, steps)
        orders += 1
    return total / orders


def test_matches_the_plain_loop_without_ties():
    rng = np.random.default_rng(0)
    m, places = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
    apart = np.linalg.norm(places[:, None] - places, axis=2)
    assert topographic_product(m, apart) == pytest.approx(plain_topographic_product(m, apart))


@pytest.mark.parametrize("lattice", [Lattice(2, 3), Lattice(1, 5), Lattice(1, 5, toroidal=True)], ids=str)
def test_ties_are_the_average_over_all_orders(lattice):
    m = np.random.default_rng(1).normal(size=(lattice.n_units, 2))
    apart = lattice.distances()
    assert topographic_product(m, apart) == pytest.approx(plain_with_ties(m, np.round(apart, 9)))


def test_ties_among_prototypes_are_averaged_too():
    m = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, 0.0]])
    apart = Lattice(1, 5).distances()
    assert topographic_product(m, apart) == pytest.approx(plain_with_ties(m, apart))


@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_does_not_depend_on_how_units_are_numbered_nor_on_scale(make_example, seed, scale):
    e = make_example(seed, lattice=Lattice(4, 3, "hexagonal"))
    value = topographic_product(e.m, e.lattice.distances())
    order = np.random.default_rng(seed).permutation(12)
    assert topographic_product(e.m[order], e.lattice.distances()[np.ix_(order, order)]) == pytest.approx(
        value
    )
    assert topographic_product(scale * e.m, e.lattice.distances()) == pytest.approx(value)


@pytest.mark.parametrize("lattice", [Lattice(6, 6), Lattice(1, 9), Lattice(6, 5, "hexagonal")], ids=str)
def test_is_zero_when_the_prototypes_lie_as_the_lattice(lattice):
    assert topographic_product(3.0 * lattice.positions, lattice.distances()) == pytest.approx(0.0, abs=1e-12)


def test_sign_tells_a_map_of_too_few_dimensions():
    """A chain folded to fill a square has too few dimensions; its product is below 0."""
    square = Lattice(6, 6).positions
    snake = np.concatenate([square[i * 6 : i * 6 + 6][:: 1 if i % 2 == 0 else -1] for i in range(6)])
    assert topographic_product(snake, Lattice(1, 36).distances()) < -0.01


def test_coinciding_prototypes_give_a_finite_number():
    m = np.array([[0.0], [0.0], [1.0], [3.0]])
    apart = Lattice(1, 4).distances()
    assert np.isfinite(topographic_product(m, apart))
    near = np.array([[0.0], [1.0], [1.0 + 1e-13], [3.0]])
    assert np.isfinite(topographic_product(near, apart))


def test_two_units_have_one_order():
    assert topographic_product([[0.0], [5.0]], Lattice(1, 2).distances()) == 0.0


@pytest.mark.parametrize(
    ("m", "apart", "message"),
    [
        ([[1.0]], [[0.0]], "at least 2 units"),
        (np.ones((3, 2)), Lattice(1, 3).distances(), "all prototypes are equal"),
        ([[0.0], [1.0]], np.zeros((2, 2)), "lattice distance 0"),
        ([[0.0], [1.0]], np.zeros((3, 3)), "lattice_distances has shape"),
        ([[0.0], [1.0]], -np.ones((2, 2)), "negative"),
    ],
)
def test_input_that_cannot_be_used(m, apart, message):
    with pytest.raises(InputError, match=message):
        topographic_product(m, apart)
