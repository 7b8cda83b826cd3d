"""What an error about an unknown choice says."""

from __future__ import annotations

import pytest

from somscope.errors import InputError, check_choice, closest


def test_unknown_choices_list_the_allowed_and_the_closest():
    check_choice("metric", "cosine", ("euclidean", "cosine"))
    with pytest.raises(
        InputError, match=r"^metric='cosin' is not known; allowed: a, cosine; did you mean 'cosine'\?$"
    ):
        check_choice("metric", "cosin", ("a", "cosine"))
    with pytest.raises(InputError, match=r"^metric='xyz' is not known; allowed: a, cosine$"):
        check_choice("metric", "xyz", ("a", "cosine"))
    with pytest.raises(InputError, match=r"^metric=3 is not known"):
        check_choice("metric", 3, ("a",))


def test_closest_looks_past_capitals():
    assert closest("MNIST", ["mnist", "usps"]) == "; did you mean 'mnist'?"
    assert closest("mnist", []) == ""
