"""Groups of units by the items that lie between them, against modularity as it is defined."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.maps.units import cluster_units, group_units


def modularity(w, groups):
    """Newman & Girvan (2004), equation 5: from the matrix of shares of links between groups."""
    kinds = sorted(set(groups))
    e = np.array([[w[np.ix_(groups == a, groups == b)].sum() for b in kinds] for a in kinds]) / w.sum()
    return np.trace(e) - (e @ e).sum()


def greedily(nearest, lattice, n_groups):
    """The best of all merges of neighbours, again and again, each judged by the modularity of all groups."""
    near, k = lattice.adjacency(), lattice.n_units
    w = np.zeros((k, k))
    for best, second in nearest:
        w[best, second] += 1
        w[second, best] += 1
    groups = np.arange(k)
    while len(set(groups)) > n_groups:
        merged = [
            np.where(groups == b, a, groups)
            for a, b in combinations(sorted(set(groups)), 2)
            if near[np.ix_(groups == a, groups == b)].any()
        ]
        groups = max(merged, key=lambda choice: modularity(w, choice))
    return groups


def between_units(lattice, n=4000, seed=0):
    """Items whose second unit is mostly, but not always, a neighbour of the best; every unit has some."""
    rng = np.random.default_rng(seed)
    k = lattice.n_units
    weights = rng.gamma(0.5, size=(k, k)) * np.where(lattice.adjacency(), 1.0, 0.05) + 1e-3 * (1 - np.eye(k))
    np.fill_diagonal(weights, 0)
    cells = rng.choice(k * k, n, p=(weights / weights.sum()).ravel())
    return np.concatenate(
        [np.stack(np.divmod(cells, k), 1), np.stack([np.arange(k), np.roll(np.arange(k), 1)], 1)]
    )


@pytest.mark.parametrize("n_groups", [2, 4, 9])
@pytest.mark.parametrize(
    "lattice", [Lattice(3, 5), Lattice(4, 3, "hexagonal", True), Lattice(1, 10)], ids=str
)
def test_each_merge_is_the_best_for_modularity_among_neighbours(lattice, n_groups):
    nearest = between_units(lattice)
    got = group_units(nearest, np.zeros((lattice.n_units, 2)), lattice, n_groups)
    assert got[0] == 0
    assert set(got) == set(range(n_groups))
    assert adjusted_rand_score(greedily(nearest, lattice, n_groups), got) == 1.0
    shuffled = np.random.default_rng(1).permutation(nearest)
    np.testing.assert_array_equal(group_units(shuffled, np.zeros((len(got), 2)), lattice, n_groups), got)


def test_units_are_parted_where_few_items_lie_between_not_where_prototypes_are_far():
    """Two classes on a line: units are evenly far apart within the wide one, and near where the two meet."""
    lattice = Lattice(1, 8)
    prototypes = np.array([0.0, 3.0, 6.0, 9.0, 12.0, 13.0, 14.0, 15.0])[:, None]
    truth = np.array([0, 0, 0, 0, 0, 1, 1, 1])
    counts = {(0, 1): 90, (1, 2): 90, (2, 3): 90, (3, 4): 90, (4, 5): 3, (5, 6): 90, (6, 7): 90}
    nearest = np.array([pair[::side] for pair, n in counts.items() for side in (1, -1) for _ in range(n)])
    hits = np.bincount(nearest[:, 0], minlength=8)
    assert not np.array_equal(cluster_units(prototypes, lattice, 2, hits), truth)
    assert adjusted_rand_score(cluster_units(prototypes, lattice, 2, hits), truth) < 0.6
    np.testing.assert_array_equal(group_units(nearest, prototypes, lattice, 2), truth)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    rows=st.integers(1, 4),
    columns=st.integers(2, 4),
    n=st.integers(1, 40),
    data=st.data(),
)
def test_there_are_as_many_groups_as_asked_for_each_in_one_piece_and_none_without_items(
    seed, rows, columns, n, data
):
    lattice, rng = Lattice(rows, columns), np.random.default_rng(seed)
    k = lattice.n_units
    n_groups = data.draw(st.integers(1, k))
    best = rng.integers(0, k, n)
    nearest = np.stack([best, (best + rng.integers(1, k, n)) % k], 1)
    groups = group_units(nearest, rng.normal(size=(k, 3)), lattice, n_groups)
    assert set(groups) == set(range(n_groups))
    near = lattice.adjacency()
    for group in range(n_groups):
        members = np.flatnonzero(groups == group)
        reached = {members[0]}
        for _ in members:
            reached |= {m for m in members if near[m, list(reached)].any()}
        assert reached == set(members)
    living = np.unique(best)
    if 2 <= n_groups <= len(living):
        assert set(groups[living]) == set(range(n_groups))


@pytest.mark.parametrize("n_groups", [0, 7, 2.5])
def test_numbers_of_groups_that_no_map_has(n_groups):
    with pytest.raises(InputError, match="allowed: 1 to 6"):
        group_units(np.array([[0, 1]]), np.zeros((6, 2)), Lattice(2, 3), n_groups)
