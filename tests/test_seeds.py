"""A random_state that is no seed is refused by every estimator that draws, in the project's own words."""

from __future__ import annotations

import numpy as np
import pytest

from somscope.errors import InputError
from somscope.models.table import CODERS, MODELS, coder_class, model_class
from somscope.seeds import random_source


@pytest.mark.parametrize("wrong", ["x", -1, 1.5, 2**32, np.random.default_rng(0)])
def test_what_is_no_seed(wrong):
    with pytest.raises(InputError, match=r"random_state=.*allowed: None, a whole number from 0"):
        random_source(wrong)


def test_what_is_a_seed():
    first, second = random_source(3), random_source(np.int64(3))
    assert first.randint(100) == second.randint(100)
    assert random_source(first) is first


@pytest.mark.parametrize("name", [*MODELS, *CODERS])
def test_every_model_refuses_it(name):
    kind = model_class(name) if name in MODELS else coder_class(name)
    items = np.random.default_rng(0).random((90, 12), dtype=np.float32)
    with pytest.raises(InputError, match="random_state='x'; allowed"):
        kind(random_state="x").fit(items)
