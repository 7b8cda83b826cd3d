"""Labels as people write them (words, numbers, nothing) turned into class numbers and class names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError

__all__ = ["encode_labels"]


def encode_labels(
    values: Iterable[Any],
    n_items: int,
    names: Sequence[str] = (),
    rows: Sequence[Any] | NDArray[Any] | None = None,
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """(n,) int64 class numbers and the class names, from one value for each item.

    values: words, or whole numbers, or None / NaN / "" / -1 for "no label".
    names: the name of class 0, 1, ...; the values must then be class numbers or these names.
    rows: the number or id to tell of each item in an error; by default they count from 0.

    Without names the classes are the values that occur, in natural order (numbers by size, words by
    alphabet); whole numbers keep their digits as names. Raises InputError when there are not exactly n_items
    values, a number is not whole, or a value is outside `names`.
    """
    if isinstance(values, np.ndarray) and values.ndim != 1:
        raise InputError(f"labels must be one row of values, got an array of shape {values.shape}")
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if len(listed) != n_items:
        raise InputError(f"{len(listed)} labels for {n_items} items")
    rows = range(n_items) if rows is None else rows
    clean = [_clean(value, row) for row, value in zip(rows, listed, strict=True)]
    if names:
        return _by_names(clean, tuple(str(name) for name in names), rows)
    present = {value for value in clean if value is not None}
    if any(isinstance(value, str) for value in present):
        ordered: list[Any] = sorted(present, key=str)
        keys = {value: number for number, value in enumerate(dict.fromkeys(map(str, ordered)))}
        labels = [-1 if value is None else keys[str(value)] for value in clean]
        return np.array(labels, dtype=np.int64), tuple(keys)
    ordered = sorted(present)
    numbers = {value: number for number, value in enumerate(ordered)}
    labels = [-1 if value is None else numbers[value] for value in clean]
    return np.array(labels, dtype=np.int64), tuple(str(value) for value in ordered)


def _clean(value: Any, row: Any) -> int | str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if value is None or value == "" or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"label {value!r} of item {row} is neither a word nor a whole number") from None
    if number != value:
        raise InputError(f"label {value!r} of item {row} is not a whole number: is this a measured column?")
    return None if number == -1 else number


def _class_number(word: str) -> int:
    """The number that digits stand for, with leading zeros or not; -1 for another word."""
    return int(word) if re.fullmatch(r"[0-9]{1,18}", word) else -1


def _by_names(
    clean: list[int | str | None], names: tuple[str, ...], rows: Sequence[Any] | NDArray[Any]
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    numbers = {name: number for number, name in enumerate(names)}
    labels = np.full(len(clean), -1, dtype=np.int64)
    for row, value in enumerate(clean):
        if value is None:
            continue
        number = numbers.get(value, _class_number(value)) if isinstance(value, str) else value
        if not 0 <= number < len(names):
            raise InputError(
                f"label {value!r} of item {rows[row]} is none of the {len(names)} classes: {', '.join(names)}"
            )
        labels[row] = number
    return labels, names
