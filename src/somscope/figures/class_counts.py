"""Counts of classes per unit, and the legend that names the classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.figures.palette import EMPTY, class_colour, class_hatch, literal
from somscope.maps.lattice import Lattice

__all__ = ["class_legend", "count_classes"]

_MOST_NAMED = 40


def count_classes(lattice: Lattice, units: ArrayLike, labels: ArrayLike, n_classes: int) -> NDArray[np.int64]:
    """(K, n_classes) items of each class at each unit; items with label -1 are left out.

    units: (n,) BMU of each item; labels: (n,) class index or -1. Raises InputError where lengths or ranges are wrong.
    """
    unit, label = np.asarray(units, dtype=np.int64), np.asarray(labels, dtype=np.int64)
    if unit.shape != label.shape or unit.ndim != 1:
        raise InputError(f"units have shape {unit.shape} and labels {label.shape}; allowed: (n,) and (n,)")
    if unit.size and (unit.min() < 0 or unit.max() >= lattice.n_units):
        raise InputError(f"units lie in {unit.min()}..{unit.max()}; allowed: 0..{lattice.n_units - 1}")
    if label.size and (label.min() < -1 or label.max() >= n_classes):
        raise InputError(
            f"labels lie in {label.min()}..{label.max()}; allowed: -1 (none) and 0..{n_classes - 1}"
        )
    known = label >= 0
    flat = np.bincount(unit[known] * n_classes + label[known], minlength=lattice.n_units * n_classes)
    return flat.reshape(lattice.n_units, n_classes)


def class_legend(
    figure: Figure,
    axes: Axes,
    names: Sequence[str],
    numbered: bool = False,
    empty: str = "",
    title: str = "class",
) -> None:
    """The classes' colours (and numbers where they stand in the cells), beside the axes or beneath a wide strip."""
    shown = names[:_MOST_NAMED]
    handles = [
        Patch(facecolor=class_colour(i), hatch=class_hatch(i), edgecolor="#444444", linewidth=0.4)
        for i in range(len(shown))
    ]
    texts = [f"{i}  {literal(name, 28)}" if numbered else literal(name, 30) for i, name in enumerate(shown)]
    if len(names) > _MOST_NAMED:
        handles.append(Patch(facecolor="none", edgecolor="none"))
        texts.append(f"and {len(names) - _MOST_NAMED} more")
    if empty:
        handles.append(Patch(facecolor=EMPTY, hatch="////", edgecolor="#b5b5b5", linewidth=0.2))
        texts.append(empty)
    left, right = axes.get_xlim()
    shape = abs(right - left) / abs(np.subtract(*axes.get_ylim()))
    wide = shape > 4
    figure.legend(
        handles,
        texts,
        loc="outside lower left"
        if wide
        else "outside right center"
        if shape < 0.4
        else "outside right upper",
        ncols=min(5, len(texts)) if wide else 1 + (len(texts) > 24),
        fontsize=8,
        frameon=False,
        title=title,
        title_fontsize=9,
        alignment="left",
    )
