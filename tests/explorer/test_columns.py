"""Binary columns are what their description says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from explorer.conftest import Answer
from somscope.explorer.columns import pack_columns, text_columns


@given(
    st.lists(st.integers(-(2**31), 2**31 - 1)),
    st.lists(st.floats(width=32)),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]))),
)
def test_columns_come_back(whole: list[int], real: list[float], texts: list[str]) -> None:
    sent = {
        "whole": np.array(whole, np.int64),
        "real": np.array(real, np.float64),
        **text_columns("text", texts),
    }
    columns, meta = Answer(200, {}, pack_columns(sent, {"said": "é"})).columns
    assert meta == {"said": "é"}
    assert columns["whole"].tolist() == whole
    np.testing.assert_array_equal(columns["real"], np.array(real, np.float32))
    data, ends = columns["text"].tobytes(), columns["text.ends"].tolist()
    assert [data[a:b].decode() for a, b in zip([0, *ends], ends, strict=False)] == texts


def test_a_missing_text_is_empty_and_meta_must_be_json() -> None:
    assert text_columns("t", [None, "a"])["t.ends"].tolist() == [0, 1]
    with pytest.raises(ValueError, match="not JSON compliant"):
        pack_columns({}, {"bad": float("nan")})
