from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from somscope.errors import InputError
from somscope.measures import (
    accuracy,
    adjusted_mutual_information,
    adjusted_rand_index,
    completeness,
    contingency,
    homogeneity,
    nmi,
    purity,
)

ALL = [
    purity,
    accuracy,
    lambda y, c: nmi(y, c, average="arithmetic"),
    lambda y, c: nmi(y, c, average="geometric"),
    adjusted_rand_index,
    adjusted_mutual_information,
    homogeneity,
    completeness,
]
IDS = ["purity", "accuracy", "nmi_arithmetic", "nmi_geometric", "ari", "ami", "homogeneity", "completeness"]

pairs = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        st.lists(st.integers(0, 4), min_size=n, max_size=n),
        st.lists(st.integers(0, 6), min_size=n, max_size=n),
    )
)


def plain_purity(y, c):
    right = 0
    for cluster in set(c):
        mine = [a for a, b in zip(y, c, strict=True) if b == cluster]
        right += max(mine.count(label) for label in set(mine))
    return right / len(y)


def plain_accuracy(y, c):
    labels, clusters = sorted(set(y)), sorted(set(c))
    if len(labels) > len(clusters):
        y, c, labels, clusters = c, y, clusters, labels
    best = 0
    for chosen in itertools.permutations(clusters, len(labels)):
        match = dict(zip(labels, chosen, strict=True))
        best = max(best, sum(match[a] == b for a, b in zip(y, c, strict=True)))
    return best / len(y)


def plain_information(y, c):
    n = len(y)
    entropy = [-sum(v.count(a) / n * math.log(v.count(a) / n) for a in set(v)) for v in (y, c)]
    both = list(zip(y, c, strict=True))
    shared = 0.0
    for a, b in set(both):
        p = both.count((a, b)) / n
        shared += p * math.log(p / (y.count(a) / n * c.count(b) / n))
    return shared, *entropy


@given(pairs)
def test_purity_and_accuracy_match_the_plain_loops(both):
    y, c = both
    assert purity(y, c) == pytest.approx(plain_purity(y, c))
    assert accuracy(y, c) == pytest.approx(plain_accuracy(y, c))


@given(pairs)
def test_information_matches_the_plain_loops(both):
    y, c = both
    shared, of_y, of_c = plain_information(y, c)
    if shared > 1e-9:
        assert nmi(y, c, average="arithmetic") == pytest.approx(2 * shared / (of_y + of_c))
        assert nmi(y, c, average="geometric") == pytest.approx(shared / math.sqrt(of_y * of_c))
    assert homogeneity(y, c) == pytest.approx(shared / of_y if of_y > 1e-12 else 1.0, abs=1e-12)
    assert completeness(y, c) == pytest.approx(shared / of_c if of_c > 1e-12 else 1.0, abs=1e-12)


@given(pairs)
def test_agree_with_scikit_learn(both):
    y, c = both
    for average in ("arithmetic", "geometric"):
        expected = metrics.normalized_mutual_info_score(y, c, average_method=average)
        assert nmi(y, c, average=average) == pytest.approx(expected, abs=1e-9)
    assert adjusted_rand_index(y, c) == pytest.approx(metrics.adjusted_rand_score(y, c))
    assert adjusted_mutual_information(y, c) == pytest.approx(
        metrics.adjusted_mutual_info_score(y, c), abs=1e-7
    )
    assert homogeneity(y, c) == pytest.approx(metrics.homogeneity_score(y, c), abs=1e-9)
    assert completeness(y, c) == pytest.approx(metrics.completeness_score(y, c), abs=1e-9)


@pytest.mark.parametrize("measure", ALL, ids=IDS)
@given(pairs, st.integers(0, 1000))
def test_names_and_order_do_not_matter_and_unlabelled_items_are_left_out(measure, both, seed):
    y, c = np.array(both[0]), np.array(both[1])
    value = measure(y, c)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    assert measure(rng.permutation(5)[y[order]], 10**12 * rng.permutation(7)[c[order]]) == pytest.approx(
        value
    )
    assert measure(np.r_[y, -1, -1], np.r_[c, 0, 99]) == pytest.approx(value)
    assert value <= 1.0


@pytest.mark.parametrize("measure", ALL, ids=IDS)
def test_equal_partitions_have_one(measure):
    assert measure([0, 0, 1, 2, 2], [5, 5, 9, 1, 1]) == pytest.approx(1.0)
    assert measure([3], [0]) == 1.0
    assert measure([1, 1], [2, 2]) == 1.0


def test_more_clusters_than_labels_and_the_reverse():
    assert accuracy([0, 0, 1, 1], [0, 1, 2, 3]) == 0.5
    assert accuracy([0, 1, 2, 3], [0, 0, 1, 1]) == 0.5
    assert purity([0, 0, 1, 1], [0, 1, 2, 3]) == 1.0


def test_contingency():
    np.testing.assert_array_equal(contingency([0, 0, 4, -1], [7, 2, 2, 3]), [[1, 1], [1, 0]])


def test_large_counts_do_not_overflow():
    n = 300_000
    y, c = np.arange(n) % 2, np.arange(n) % 4
    assert adjusted_rand_index(y, c) == pytest.approx(metrics.adjusted_rand_score(y, c))
    assert nmi(y, c, average="geometric") == pytest.approx(math.sqrt(0.5))


def test_the_average_must_be_named():
    with pytest.raises(TypeError):
        nmi([0, 1], [0, 1])
    with pytest.raises(InputError, match="average='max' is not known; allowed: arithmetic, geometric"):
        nmi([0, 1], [0, 1], average="max")


@pytest.mark.parametrize("measure", ALL, ids=IDS)
@pytest.mark.parametrize(
    ("y", "c", "message"),
    [
        ([0, 1], [0], "clusters has 1 entries but there are 2 items"),
        ([-1, -1], [0, 1], "no item has a label"),
        ([0, 1], [0, -1], "every item must have a cluster"),
        ([0, -3], [0, 1], r"labels\[1\] is -3"),
        ([], [], "at least one"),
        ([0.5, 1.0], [0, 1], "integers"),
    ],
)
def test_input_that_cannot_be_used(measure, y, c, message):
    with pytest.raises(InputError, match=message):
        measure(y, c)


def test_a_class_for_every_item_takes_memory_by_items():
    import tracemalloc

    labels, clusters = np.arange(20_000), np.arange(20_000) % 4_000
    tracemalloc.start()
    found = purity(labels, clusters), accuracy(labels, clusters), homogeneity(labels, clusters)
    (
        completeness(labels, clusters),
        nmi(labels, clusters, average="geometric"),
        adjusted_rand_index(labels, clusters),
    )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == (0.2, 0.2, pytest.approx(math.log(4_000) / math.log(20_000)))
    assert peak < 20e6, "the table of 20,000 classes x 4,000 clusters has 640 MB"


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 12))
def test_accuracy_is_the_best_assignment(seed, classes, clusters):
    from scipy.optimize import linear_sum_assignment

    rng = np.random.default_rng(seed)
    y, c = rng.integers(0, classes, 60), rng.integers(0, clusters, 60)
    table = contingency(y, c)
    assert accuracy(y, c) == table[linear_sum_assignment(table, maximize=True)].sum() / 60


def test_one_cluster_shares_nothing_whatever_rounding_leaves() -> None:
    for n in range(30, 90, 3):
        labels = np.arange(n) % 3
        for average in ("arithmetic", "geometric"):
            assert nmi(labels, np.zeros(n, int), average=average) == 0.0
