"""Colours that colour-blind readers can tell apart, and text that is shown as it is written."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from numpy.typing import NDArray

__all__ = [
    "CLASS_COLOURS",
    "DIVERGING",
    "EMPTY",
    "SEQUENTIAL",
    "class_colour",
    "class_colours",
    "class_hatch",
    "ink_on",
    "literal",
]

SEQUENTIAL = "cividis"  # made for normal and red-green-blind sight alike (Nunez, Anderton, Renslow 2018)
DIVERGING = "PuOr"  # orange low, violet high: told apart by colour-blind readers
EMPTY = "#e3e3e3"  # a unit without a value

# The first eight are Okabe and Ito's (2008; black last); the next twelve come from Tol's muted and light sets (2021).
CLASS_COLOURS = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#000000",
    "#882255", "#999933", "#332288", "#ddcc77", "#44aa99", "#aa4499", "#117733", "#ffaabb",
    "#bbcc33", "#77aadd", "#ee8866", "#777777",
)  # fmt: skip
_HATCHES = ("", "///", "...", "xxx", "\\\\\\", "ooo", "+++", "---")


def class_colour(index: int) -> str:
    """The colour of class `index`; after twenty classes colours repeat with another hatch."""
    return CLASS_COLOURS[index % len(CLASS_COLOURS)]


def class_hatch(index: int) -> str:
    """The hatch of class `index`: none for the first twenty."""
    return _HATCHES[index // len(CLASS_COLOURS) % len(_HATCHES)]


def class_colours(indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.float64]:
    """(len(indices), 3) red, green and blue in [0, 1]."""
    table = np.array([to_rgb(colour) for colour in CLASS_COLOURS])
    return np.asarray(table[np.asarray(indices, dtype=np.int64) % len(table)])


def ink_on(colours: NDArray[np.floating]) -> NDArray[np.str_]:
    """(n,) "black" or "white", whichever contrasts more with each of the (n, 3 or 4) colours (WCAG 2 luminance)."""
    rgb = np.asarray(colours, dtype=np.float64)[:, :3]
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    return np.where((luminance + 0.05) ** 2 > 0.05 * 1.05, "black", "white")


def literal(text: object, longest: int = 40) -> str:
    """`text` for a figure: one line, shortened, and no mathematics or hidden legend entry made of "$" or "_"."""
    line = " ".join(str(text).split())
    if len(line) > longest:
        line = line[: longest - 1] + "…"
    line = line.replace("$", r"\$")
    return "\N{ZERO WIDTH SPACE}" + line if line.startswith("_") else line
