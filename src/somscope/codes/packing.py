"""Bits in bytes. The first bit of an item is the most significant one of its first byte, and what remains of its last
byte is zero: the layout of `numpy.packbits`, FAISS and pgvector's `bit(n)` written out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError

__all__ = ["Packed", "as_packed", "check_bits", "hamming_distances", "pack", "pack_signs", "unpack"]

Packed = NDArray[np.uint8]  # (n, ceil(K / 8))


def check_bits(bits: Any) -> int:
    """The number of bits of a code as an int. Raises InputError unless it is a positive multiple of 8."""
    whole = isinstance(bits, int | np.integer) and not isinstance(bits, bool)
    if not whole or bits < 8 or bits % 8:
        raise InputError(f"bits={bits!r}; allowed: a positive multiple of 8, such as 16, 32, 64 or 256")
    return int(bits)


def pack(bits: NDArray[Any]) -> Packed:
    """(n, K) of 0 and 1, or of False and True -> (n, ceil(K / 8)) bytes. Raises InputError for other values."""
    array = np.asarray(bits)
    if array.ndim != 2 or array.shape[1] < 1:
        raise InputError(f"bits have shape {array.shape}; needed: (n, K) with K of 1 or more")
    if array.dtype != np.bool_ and not ((array == 0) | (array == 1)).all():
        raise InputError("bits must be 0 or 1")
    return np.packbits(array.astype(np.bool_, copy=False), axis=1)


def pack_signs(values: NDArray[np.floating]) -> Packed:
    """(n, K) numbers -> (n, ceil(K / 8)) bytes, a bit being 1 where the number is 0 or more."""
    return pack(np.asarray(values) >= 0)


def unpack(codes: Packed, n_bits: int) -> NDArray[np.uint8]:
    """(n, ceil(K / 8)) bytes -> (n, K) of 0 and 1. Raises InputError for codes of another width, or with padding that
    is not zero."""
    codes = as_packed(codes, n_bits)
    return np.unpackbits(codes, axis=1, count=n_bits)


def as_packed(codes: Any, n_bits: int, what: str = "codes") -> Packed:
    """The codes as contiguous bytes (n, ceil(n_bits / 8)).

    Raises InputError for another type or width, and for padding that is not zero.
    """
    array = np.asarray(codes)
    width = -(-n_bits // 8)
    if array.dtype != np.uint8 or array.ndim != 2 or array.shape[1] != width:
        raise InputError(
            f"{what} have shape {array.shape} and type {array.dtype}; needed: (n, {width}) uint8, which are "
            f"{n_bits} bits packed by somscope.codes.pack"
        )
    spare = 8 * width - n_bits
    if spare and (array[:, -1] & ((1 << spare) - 1)).any():
        raise InputError(f"the last {spare} bits of {what} of {n_bits} bits must be zero")
    return np.ascontiguousarray(array)


_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.int32)


def hamming_distances(a: Packed, b: Packed) -> NDArray[np.int32]:
    """(n, m) number of bits in which a (n, w) and b (m, w) differ.

    It fills 4 n m w bytes on its way: to search many codes, see `CodeIndex`.
    """
    return np.asarray(_ONES[a[:, None, :] ^ b[None, :, :]].sum(axis=2, dtype=np.int32))
