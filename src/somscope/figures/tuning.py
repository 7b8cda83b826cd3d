"""What a search over settings found: a measure against each parameter."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from somscope.errors import InputError
from somscope.figures.palette import literal

__all__ = ["settings_figure"]

_COLUMNS = 4


def settings_figure(
    settings: Mapping[str, ArrayLike],
    measure: ArrayLike,
    name: str,
    correlations: Mapping[str, float] | None = None,
) -> Figure:
    """One panel for each parameter: name -> (n,) its values, and measure (n,) of the same trainings, called `name`.

    The best training is marked. correlations: rank correlation of each parameter, for the titles.
    Raises InputError without trainings or parameters.
    """
    y = np.asarray(measure, np.float64)
    if not settings or not len(y):
        raise InputError("there is no training, or no parameter, to show")
    rows = -(-len(settings) // _COLUMNS)
    columns = min(_COLUMNS, len(settings))
    figure = Figure(figsize=(2.6 * columns + 0.4, 2.2 * rows + 0.4), layout="constrained", facecolor="white")
    panels = figure.subplots(rows, columns, squeeze=False, sharey=True)
    best = int(y.argmax())
    for axes, (parameter, values) in zip(panels.flat, settings.items(), strict=False):
        x = np.asarray(values, np.float64)
        axes.scatter(x, y, s=14, color="#0072b2", linewidths=0)
        axes.scatter(x[best], y[best], s=46, facecolors="none", edgecolors="#d55e00", linewidths=1.4)
        known = (correlations or {}).get(parameter, np.nan)
        told = f", rank {known:+.2f}" if np.isfinite(known) else ""
        axes.set_title(literal(f"{parameter}{told}"), fontsize=9, loc="left")
        axes.grid(True, color="#dddddd", linewidth=0.6)
        axes.tick_params(labelsize=7)
        axes.locator_params(axis="x", nbins=4)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in panels.flat[len(settings) :]:
        axes.set_visible(False)
    for axes in panels[:, 0]:
        axes.set_ylabel(literal(name), fontsize=9)
    return figure
