from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.errors import InputError
from somscope.measures import dead_units, hits, mean_per_unit, unit_entropy, unit_perplexity


def plain_entropy(best):
    total = 0.0
    for unit in set(best):
        share = best.count(unit) / len(best)
        total -= share * math.log(share)
    return total


@given(st.lists(st.integers(0, 8), min_size=1, max_size=60))
def test_match_the_plain_loops(best):
    assert unit_entropy(best, 9) == pytest.approx(plain_entropy(best))
    assert unit_perplexity(best, 9) == pytest.approx(math.exp(plain_entropy(best)))
    assert dead_units(best, 9) == 9 - len(set(best))
    assert hits(best, 9).tolist() == [best.count(k) for k in range(9)]
    assert 1.0 <= unit_perplexity(best, 9) <= 9.0 + 1e-9


def test_even_use_of_all_units():
    assert unit_perplexity(np.arange(12), 12) == pytest.approx(12)
    assert unit_entropy([5, 5, 5], 6) == 0.0
    assert dead_units([5, 5, 5], 6) == 5


def test_mean_per_unit():
    np.testing.assert_array_equal(mean_per_unit([1.0, 3.0, 5.0], [2, 2, 0], 3), [5.0, np.nan, 2.0])


def test_input_that_cannot_be_used():
    with pytest.raises(InputError, match="n_units=0"):
        hits([0], 0)
    with pytest.raises(InputError, match="allowed: units 0 to 2"):
        unit_entropy([3], 3)
    with pytest.raises(InputError, match="2 entries but there are 1 items"):
        mean_per_unit([1.0], [0, 0], 1)
    with pytest.raises(InputError, match="NaN"):
        mean_per_unit([np.nan], [0], 1)
