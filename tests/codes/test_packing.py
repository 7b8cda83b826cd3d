"""Packing against the XOR of unpacked bits, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from somscope.codes import hamming_distances, pack, pack_signs, unpack
from somscope.codes.packing import as_packed, check_bits
from somscope.errors import InputError

BITS = st.tuples(st.integers(0, 6), st.integers(1, 40)).flatmap(
    lambda shape: hnp.arrays(np.uint8, shape, elements=st.integers(0, 1))
)


def test_the_first_bit_is_the_most_significant_and_padding_is_zero() -> None:
    assert pack(np.array([[1, 0, 0, 0, 0, 0, 0, 1, 1, 1]])).tolist() == [[0b10000001, 0b11000000]]


def test_a_value_of_zero_is_a_one() -> None:
    assert pack_signs(np.array([[0.0, -0.0, -1e-30, 3.0, -1, -1, -1, -1]])).tolist() == [[0b11010000]]


@given(BITS)
def test_unpacking_undoes_packing(bits: np.ndarray) -> None:
    codes = pack(bits)
    assert codes.dtype == np.uint8
    assert codes.shape == (len(bits), (bits.shape[1] + 7) // 8)
    assert np.array_equal(unpack(codes, bits.shape[1]), bits)
    assert np.unpackbits(codes, axis=1)[:, bits.shape[1] :].sum() == 0


@given(BITS)
def test_distances_are_the_number_of_different_bits(bits: np.ndarray) -> None:
    found = hamming_distances(pack(bits), pack(bits[::-1]))
    expected = [[sum(int(p) != int(q) for p, q in zip(x, y, strict=True)) for y in bits[::-1]] for x in bits]
    assert found.tolist() == expected
    assert found.dtype == np.int32


@pytest.mark.parametrize("bits", [0, -8, 7, 12, 8.0, True, "16", None])
def test_bits_that_are_no_multiple_of_8_are_refused(bits: object) -> None:
    with pytest.raises(InputError, match="multiple of 8"):
        check_bits(bits)


def test_bits_may_be_a_number_of_numpy() -> None:
    assert check_bits(np.int64(24)) == 24


@pytest.mark.parametrize(
    ("codes", "message"),
    [
        (np.zeros((2, 3), np.uint8), r"needed: \(n, 2\) uint8"),
        (np.zeros((2, 2), np.int64), r"needed: \(n, 2\) uint8"),
        (np.zeros(2, np.uint8), r"needed: \(n, 2\) uint8"),
        (np.full((2, 2), 255, np.uint8), "last 6 bits"),
    ],
)
def test_other_codes_are_refused(codes: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        as_packed(codes, 10)


@pytest.mark.parametrize("bits", [np.array([[0, 2]]), np.array([[0.5]]), np.zeros(8), np.zeros((2, 0))])
def test_what_is_not_bits_is_not_packed(bits: np.ndarray) -> None:
    with pytest.raises(InputError):
        pack(bits)
