"""The errors that somscope raises on purpose; each message says what was wrong, where, and what is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["DataError", "InputError", "RunError", "SomscopeError", "TrainingError", "check_choice", "closest"]


class SomscopeError(Exception):
    """Base of every error that somscope raises on purpose."""


class InputError(SomscopeError, ValueError):
    """A value or an array that cannot be used; also a ValueError, as scikit-learn expects."""


class DataError(SomscopeError):
    """A file or a named data set that cannot be read or found."""


class RunError(SomscopeError):
    """A run folder that cannot be written, opened or trusted."""


class TrainingError(SomscopeError):
    """A loss that is not a number or explodes: term, phase and step (of the phase, from 0) say which and where."""

    def __init__(self, term: str, phase: str, step: int, what: str) -> None:
        super().__init__(
            f"training stopped at step {step} of phase {phase!r}: {term!r} {what}; "
            "try a smaller learning rate, items of smaller numbers, or precision='fp32'"
        )
        self.term, self.phase, self.step = term, phase, step


def check_choice(name: str, value: object, allowed: Iterable[str]) -> None:
    """Raise InputError unless `value` is one of `allowed`; the message lists them all, and says which is closest."""
    options = list(allowed)
    if not isinstance(value, str) or value not in options:
        raise InputError(
            f"{name}={value!r} is not known; allowed: {', '.join(options)}{closest(value, options)}"
        )


def closest(value: object, allowed: Iterable[str]) -> str:
    """ "; did you mean 'mnist'?" for 'mnits': the end of a message; "" where nothing allowed is alike."""
    plain = {option.casefold(): option for option in allowed}
    found = get_close_matches(str(value).casefold(), plain, n=1)
    return f"; did you mean {plain[found[0]]!r}?" if found else ""
