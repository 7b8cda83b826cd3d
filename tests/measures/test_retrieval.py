"""Retrieval scores against the mean over every order that ties allow, one by one."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from somscope.errors import InputError
from somscope.measures.retrieval import (
    DistanceCounts,
    average_precision,
    distance_counts,
    grouped_average_precision,
    precision_at,
)

# Up to six items: (distance, relevant); 720 orders at most.
LISTS = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6)


def orders(items: list[tuple[int, bool]]) -> list[list[tuple[int, bool]]]:
    """Every order of the items that is sorted by distance, each as often as the others."""
    found = [[items[i] for i in p] for p in permutations(range(len(items)))]
    return [order for order in found if [d for d, _ in order] == sorted(d for d, _ in order)]


def counts(items: list[tuple[int, bool]]) -> DistanceCounts:
    both = np.zeros((2, 1, 4), dtype=np.int64)
    for distance, relevant in items:
        both[0, 0, distance] += 1
        both[1, 0, distance] += relevant
    return DistanceCounts(*both)


def plain_precision(relevant: list[bool]) -> float:
    """AP with the hits found as divisor."""
    at = [sum(relevant[: i + 1]) / (i + 1) for i, hit in enumerate(relevant) if hit]
    return sum(at) / len(at) if at else 0.0


@given(LISTS, st.data())
def test_every_score_is_the_mean_over_all_orders_of_ties(
    items: list[tuple[int, bool]], data: st.DataObject
) -> None:
    k = data.draw(st.integers(1, len(items)))
    heads = [order[:k] for order in orders(items)]
    found = counts(items)
    plain = [[hit for _, hit in head] for head in heads]
    assert precision_at(found, k)[0] == pytest.approx(np.mean([sum(hits) / k for hits in plain]))
    assert average_precision(found, k)[0] == pytest.approx(np.mean([plain_precision(hits) for hits in plain]))
    authors = [
        average_precision_score([hit for _, hit in head], [-d for d, _ in head])
        if any(h for _, h in head)
        else 0.0
        for head in heads
    ]
    assert grouped_average_precision(found, k)[0] == pytest.approx(np.mean(authors))


def test_all_items_are_the_default() -> None:
    found = counts([(0, True), (1, False), (1, True), (3, True)])
    assert average_precision(found) == average_precision(found, 4)


@given(st.integers(1, 30), st.integers(1, 3), st.integers(0, 10**6))
def test_counts_are_those_of_a_loop(n: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    x, q = (random.integers(256, size=(m, width), dtype=np.uint8) for m in (n, 4))
    labels = random.integers(3, size=n), random.integers(3, size=4)
    found = distance_counts(q, x, labels[1], labels[0])
    expected = np.zeros((2, 4, 8 * width + 1), dtype=np.int64)
    for i in range(4):
        for j in range(n):
            distance = sum((int(a) ^ int(b)).bit_count() for a, b in zip(q[i], x[j], strict=True))
            expected[0, i, distance] += 1
            expected[1, i, distance] += labels[1][i] == labels[0][j]
    assert np.array_equal(found.items, expected[0])
    assert np.array_equal(found.relevant, expected[1])


def test_large_groups_of_ties_keep_their_precision() -> None:
    """One group of 50,000 items: the chance of each place is the share of relevant ones."""
    found = DistanceCounts(np.array([[50_000, 0]]), np.array([[5_000, 0]]))
    assert precision_at(found, 1000)[0] == pytest.approx(0.1)
    random = np.random.default_rng(0)
    relevant = np.arange(50_000) < 5_000
    drawn = [plain_precision(random.permutation(relevant)[:1000].tolist()) for _ in range(300)]
    error = np.std(drawn) / np.sqrt(len(drawn))
    assert average_precision(found, 1000)[0] == pytest.approx(np.mean(drawn), abs=4 * error)
    assert grouped_average_precision(found, 1000)[0] == pytest.approx(0.1)


def test_perfect_and_useless_codes() -> None:
    labels = np.repeat(np.arange(4), 50)
    codes = (labels[:, None] * 85).astype(np.uint8)
    perfect = distance_counts(codes, codes, labels, labels)
    assert average_precision(perfect) == pytest.approx(np.ones(200))
    assert precision_at(perfect, 50) == pytest.approx(np.ones(200))
    useless = distance_counts(codes * 0, codes * 0, labels, labels)
    assert precision_at(useless, 50) == pytest.approx(np.full(200, 0.25))


@pytest.mark.parametrize("k", [0, 5, True, 1.5])
def test_places_that_are_not_there_are_refused(k: object) -> None:
    for score in (precision_at, average_precision, grouped_average_precision):
        with pytest.raises(InputError, match="allowed: 1 to 4"):
            score(counts([(0, True)] * 4), k)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros((2, 1)), np.zeros((2, 1), np.uint8), [0, 0], [0, 0]), "queries have shape"),
        ((np.zeros((2, 1), np.uint8), np.zeros((0, 1), np.uint8), [0, 0], []), "database have shape"),
        (
            (np.zeros((2, 1), np.uint8), np.zeros((2, 2), np.uint8), [0, 0], [0, 0]),
            "1 bytes each and the database 2",
        ),
        ((np.zeros((2, 1), np.uint8), np.zeros((2, 1), np.uint8), [0], [0, 0]), "labels of shapes"),
    ],
)
def test_codes_that_do_not_fit_are_refused(arguments: tuple[object, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        distance_counts(*arguments)
