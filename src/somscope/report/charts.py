"""Line charts as inline SVG that follows the page's colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.ticker import MaxNLocator

from somscope.figures.curves import curve_label

__all__ = ["Chart", "training_charts"]

_WIDTH, _HEIGHT = 420.0, 180.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 52.0, 10.0, 10.0, 34.0


@dataclass(frozen=True)
class Chart:
    """What the template draws: pixels of a 420 x 180 picture, and words for those who do not see it."""

    title: str
    alt: str
    points: list[tuple[float, float]]
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]

    @property
    def path(self) -> str:
        """The line as an SVG path."""
        return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


def training_charts(history: Mapping[str, Sequence[float]], unit: str = "") -> list[Chart]:
    """A chart for each numeric column but the pass and the seconds; none for fewer than one finite value.

    unit: what distances are measured in.
    """
    columns = {name: np.asarray(values) for name, values in history.items()}
    numeric = [name for name, values in columns.items() if values.dtype.kind in "fiu" and len(values)]
    first = [name for name in ("quantization_error", "radius") if name in numeric]
    names = first + [name for name in numeric if name not in (*first, "pass", "seconds")]
    return [chart for name in names if (chart := _chart(name, columns, unit)) is not None]


def _chart(name: str, columns: Mapping[str, np.ndarray], unit: str) -> Chart | None:
    y = columns[name].astype(np.float64)
    x = columns["pass"].astype(np.float64) if "pass" in columns else np.arange(1.0, len(y) + 1)
    known = np.isfinite(y)
    x, y = x[known], y[known]
    if not len(y):
        return None
    label = curve_label(name, unit)
    x_low, x_high = float(x.min()), float(x.max())
    y_low, y_high = float(y.min()), float(y.max())
    room = (y_high - y_low) * 0.06 or abs(y_high) * 0.1 or 0.5
    y_low, y_high = y_low - room, y_high + room
    if x_low == x_high:
        x_low, x_high = x_low - 0.5, x_high + 0.5
    plot_x = _LEFT + (x - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT)
    plot_y = _TOP + (y_high - y) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM)
    x_ticks = [
        tick for tick in MaxNLocator(6, integer=True).tick_values(x_low, x_high) if x_low <= tick <= x_high
    ]
    y_ticks = [tick for tick in MaxNLocator(4).tick_values(y_low, y_high) if y_low <= tick <= y_high]
    return Chart(
        title=label[:1].upper() + label[1:],
        alt=f"Line chart of {label} over {len(y)} passes: from {y[0]:.4g} at the first to {y[-1]:.4g} at the last.",
        points=list(zip(plot_x.tolist(), plot_y.tolist(), strict=True)),
        x_ticks=[
            (_LEFT + (tick - x_low) / (x_high - x_low) * (_WIDTH - _LEFT - _RIGHT), f"{tick:g}")
            for tick in x_ticks
        ],
        y_ticks=[
            (_TOP + (y_high - tick) / (y_high - y_low) * (_HEIGHT - _TOP - _BOTTOM), f"{tick:.4g}")
            for tick in y_ticks
        ],
    )
