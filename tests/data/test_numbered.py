"""Ids that are only counted, against the array that they stand for."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.data import Collection, collection
from somscope.data.numbered import Numbered


@given(st.integers(1, 1200), st.data())
def test_it_is_the_array_of_the_numbers(n: int, data: st.DataObject) -> None:
    ids = Numbered(n)
    whole = np.array([str(i) for i in range(n)])
    assert (len(ids), ids.shape, ids.ndim, ids.dtype, ids.nbytes) == (n, (n,), 1, whole.dtype, whole.nbytes)
    assert ids.tolist() == list(ids) == whole.tolist()
    np.testing.assert_array_equal(np.array(ids), whole)
    row = data.draw(st.integers(-n, n - 1))
    assert ids[row] == whole[row]
    for rows in (
        data.draw(st.slices(n)),
        data.draw(st.lists(st.integers(-n, n - 1), min_size=1)),
        np.random.default_rng(n).random(n) < 0.5,
    ):
        assert ids[rows].tolist() == whole[rows].tolist()
        assert ids[rows].dtype == whole.dtype


def test_rows_of_few_bits_count_far() -> None:
    ids = Numbered(1000)
    assert ids[np.int8(-1)] == "999"
    assert ids[np.array([3, -128], np.int8)].tolist() == ["3", "872"]
    assert ids[np.array([3, 200], np.uint8)].tolist() == ["3", "200"]
    assert ids[[]].tolist() == []


@pytest.mark.parametrize("row", [3, -4, [0, 3], 1.5, [0.0], "1", None, [True]])
def test_rows_outside_are_refused(row: object) -> None:
    with pytest.raises(IndexError):
        Numbered(3)[row]


def test_a_collection_of_many_is_that_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    features = np.random.default_rng(0).random((12, 2))
    few = Collection("few", "vectors", features)
    monkeypatch.setattr(collection, "_MOST_HELD", 10)
    many = Collection("many", "vectors", features)
    assert isinstance(few.ids, np.ndarray)
    for one in (many, replace(many, name="other"), pickle.loads(pickle.dumps(many))):
        assert isinstance(one.ids, Numbered)
        assert one.fingerprint == few.fingerprint
        assert one.take([11, 2]).ids.tolist() == ["11", "2"]
    assert replace(many, features=features[:11], ids=many.ids[:11]).ids.tolist() == few.ids[:11].tolist()
