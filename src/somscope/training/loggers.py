"""Where the rows of a history go while a training runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

__all__ = ["Logger"]


class Logger(Protocol):
    """Anything that takes the rows of a history."""

    def log(self, values: Mapping[str, float], step: int) -> None:
        """values: name -> number. step: steps done since the beginning of the training."""

    def close(self) -> None:
        """No more rows come."""
