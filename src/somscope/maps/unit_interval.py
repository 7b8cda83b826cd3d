"""Features on the scale from 0 to 1, on which growing maps work: as they are, or stretched by a rule.

Rule: features that all lie in [0, 1] are taken as they are; otherwise each feature is mapped to [0, 1] by the least and
the largest value of the items that were seen first, x' = (x - least) / (largest - least). A feature that is constant
there is moved to 0, and keeps its unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.errors import InputError, check_choice

__all__ = ["SCALES", "UnitInterval", "choose_interval"]

SCALES = ("auto", "min-max", "none")


@dataclass(frozen=True)
class UnitInterval:
    """x' = (x - least) / width for features (d,), or nothing where both are None."""

    least: NDArray[np.floating] | None = None
    width: NDArray[np.floating] | None = None

    def scaled(self, x: NDArray[Any]) -> NDArray[Any]:
        """(n, d) items as the map sees them, in their float type; items of a scaled map may lie outside [0, 1].

        Raises InputError for items outside [0, 1] on a map that takes them as they are.
        """
        if self.least is None:
            refuse_outside(x)
            return x
        assert self.width is not None
        return np.asarray((x - self.least) / self.width, dtype=x.dtype)

    def restored(self, x: NDArray[Any]) -> NDArray[Any]:
        """The other way."""
        if self.least is None:
            return x
        assert self.width is not None
        return np.asarray(x * self.width + self.least, dtype=x.dtype)


def refuse_outside(x: NDArray[Any]) -> None:
    """InputError unless all values (n, d) lie in [0, 1]; it says where one does not."""
    if len(x) and not (x.min() >= 0.0 and x.max() <= 1.0):
        row, column = np.argwhere((x < 0.0) | (x > 1.0))[0]
        raise InputError(
            f"X has values outside [0, 1], the first in row {row}, column {column}: {x[row, column]:.6g}; this map "
            "takes features as they are: divide pixels by 255, or train it with scale='min-max'"
        )


def choose_interval(x: NDArray[Any], scale: str) -> tuple[UnitInterval, str | None]:
    """The scale for the items (n, d) that are seen first, and why that one where it was chosen here.

    scale: "auto" is the rule above, "min-max" stretches in any case, "none" takes features as they are.
    Raises InputError where "none" meets values outside [0, 1], and for one item alone that gives no range.
    """
    check_choice("scale", scale, SCALES)
    least, largest = x.min(axis=0), x.max(axis=0)
    inside = bool(least.min() >= 0.0 and largest.max() <= 1.0)
    if scale == "none" and not inside:
        refuse_outside(x)
    if scale == "none" or (scale == "auto" and inside):
        return UnitInterval(), None
    if len(x) < 2:
        raise InputError(
            "1 sample alone says nothing of the range of the features, and they do not lie in [0, 1]: give at least 2 "
            "items first, or features in [0, 1]"
        )
    width = np.asarray(largest - least, dtype=x.dtype)
    if not np.isfinite(width).all():
        raise InputError(f"column {np.flatnonzero(~np.isfinite(width))[0]} has a range beyond {x.dtype}")
    why = f"min-max: each feature from the range of the first {len(x)} items to [0, 1]"
    return UnitInterval(least, np.where(width > 0, width, 1).astype(x.dtype)), why
