"""FPR@95 and the AP of matching, against transcriptions that go through the orders one by one."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.measures import fpr_at_95, matching_average_precision


def transcribed_fpr(same: list[int], different: list[int]) -> float:
    """The least threshold that 95 % pass, tried one after the other."""
    for threshold in range(max(same) + 1):
        if sum(d <= threshold for d in same) >= 0.95 * len(same):
            return sum(d <= threshold for d in different) / len(different)
    raise AssertionError


distances = st.lists(st.integers(0, 12), min_size=1, max_size=60)


@given(distances, distances)
def test_fpr_is_the_transcription(same: list[int], different: list[int]) -> None:
    assert fpr_at_95(same, different) == pytest.approx(transcribed_fpr(same, different))


def test_fpr_of_known_distances() -> None:
    assert fpr_at_95(range(20), [18, 19, 17, 100]) == 0.5  # 19 of 20 pass at 18
    assert fpr_at_95([1, 2], [3, 4]) == 0
    assert fpr_at_95([5, 5], [5, 6]) == 0.5  # what lies at the threshold passes


def transcribed_ap(d: np.ndarray, right: np.ndarray) -> float:
    """The mean over every order of the matches that their distances allow."""
    matches = []
    for row, good in zip(d, right, strict=True):
        nearest = [j for j in range(len(row)) if row[j] == min(row)]
        matches.append((min(row), len(nearest) == 1 and bool(good[nearest[0]])))
    scores = []
    for order in itertools.permutations(matches):
        if any(a[0] > b[0] for a, b in itertools.pairwise(order)):
            continue
        hits, total = 0, 0.0
        for i, (_, hit) in enumerate(order, 1):
            hits += hit
            total += hits / i if hit else 0.0
        scores.append(total / right.any(axis=1).sum())
    return float(np.mean(scores))


@given(st.integers(0, 2**32 - 1))
def test_matching_ap_is_the_mean_over_all_orders(seed: int) -> None:
    random = np.random.default_rng(seed)
    d = random.integers(0, 4, size=(5, 4))
    right = random.random((5, 4)) < 0.4
    right[0, 0] = True
    assert matching_average_precision(d, right) == pytest.approx(transcribed_ap(d, right))


def test_matching_ap_of_the_best_and_the_worst() -> None:
    apart = 1.0 - np.eye(4)
    assert matching_average_precision(apart, np.eye(4)) == 1
    assert matching_average_precision(apart, np.roll(np.eye(4), 1, axis=1)) == 0
    assert matching_average_precision(np.zeros((4, 4)), np.eye(4)) == 0  # nothing is nearest


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(InputError, match="'different'"):
        fpr_at_95([1.0], [])
    with pytest.raises(InputError, match="'same'"):
        fpr_at_95([np.nan], [1.0])
    with pytest.raises(InputError, match="both"):
        matching_average_precision(np.zeros((2, 3)), np.zeros((3, 2)))
    with pytest.raises(InputError, match="no patch has a right match"):
        matching_average_precision(np.zeros((2, 2)), np.zeros((2, 2)))
