"""Relevances against what prototypes decode to: a decoder that is known, and its numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.measures import (
    dimension_effects,
    nearest_items,
    perturbation_ratio,
    perturbed,
    relevance_thirds,
    traversal,
)


def test_a_linear_decoder_gives_the_ratio_of_its_weights() -> None:
    weights = np.array([1.0, 1.0, 2.0, 2.0, 5.0, 5.0])
    prototypes = np.random.default_rng(0).random((7, 6))
    relevances = np.tile([0.1, 0.2, 0.5, 0.6, 0.8, 0.9], (7, 1))
    relevances[6] = 1.0  # never updated
    found = perturbation_ratio(prototypes, relevances, lambda z: z * weights, amount=0.2, draws=3)
    np.testing.assert_allclose(found.least[:6], 0.2 * np.sqrt(2 / 6))
    np.testing.assert_allclose(found.most[:6], 5 * 0.2 * np.sqrt(2 / 6))
    assert np.isnan(found.least[6])
    assert found.ratio == pytest.approx(5.0)
    assert np.isnan(perturbation_ratio(prototypes, np.ones((7, 6)), lambda z: z).ratio)


def test_effects_of_a_linear_decoder_are_its_weights_and_bound_the_ratio() -> None:
    rng = np.random.default_rng(0)
    weights, prototypes = np.array([1.0, 3.0, 2.0, 5.0, 4.0, 2.0]), rng.random((7, 6))
    effects = dimension_effects(prototypes, lambda z: z * weights, amount=0.2)
    np.testing.assert_allclose(effects, np.tile(0.2 * weights / np.sqrt(6), (7, 1)))
    largest = perturbation_ratio(prototypes, effects, lambda z: z * weights).ratio
    for _ in range(20):
        assert perturbation_ratio(prototypes, rng.random((7, 6)), lambda z: z * weights).ratio <= largest


@given(st.integers(0, 1000), st.floats(0.01, 0.5))
def test_all_chosen_dimensions_move_equally_and_stay_inside(seed: int, amount: float) -> None:
    generator = np.random.default_rng(seed)
    start, chosen = generator.random((5, 4)), generator.random((5, 4)) < 0.5
    moved = perturbed(start, chosen, amount, generator)
    np.testing.assert_allclose(abs(moved - start), amount * chosen, atol=1e-12)
    assert ((moved >= 0) & (moved <= 1)).all()


def test_thirds_are_the_ends_of_the_ranking() -> None:
    least, most = relevance_thirds([[0.5, 0.1, 0.9, 0.3], [1.0, 1.0, 1.0, 1.0]])
    assert least.tolist() == [[False, True, False, False], [False] * 4]
    assert most.tolist() == [[False, False, True, False], [False] * 4]
    with pytest.raises(InputError, match=r"at most 0\.5"):
        perturbed(np.ones((1, 2)), np.ones((1, 2)), 0.7, np.random.default_rng(0))


def test_one_dimension_is_walked() -> None:
    values, walked = traversal([0.2, 0.4, 0.6], 1, steps=3)
    assert walked.tolist() == [[0.2, 0.0, 0.6], [0.2, 0.5, 0.6], [0.2, 1.0, 0.6]]
    assert values.tolist() == [0.0, 0.5, 1.0]


def test_the_nearest_items_are_those_of_all_distances() -> None:
    generator = np.random.default_rng(0)
    pictures, items = generator.random((4, 6)), generator.random((50, 6))
    expected = np.argsort([[np.linalg.norm(p - x) for x in items] for p in pictures], axis=1)[:, :10]
    np.testing.assert_array_equal(nearest_items(pictures, items), expected)
    with pytest.raises(InputError, match="1 to 50"):
        nearest_items(pictures, items, 51)
