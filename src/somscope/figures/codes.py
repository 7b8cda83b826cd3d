"""Binary codes: whether their bits are used, and whether they say different things."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

__all__ = ["bit_balance_figure", "bit_correlation_figure"]


def bit_balance_figure(means: ArrayLike) -> Figure:
    """The share of ones of each bit (K,), as a bar; a bit at 0 or 1 is the same for all items and says nothing."""
    values = np.asarray(means, dtype=np.float64)
    constant = (values == 0) | (values == 1)
    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.bar(np.arange(len(values)), values - 0.5, bottom=0.5, width=0.9, color="#0072b2")
    axes.plot(np.flatnonzero(constant), values[constant], "x", color="#d55e00", label="constant")
    axes.axhline(0.5, color="black", linewidth=0.8)
    axes.set(xlim=(-0.6, len(values) - 0.4), ylim=(-0.03, 1.03), xlabel="bit", ylabel="share of ones")
    axes.set_title("Bit balance: 0.5 tells most")
    if constant.any():
        axes.legend()
    return figure


def bit_correlation_figure(correlation: ArrayLike) -> Figure:
    """The correlation (K, K) of each pair of bits; bits that say different things have 0 off the diagonal."""
    values = np.asarray(correlation, dtype=np.float64)
    figure = Figure(figsize=(5.2, 4.4), layout="constrained")
    axes = figure.add_subplot()
    picture = axes.imshow(values, cmap="RdBu_r", vmin=-1, vmax=1, interpolation="nearest")
    axes.set(xlabel="bit", ylabel="bit")
    axes.set_title("Bit correlation: 0 off the diagonal is best")
    figure.colorbar(picture, label="correlation")
    return figure
