from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import c_measure, kruskal_shepard


def plain_kruskal_shepard(x, best, lattice_distances):
    n = len(x)
    data = [[math.dist(a, b) for b in x] for a in x]
    on_map = [[lattice_distances[a][b] for b in best] for a in best]
    most, most_map = max(map(max, data)), max(map(max, on_map))
    total = 0.0
    for i in range(n):
        for j in range(n):
            if i != j:
                total += (data[i][j] / most - on_map[i][j] / most_map) ** 2
    return total / (n * n - n)


def plain_c_measure(x, best, lattice_distances):
    n, total = len(x), 0.0
    for i in range(n):
        for j in range(i + 1, n):
            total += math.dist(x[i], x[j]) * lattice_distances[best[i]][best[j]]
    return total


def test_matches_the_plain_loops(make_example, lattice):
    e = make_example(lattice=lattice)
    apart = lattice.distances()
    assert kruskal_shepard(e.x, e.best, apart) == pytest.approx(plain_kruskal_shepard(e.x, e.best, apart))
    assert c_measure(e.x, e.best, apart) == pytest.approx(plain_c_measure(e.x, e.best, apart))


def test_many_blocks_and_float32_agree(make_example, monkeypatch):
    e = make_example(n=97)
    apart = e.lattice.distances()
    error, c = kruskal_shepard(e.x, e.best, apart), c_measure(e.x, e.best, apart)
    monkeypatch.setattr("somscope.measures._arrays._BLOCK_BYTES", 97 * 8 * 10)
    assert kruskal_shepard(e.x, e.best, apart) == pytest.approx(error)
    assert c_measure(e.x, e.best, apart) == pytest.approx(c)
    monkeypatch.setattr("somscope.measures._pairs._EXACT_ITEMS", 0)
    assert kruskal_shepard(e.x, e.best, apart) == pytest.approx(error, rel=1e-5)
    assert c_measure(e.x, e.best, apart) == pytest.approx(c, rel=1e-5)


@given(st.integers(0, 10_000), st.floats(0.01, 100))
def test_order_of_items_symmetry_of_the_lattice_and_scale(make_example, seed, scale):
    e = make_example(seed, lattice=Lattice(4, 4))
    apart = e.lattice.distances()
    error, c = kruskal_shepard(e.x, e.best, apart), c_measure(e.x, e.best, apart)
    p = e.permute_items(np.random.default_rng(seed).permutation(len(e.x)))
    turned = e.renumber_units(np.rot90(np.arange(16).reshape(4, 4)).ravel())
    for x, best in ((p.x, p.best), (e.x, turned.best), (-e.x + 3, e.best)):
        assert kruskal_shepard(x, best, apart) == pytest.approx(error)
        assert c_measure(x, best, apart) == pytest.approx(c)
    assert kruskal_shepard(scale * e.x, e.best, apart) == pytest.approx(error)
    assert c_measure(scale * e.x, e.best, apart) == pytest.approx(scale * c)


def test_items_that_lie_as_their_units_have_no_error():
    lattice = Lattice(4, 5, "hexagonal")
    assert kruskal_shepard(2 * lattice.positions, np.arange(20), lattice.distances()) == pytest.approx(
        0, abs=1e-15
    )


def test_a_maximum_of_zero_makes_its_term_zero():
    apart = Lattice(1, 3).distances()
    assert kruskal_shepard(np.ones((4, 2)), [1, 1, 1, 1], apart) == 0.0
    assert kruskal_shepard([[0.0], [1.0]], [1, 1], apart) == 1.0
    assert kruskal_shepard([[1.0], [1.0]], [0, 2], apart) == 1.0
    assert c_measure([[0.0], [1.0]], [1, 1], apart) == 0.0


def test_sparse_items_give_what_dense_ones_give(make_example):
    e = make_example(d=6)
    x = np.where(np.abs(e.x) < 0.8, 0.0, e.x)
    apart = e.lattice.distances()
    assert kruskal_shepard(sparse.csr_array(x), e.best, apart) == pytest.approx(
        kruskal_shepard(x, e.best, apart)
    )


def test_input_that_cannot_be_used():
    with pytest.raises(InputError, match="at least 2 items"):
        kruskal_shepard([[1.0]], [0], [[0.0]])
    with pytest.raises(InputError, match="lattice_distances has shape"):
        c_measure([[1.0], [2.0]], [0, 0], [0.0])
