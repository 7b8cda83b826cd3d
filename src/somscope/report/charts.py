"""Line charts as inline SVG that follows the page's colours."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import NDArray

from somscope.figures.curves import axis_of, curve_label, curve_names, on_log_scale, phase_starts

__all__ = ["Chart", "training_charts"]

_WIDTH, _HEIGHT = 420.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 10.0, 34.0

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chart:
    """What the template draws: pixels of a 420 x 180 picture, and words for those who do not see it.

    lines: the points of each stretch of a phase without a gap. marks: where a phase ends. axis: what it is drawn over.
    """

    name: str
    title: str
    alt: str
    axis: str
    lines: list[list[tuple[float, float]]]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    marks: list[float]

    @property
    def points(self) -> list[tuple[float, float]]:
        """All points."""
        return [point for line in self.lines for point in line]

    @property
    def path(self) -> str:
        """The lines as an SVG path."""
        return "".join("M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in line) for line in self.lines)


def training_charts(history: Mapping[str, Sequence[float]], unit: str = "") -> list[Chart]:
    """A chart for each numeric column but the pass or step, the epoch and the seconds; none without a finite value.

    unit: what distances are measured in.
    """
    found = (_chart(name, history, unit) for name in curve_names(history))
    return [chart for chart in found if chart is not None]


def _chart(name: str, history: Mapping[str, Sequence[float]], unit: str) -> Chart | None:
    y, axis = np.asarray(history[name], dtype=np.float64), axis_of(history)
    x = np.asarray(history[axis], dtype=np.float64) if axis in history else np.arange(1.0, len(y) + 1)
    known = np.isfinite(y)
    if not known.any():
        return None
    log = on_log_scale(name, y)
    height = np.log10(y, where=known, out=np.full_like(y, np.nan)) if log else y
    x_low, x_high = (0.0 if axis == "step" else float(x[known].min())), float(x[known].max())
    y_low, y_high = float(height[known].min()), float(height[known].max())
    room = (y_high - y_low) * 0.06 or abs(y_high) * 0.1 or 0.5
    y_low, y_high = y_low - room, y_high + room
    if x_low == x_high:
        x_low, x_high = x_low - 0.5, x_high + 0.5

    def across(value: Floats | float) -> Floats:
        return np.asarray(_LEFT + (value - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT))

    def down(value: Floats | float) -> Floats:
        return np.asarray(_TOP + (y_high - value) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM))

    starts = [start for _, start in phase_starts(history)[1:]]
    rows, part = np.flatnonzero(known), np.searchsorted(starts, x, side="left")
    gap = (np.diff(rows) > 1) | (np.diff(part[rows]) > 0)
    stretches = np.split(rows, np.flatnonzero(gap) + 1)
    label = curve_label(name, unit)
    first, last = y[known][0], y[known][-1]
    counted = f"{int(known.sum())} passes" if axis == "pass" else f"{x[known][-1]:,.0f} steps"
    return Chart(
        name=name,
        title=label[:1].upper() + label[1:] + (", logarithmic" if log else ""),
        alt=f"Line chart of {label} over {counted}: from {first:.4g} at the first to {last:.4g} at the last.",
        axis=axis,
        lines=[list(zip(across(x[s]).tolist(), down(height[s]).tolist(), strict=True)) for s in stretches],
        x_ticks=[
            (float(across(tick)), f"{tick:,g}" if tick < 1e6 else f"{tick:,.0f}")
            for tick in _inside(MaxNLocator(6, integer=True).tick_values(x_low, x_high), x_low, x_high)
        ],
        y_ticks=_log_ticks(y_low, y_high, down) if log else _ticks(y_low, y_high, down),
        marks=[float(across(start)) for start in starts],
    )


def _ticks(low: float, high: float, down: Callable[[float], Floats]) -> list[tuple[float, str]]:
    ticks = _inside(MaxNLocator(4).tick_values(low, high), low, high)
    return [(float(down(tick)), f"{tick:.4g}".replace("e-0", "e-")) for tick in ticks]


def _log_ticks(low: float, high: float, down: Callable[[float], Floats]) -> list[tuple[float, str]]:
    """low, high: decimal logarithms."""
    ticks = _inside(np.log10(LogLocator(numticks=5).tick_values(10**low, 10**high)), low, high)
    return [(float(down(tick)), f"{10**tick:.4g}") for tick in ticks]


def _inside(ticks: Iterable[float], low: float, high: float) -> list[float]:
    return [float(tick) for tick in ticks if low <= tick <= high]
