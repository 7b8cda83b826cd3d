"""The errors that somscope raises on purpose; each message says what was wrong, where, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["DataError", "InputError", "RunError", "SomscopeError", "check_choice"]


class SomscopeError(Exception):
    """Base of every error that somscope raises on purpose."""


class InputError(SomscopeError, ValueError):
    """A value or an array that cannot be used; also a ValueError, as scikit-learn expects."""


class DataError(SomscopeError):
    """A file or a named data set that cannot be read or found."""


class RunError(SomscopeError):
    """A run folder that cannot be written, opened or trusted."""


def check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise InputError unless `value` is one of `allowed`; the message lists them all."""
    options = list(allowed)
    if not isinstance(value, str) or value not in options:
        raise InputError(f"{name}={value!r} is not known; allowed: {', '.join(options)}")
