from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.measures import class_components, class_scatter_index


def plain_class_components(labels, best, adjacency, min_share):
    regions = []
    for c in range(max(labels) + 1):
        mine = [b for b, y in zip(best, labels, strict=True) if y == c]
        counts = {u: mine.count(u) for u in set(mine)}
        most = max(counts.values(), default=0)
        left = {u for u, count in counts.items() if count / len(mine) >= min_share or count == most}
        found = 0
        while left:
            found += 1
            front = {left.pop()}
            while front:
                front = {v for u in front for v in left if adjacency[u][v]}
                left -= front
        regions.append(found)
    return regions


@pytest.mark.parametrize("min_share", [0.0, 0.1, 0.25, 1.0])
def test_matches_the_plain_loop(make_example, lattice, min_share):
    e = make_example(lattice=lattice, n=50, classes=4)
    near = lattice.adjacency()
    expected = plain_class_components(e.labels.tolist(), e.best.tolist(), near, min_share)
    assert class_components(e.labels, e.best, near, min_share).tolist() == expected
    assert class_scatter_index(e.labels, e.best, near, min_share) == pytest.approx(np.mean(expected))


def test_one_stray_item_makes_a_region_unless_a_share_is_asked_for():
    near = Lattice(1, 9).adjacency()
    labels, best = [0] * 21, [0] * 20 + [8]
    assert class_scatter_index(labels, best, near) == 2.0
    assert class_scatter_index(labels, best, near, min_share=0.1) == 1.0


def test_a_share_just_reached_counts():
    near = Lattice(1, 5).adjacency()
    assert class_scatter_index([0] * 100, [0] * 93 + [4] * 7, near, min_share=0.07) == 2.0


def test_a_class_spread_thinner_than_the_share_keeps_its_fullest_units():
    near = Lattice(1, 5).adjacency()
    assert class_components([0] * 5, [0, 0, 2, 3, 4], near, min_share=0.9).tolist() == [1]


def test_corners_join_regions_only_when_they_are_neighbours():
    lattice = Lattice(2, 2)
    assert class_scatter_index([0, 0], [0, 3], lattice.adjacency("4")) == 2.0
    assert class_scatter_index([0, 0], [0, 3], lattice.adjacency("8")) == 1.0


def test_unlabelled_items_and_absent_classes_are_left_out():
    near = Lattice(1, 5).adjacency()
    assert class_components([0, -1, 2], [0, 4, 3], near).tolist() == [1, 0, 1]
    assert class_scatter_index([0, -1, 2], [0, 4, 3], near) == 1.0


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_order_of_items_and_symmetry_of_the_lattice(make_example, seed, share):
    e = make_example(seed, lattice=Lattice(4, 4))
    near = e.lattice.adjacency("4")
    index = class_scatter_index(e.labels, e.best, near, share)
    p = e.permute_items(np.random.default_rng(seed).permutation(len(e.x)))
    turned = e.renumber_units(np.rot90(np.arange(16).reshape(4, 4)).ravel())
    assert class_scatter_index(p.labels, p.best, near, share) == index
    assert class_scatter_index(turned.labels, turned.best, near, share) == index
    assert index >= 1.0


@pytest.mark.parametrize(
    ("labels", "share", "message"),
    [
        ([-1, -1], 0.0, "no item has a label"),
        ([0, -2], 0.0, r"labels\[1\] is -2"),
        ([0], 0.0, "labels has 1 entries but there are 2 items"),
        ([0, 1], 1.5, "min_share=1.5; allowed: 0 to 1"),
        (["a", "b"], 0.0, "integers"),
    ],
)
def test_input_that_cannot_be_used(labels, share, message):
    with pytest.raises(InputError, match=message):
        class_scatter_index(labels, [0, 1], Lattice(1, 2).adjacency(), share)


def test_label_numbers_may_be_huge():
    """The cost follows the items: a table of classes x units would not fit into any memory."""
    lattice = Lattice(5, 6)
    rng = np.random.default_rng(0)
    labels, best = rng.integers(0, 4, 200), rng.integers(0, 30, 200)
    huge = np.array([3, 7, 10**12, 2**62])[labels]
    for share in (0.0, 0.2):
        expected = class_scatter_index(labels, best, lattice.adjacency(), share)
        assert class_scatter_index(huge, best, lattice.adjacency(), share) == expected
    with pytest.raises(
        InputError, match="label 4611686018427387904 is no class number; allowed: 0 to 99,999,999"
    ):
        class_components(huge, best, lattice.adjacency())


def test_a_class_for_every_item_takes_memory_by_items():
    import tracemalloc

    n, lattice = 20_000, Lattice(60, 60)
    adjacency = lattice.adjacency()
    tracemalloc.start()
    assert class_scatter_index(np.arange(n), np.arange(n) % 3600, adjacency) == 1.0
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6, "a table of 20,000 classes x 3,600 units has 576 MB"
