"""scikit-learn's own checks of an estimator, over a grid in which every value of every parameter occurs: none may fail."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from somscope.maps.som import SOM

MAPS = [
    SOM(grid=(3, 3), n_passes=4, random_state=0),
    SOM(),
]


@parametrize_with_checks(MAPS)
def test_som_keeps_every_rule_of_scikit_learn(
    estimator: BaseEstimator, check: Callable[[BaseEstimator], None]
) -> None:
    check(estimator)
