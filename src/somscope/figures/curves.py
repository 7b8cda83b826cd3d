"""Training curves: what changed from pass to pass, or over the steps and phases of a network's training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter
from numpy.typing import NDArray

from somscope.errors import InputError
from somscope.figures.palette import literal

__all__ = ["axis_of", "curve_label", "curve_names", "on_log_scale", "phase_starts", "training_curves_figure"]

_LABELS = {
    "radius": "radius (lattice steps)",
    "quantization_error": "quantization error",
    "topographic_error": "topographic error (share of items)",
    "moved": "items that changed their unit (share)",
    "seconds": "time (seconds)",
    "learning_rate": "learning rate",
    "temperature": "neighbourhood temperature (lattice steps)",
    "unit_perplexity": "units in use (perplexity)",
    "units": "units",
    "changed_labels": "items that changed their cluster (share)",
    "alpha": "sharpness of the softmax",
    "below": "items below the threshold (share)",
    "purity": "purity (items watched)",
    "nmi_arithmetic": "NMI (items watched)",
}
_LOSSES = {  # what a network minimises: the whole, and the terms of the models
    "loss": "loss (what is minimised)",
    "reconstruction": "reconstruction loss",
    "quantized_reconstruction": "reconstruction from prototypes",
    "som": "map loss",
    "clustering": "clustering loss",
    "reconstruction_sum": "reconstruction loss (sum over features)",
    "centres": "distance to the centres",
    "order": "order loss",
    "contrast": "contrast of views (nats)",
    "swapped": "loss on foretold units (nats)",
    "spread": "loss on the spread of the codes",
    "commitment": "commitment loss",
    "transitions": "transition loss (nats)",
    "smoothness": "smoothness loss",
    "likelihood": "negative log likelihood (nats)",
    "kl": "divergence from the prior (nats)",
    "hardening": "hardening loss (nats)",
    "map": "soft map loss (nats)",
}
_WIDE = 30.0  # largest over smallest loss from which on a curve is drawn on a logarithmic scale


def curve_label(name: str, unit: str = "") -> str:
    """What a column of the history is called on an axis; unit: what distances are measured in."""
    if name.startswith("learning_rate."):
        name = "learning_rate"
    label = (_LABELS | _LOSSES).get(name, name.replace("_", " "))
    return f"{label} ({unit})" if unit and name == "quantization_error" else label


def axis_of(history: Mapping[str, Sequence[float]]) -> str:
    """What a history is drawn over: "step" for networks, "pass" for others."""
    return "step" if "step" in history else "pass"


def curve_names(history: Mapping[str, Sequence[float]]) -> list[str]:
    """The columns that have a curve, the telling ones first."""
    numeric = [name for name, values in history.items() if np.asarray(values).dtype.kind in "fiu"]
    first = [name for name in (*_LOSSES, "radius", "quantization_error") if name in numeric]
    left = {"pass", "step", "epoch", "seconds"}
    if sum(name in _LOSSES for name in numeric) == 2:  # of a single term it is the same
        left.add("loss")
    return [name for name in dict.fromkeys(first + numeric) if name not in left]


def phase_starts(history: Mapping[str, Sequence[Any]]) -> list[tuple[str, float]]:
    """(name, steps done before it) of each phase; one for a history without phases."""
    found: list[tuple[str, float]] = []
    before = 0.0
    for name, step in zip(history.get("phase", ()), history.get("step", ()), strict=False):
        if not found or found[-1][0] != name:
            found.append((str(name), before))
        before = float(step)
    return found


def on_log_scale(name: str, values: NDArray[np.floating]) -> bool:
    """Whether a curve is of a loss that spans so much that its end could not be seen otherwise."""
    known = values[np.isfinite(values)]
    return name in _LOSSES and known.size > 0 and known.min() > 0 and known.max() > _WIDE * known.min()


def training_curves_figure(
    history: Mapping[str, Sequence[float]],
    names: Sequence[str] | None = None,
    *,
    unit: str = "",
) -> Figure:
    """One panel per curve above a shared axis of passes, or of steps with a dashed line where a phase ends.

    history: equal-length columns. names: which columns, by default `curve_names`. unit: what distances are measured in.
    Raises InputError when nothing can be drawn.
    """
    columns = {name: np.asarray(values) for name, values in history.items()}
    chosen, over = list(curve_names(history) if names is None else names), axis_of(history)
    unknown = [name for name in chosen if name not in columns]
    if unknown or not chosen:
        raise InputError(
            f"no curve {', '.join(unknown) or 'to draw'} in the history; it has: {', '.join(columns)}"
        )
    x = columns.get(over, np.arange(1, len(columns[chosen[0]]) + 1))
    figure = Figure(figsize=(6.4, 0.8 + 1.7 * len(chosen)), layout="constrained", facecolor="white")
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    panels[0].set_title("Training", fontsize=12, loc="left")
    phases = phase_starts(history)
    parts = np.searchsorted([start for _, start in phases[1:]], np.asarray(x, dtype=np.float64), side="left")
    for panel, name in zip(panels, chosen, strict=True):
        marker = "o" if len(x) <= 40 else ""
        for part in range(max(len(phases), 1)):  # losses of two phases are not of one sum
            rows = parts == part
            y = columns[name][rows]
            panel.plot(x[rows], y, color="#0072b2", linewidth=1.6, marker=marker, markersize=3.5)
        if on_log_scale(name, columns[name]):
            panel.set_yscale("log")
            panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
            panel.yaxis.set_minor_formatter(NullFormatter())
        for _, start in phases[1:]:
            panel.axvline(start, color="#888888", linewidth=0.8, linestyle=(0, (4, 3)))
        label = curve_label(name, unit) if name in _LABELS | _LOSSES else literal(curve_label(name))
        panel.set_ylabel(label.replace(" (", "\n("), fontsize=8)
        panel.grid(True, color="#dddddd", linewidth=0.6)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    told = [f"{literal(name)} from {start:,.0f}" for name, start in phases]
    below = f"{over}\nphases: {', '.join(told)}" if len(phases) > 1 else over
    panels[-1].set_xlabel(below, fontsize=9)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
