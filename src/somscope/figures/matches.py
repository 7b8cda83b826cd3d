"""Two images side by side, with lines between what matches."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from somscope.figures.palette import literal

__all__ = ["matches_figure"]

_WIDE = 12.0  # inches
_RIGHT, _OTHER = "#00c37a", "#ff8c42"


def matches_figure(
    a: NDArray[np.uint8],
    b: NDArray[np.uint8],
    places_a: NDArray[np.floating],
    places_b: NDArray[np.floating],
    inliers: NDArray[np.bool_],
    title: str,
    outline: NDArray[np.floating] | None = None,
) -> Figure:
    """Grey images (H, W), and the places (m, 2) x and y of matches in each: inliers above and in another colour.

    outline: (4, 2) where the corners of the first image lie in the second one.
    """
    height, width = max(a.shape[0], b.shape[0]), a.shape[1] + b.shape[1]
    sheet = np.full((height, width), 255, dtype=np.uint8)
    sheet[: a.shape[0], : a.shape[1]], sheet[: b.shape[0], a.shape[1] :] = a, b
    figure = Figure(figsize=(_WIDE, _WIDE * height / width + 0.4))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1 - 0.4 / figure.get_figheight()))
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    shift = np.array([a.shape[1], 0])
    lines = np.stack([places_a, places_b + shift], axis=1)
    for which, colour, alpha in ((~inliers, _OTHER, 0.5), (inliers, _RIGHT, 0.9)):
        axes.add_collection(LineCollection(list(lines[which]), colors=colour, alpha=alpha, linewidths=0.8))
        ends = lines[which].reshape(-1, 2)
        axes.plot(ends[:, 0], ends[:, 1], "o", color=colour, alpha=alpha, markersize=2.5)
    if outline is not None:
        around = np.concatenate([outline, outline[:1]]) + shift
        (line,) = axes.plot(around[:, 0], around[:, 1], color=_RIGHT, linewidth=1.5)
        line.set_clip_path(Rectangle((a.shape[1], 0), b.shape[1], b.shape[0], transform=axes.transData))
    axes.set_xlim(-0.5, width - 0.5)
    axes.set_ylim(height - 0.5, -0.5)
    axes.set_axis_off()
    figure.text(0.01, 1 - 0.2 / figure.get_figheight(), literal(title, 200), va="center", fontsize=10)
    return figure
