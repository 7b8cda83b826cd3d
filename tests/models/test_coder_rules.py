"""The deep coders by those rules of scikit-learn that need no rows of numbers: they learn from images alone."""

from __future__ import annotations

import pytest
from sklearn.utils import estimator_checks

from somscope.models.bingan import BinGAN
from somscope.models.contrastive_hash import ContrastiveHash

CHECKS = (
    "check_parameters_default_constructible",
    "check_no_attributes_set_in_init",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimator_repr",
    "check_estimator_cloneable",
)


@pytest.mark.parametrize("coder", [BinGAN(16, device="cpu"), ContrastiveHash(16, device="cpu")], ids=repr)
@pytest.mark.parametrize("check", CHECKS)
def test_rules_of_scikit_learn_that_need_no_rows_of_numbers(check, coder):
    getattr(estimator_checks, check)(type(coder).__name__, coder)
