"""Decays: the formulas, their ends, callables, and what is refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.maps.decay import DECAYS, schedule

FORMULAS = {
    "exponential": lambda t, a, b: a * math.exp(t * math.log(b / a)),
    "linear": lambda t, a, b: a * (1 - t) + b * t,
    "inverse": lambda t, a, b: 1 / ((1 - t) / a + t / b),
    "asymptotic": lambda t, a, b: max(b, a / (1 + 2 * t)),
}


@given(st.sampled_from(DECAYS), st.floats(0.1, 50), st.floats(0.1, 50), st.integers(2, 30))
def test_values_are_those_of_the_formula(decay, start, end, n):
    expected = [FORMULAS[decay](i / (n - 1), start, end) for i in range(n)]
    np.testing.assert_allclose(schedule(decay, start, end, n), expected, rtol=1e-9)


@pytest.mark.parametrize("decay", ["exponential", "linear", "inverse"])
def test_a_decay_begins_and_ends_where_it_was_told(decay):
    values = schedule(decay, 8.0, 0.5, 12)
    assert values[0] == 8.0
    assert values[-1] == pytest.approx(0.5)
    assert (np.diff(values) < 0).all()


@pytest.mark.parametrize("decay", DECAYS)
def test_one_pass_is_made_at_the_last_value(decay):
    assert schedule(decay, 1.2, 0.5, 1) == pytest.approx([0.5])


def test_a_function_is_called_with_time_start_and_end():
    values = schedule(lambda t, start, end: end + (start - end) * (1 - t) ** 2, 4.0, 1.0, 5)
    np.testing.assert_allclose(values, [1 + 3 * (1 - t) ** 2 for t in (0, 0.25, 0.5, 0.75, 1)])


def test_linear_reaches_0_and_starts_from_0():
    assert schedule("linear", 3.0, 0.0, 4).tolist() == [3.0, 2.0, 1.0, 0.0]
    for decay in DECAYS:
        assert schedule(decay, 0.0, 0.0, 3).tolist() == [0.0, 0.0, 0.0]


def test_what_no_schedule_can_be_made_of_is_refused():
    with pytest.raises(
        InputError, match="decay of the radius='cosine' is not known; allowed: exponential, linear"
    ):
        schedule("cosine", 1, 0.5, 3, "radius")
    for decay in ("exponential", "inverse"):
        with pytest.raises(InputError, match="never reaches 0"):
            schedule(decay, 1, 0, 3)
    for ends in [(-1, 1), (1, -1), (math.nan, 1), (1, math.inf)]:
        with pytest.raises(InputError, match="finite and 0 or more"):
            schedule("linear", *ends, 3)
    for bad in (-1.0, math.nan, math.inf):
        with pytest.raises(InputError, match="must stay finite"):
            schedule(lambda t, a, b, bad=bad: bad, 1, 0.5, 3)


@pytest.mark.parametrize(
    "decay",
    [lambda t: t, lambda: 0.1, lambda t, a, b: None, lambda t, a, b: "1,5"],
    ids=["one", "none", "None", "text"],
)
def test_a_function_that_cannot_be_called_or_gives_no_number_is_refused(decay):
    with pytest.raises(
        InputError, match=r"the radius's decay is called as decay\(t, first, last\).*for a number"
    ):
        schedule(decay, 2, 1, 3, "radius")
