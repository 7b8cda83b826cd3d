from __future__ import annotations

import heapq
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import (
    combined_error,
    combined_errors,
    mean_per_unit,
    topographic_error,
    topographic_errors,
)


def plain_topographic_error(best, second, columns, corners):
    errors = 0
    for b, s in zip(best, second, strict=True):
        rows, cols = abs(b // columns - s // columns), abs(b % columns - s % columns)
        near = max(rows, cols) == 1 if corners else rows + cols == 1
        errors += not near
    return errors / len(best)


def plain_combined_error(x, m, best, second, adjacency):
    total = 0.0
    for i in range(len(x)):
        reached, heap = {}, [(0.0, best[i])]
        while heap:
            way, unit = heapq.heappop(heap)
            if unit in reached:
                continue
            reached[unit] = way
            for other in range(len(m)):
                if adjacency[unit][other]:
                    heapq.heappush(heap, (way + math.dist(m[unit], m[other]), other))
        total += math.dist(x[i], m[best[i]]) + reached[second[i]]
    return total / len(x)


@pytest.mark.parametrize(("kind", "corners"), [("4", False), ("8", True)])
def test_topographic_error_matches_the_plain_loop(make_example, kind, corners):
    e = make_example(n=60, lattice=Lattice(4, 5))
    expected = plain_topographic_error(e.best, e.second, 5, corners)
    assert topographic_error(e.best, e.second, e.lattice.adjacency(kind)) == expected
    assert 0 < expected < 1


def test_combined_error_matches_the_plain_loop(make_example, lattice):
    e = make_example(lattice=lattice)
    near = lattice.adjacency()
    assert combined_error(e.distances, e.m, e.best, e.second, near) == pytest.approx(
        plain_combined_error(e.x, e.m, e.best, e.second, near)
    )


def test_a_corner_counts_as_named():
    lattice = Lattice(2, 2)
    assert topographic_error([0], [3], lattice.adjacency("4")) == 1.0
    assert topographic_error([0], [3], lattice.adjacency("8")) == 0.0


def test_a_torus_joins_its_edges():
    assert topographic_error([0], [4], Lattice(1, 5).adjacency()) == 1.0
    assert topographic_error([0], [4], Lattice(1, 5, toroidal=True).adjacency()) == 0.0


def test_errors_of_items_and_of_units(make_example):
    e = make_example()
    near = e.lattice.adjacency("4")
    each = topographic_errors(e.best, e.second, near)
    assert each.mean() == topographic_error(e.best, e.second, near)
    per_unit = mean_per_unit(each, e.best, e.lattice.n_units)
    for unit in range(e.lattice.n_units):
        mine = each[e.best == unit]
        assert per_unit[unit] == pytest.approx(mine.mean()) if len(mine) else np.isnan(per_unit[unit])


@given(st.integers(0, 10_000), st.sampled_from(["flip", "flop", "turn"]), st.floats(0.01, 100))
def test_symmetries_of_the_lattice_and_scale(make_example, seed, move, scale):
    lattice = Lattice(4, 4)
    e = make_example(seed, lattice=lattice)
    units = np.arange(16).reshape(4, 4)
    new = {"flip": units[::-1], "flop": units[:, ::-1], "turn": np.rot90(units)}[move].ravel()
    t = e.renumber_units(new)
    for kind in ("4", "8"):
        near = lattice.adjacency(kind)
        assert topographic_error(t.best, t.second, near) == topographic_error(e.best, e.second, near)
        error = combined_error(e.distances, e.m, e.best, e.second, near)
        assert combined_error(t.distances, t.m, t.best, t.second, near) == pytest.approx(error)
        scaled = combined_error(scale * e.distances, scale * e.m, e.best, e.second, near)
        assert scaled == pytest.approx(scale * error)


def test_combined_error_between_neighbours_is_the_direct_way():
    near = Lattice(1, 3).adjacency()
    errors = combined_errors([1.0, 0.0], [[0.0], [2.0], [3.0]], [0, 0], [1, 2], near)
    np.testing.assert_allclose(errors, [3.0, 3.0])


def test_equal_prototypes_make_a_way_of_no_length():
    near = Lattice(1, 4).adjacency()
    assert combined_error([0.5], np.ones((4, 2)), [0], [3], near) == 0.5


def test_one_unit_is_its_own_second():
    assert topographic_error([0, 0], [0, 0], [[False]]) == 0.0
    assert combined_error([2.0], [[1.0]], [0], [0], [[False]]) == 2.0


def test_agrees_with_minisom(make_example):
    minisom = pytest.importorskip("minisom", reason="MiniSom is not installed")
    e = make_example(lattice=Lattice(4, 5), n=80)
    peer = minisom.MiniSom(4, 5, 3)
    peer._weights = e.m.reshape(4, 5, 3)
    assert topographic_error(e.best, e.second, e.lattice.adjacency("8")) == pytest.approx(
        peer.topographic_error(e.x)
    )
    assert e.distances.mean() == pytest.approx(peer.quantization_error(e.x))


@pytest.mark.parametrize(
    ("best", "second", "adjacency", "message"),
    [
        ([0], [1], np.zeros((2, 3)), r"\(units, units\)"),
        ([0], [1], np.ones((2, 2)), "its own neighbour"),
        ([0], [1], np.triu(np.ones((2, 2)), 1), "symmetric"),
        ([0], [2], Lattice(1, 2).adjacency(), r"second\[0\] is 2; allowed: units 0 to 1"),
        ([0, 1], [1], Lattice(1, 2).adjacency(), "second has 1 entries but there are 2 items"),
        ([], [], Lattice(1, 2).adjacency(), "at least one"),
    ],
)
def test_input_that_cannot_be_used(best, second, adjacency, message):
    with pytest.raises(InputError, match=message):
        topographic_error(best, second, adjacency)


def test_combined_error_refuses_units_with_no_way_between_them():
    with pytest.raises(InputError, match="units 0 and 1 are not connected"):
        combined_error([1.0], [[0.0], [1.0]], [0], [1], np.zeros((2, 2), dtype=bool))
    with pytest.raises(InputError, match="negative"):
        combined_error([-1.0], [[0.0], [1.0]], [0], [1], Lattice(1, 2).adjacency())
