"""Training curves: what changed from pass to pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from somscope.errors import InputError
from somscope.figures.palette import literal

__all__ = ["curve_label", "training_curves_figure"]

_LABELS = {
    "radius": "radius (lattice steps)",
    "quantization_error": "quantization error",
    "topographic_error": "topographic error (share of items)",
    "moved": "items that changed their unit (share)",
    "seconds": "time (seconds)",
    "learning_rate": "learning rate",
}


def curve_label(name: str, unit: str = "") -> str:
    """What a column of the history is called on an axis; unit: what distances are measured in."""
    label = _LABELS.get(name, name.replace("_", " "))
    return f"{label} ({unit})" if unit and name == "quantization_error" else label


def training_curves_figure(
    history: Mapping[str, Sequence[float]],
    names: Sequence[str] | None = None,
    *,
    over: str = "pass",
    unit: str = "",
) -> Figure:
    """One panel per curve above a shared axis of passes.

    history: equal-length columns. names: which columns; by default radius and quantization error and every other
    numeric column except `over` and the seconds. unit: what distances are measured in.
    Raises InputError when nothing can be drawn.
    """
    columns = {name: np.asarray(values) for name, values in history.items()}
    numeric = [
        name
        for name, values in columns.items()
        if values.dtype.kind in "fiu" and name not in (over, "seconds")
    ]
    first = [name for name in ("radius", "quantization_error") if name in numeric]
    chosen = list(names) if names is not None else first + [name for name in numeric if name not in first]
    unknown = [name for name in chosen if name not in columns]
    if unknown or not chosen:
        raise InputError(
            f"no curve {', '.join(unknown) or 'to draw'} in the history; it has: {', '.join(columns)}"
        )
    x = columns.get(over, np.arange(1, len(columns[chosen[0]]) + 1))
    figure = Figure(figsize=(6.4, 0.8 + 1.7 * len(chosen)), layout="constrained", facecolor="white")
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    panels[0].set_title("Training", fontsize=12, loc="left")
    for panel, name in zip(panels, chosen, strict=True):
        marker = "o" if len(x) <= 40 else ""
        panel.plot(x, columns[name], color="#0072b2", linewidth=1.6, marker=marker, markersize=3.5)
        label = curve_label(name, unit) if name in _LABELS else literal(curve_label(name))
        panel.set_ylabel(label.replace(" (", "\n("), fontsize=8)
        panel.grid(True, color="#dddddd", linewidth=0.6)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlabel(literal(over), fontsize=9)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
