"""JSON inside a page: no string can end the script element, and every string comes back as it was."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from somscope.report.safe_json import safe_json, short


@given(st.text())
def test_any_text_comes_back(text):
    encoded = safe_json({"text": text})
    assert json.loads(encoded)["text"] == text
    assert not set("<>&'\u2028\u2029") & set(encoded)


def test_closing_tags_and_comments_are_escaped():
    assert "<" not in safe_json(["</script>", "<!--", "<script", "]]>"])


def test_lone_surrogates_do_not_break_the_file():
    assert json.loads(safe_json(["a\ud800b"])) == ["a?b"]


def test_numbers_are_short():
    assert short(np.array([1.23456789, np.nan, 3.0, np.inf, 123456.0])) == [1.235, None, 3, None, 123500]
    assert short(np.eye(2)) == [[1, 0], [0, 1]]
