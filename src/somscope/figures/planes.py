"""Component planes: one feature of all prototypes at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.figures.cells import limits
from somscope.figures.palette import literal
from somscope.figures.units import describe, draw_units, prepare_axes
from somscope.maps.lattice import Lattice

__all__ = ["component_planes_figure", "most_varied"]


def most_varied(prototypes: NDArray[np.floating], count: int) -> NDArray[np.int64]:
    """Up to `count` features of the (K, d) prototypes whose variance over the units is largest, in their own order."""
    values = np.asarray(prototypes, dtype=np.float64)
    known = np.isfinite(values)
    n_known = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / n_known
    variance = np.where(known, (values - mean) ** 2, 0.0).sum(axis=0) / n_known
    return np.sort(np.argsort(-variance, kind="stable")[:count])


def component_planes_figure(
    lattice: Lattice,
    prototypes: ArrayLike,
    feature_names: Sequence[str] = (),
    *,
    features: Sequence[int] | None = None,
    most: int = 36,
) -> Figure:
    """A grid of small maps, one per feature, each with its own colour scale in the units of the feature.

    prototypes: (K, d). features: which ones; by default all, or the `most` that vary most over the map (the title
    says so). Raises InputError where prototypes, names or features do not fit together.
    """
    values = np.asarray(prototypes, dtype=np.float64)
    if values.ndim != 2 or len(values) != lattice.n_units:
        raise InputError(
            f"prototypes have shape {values.shape}; allowed: ({lattice.n_units}, d), one row per unit"
        )
    d = values.shape[1]
    if len(feature_names) not in (0, d):
        raise InputError(
            f"{len(feature_names)} feature names for {d} features; allowed: none, or one per feature"
        )
    title = f"Component planes: {describe(lattice)}"
    if features is not None:
        chosen = np.asarray(features, dtype=np.int64)
        if chosen.size == 0 or chosen.min() < 0 or chosen.max() >= d:
            raise InputError(f"features {list(features)[:10]} are not all among 0..{d - 1}")
    elif d > most:
        chosen = most_varied(values, most)
        title += f"\nthe {most} of {d:,} features whose prototypes vary most"
    else:
        chosen = np.arange(d)
    left, right, bottom, top = limits(lattice)
    wide = (right - left) / (bottom - top)
    columns = int(np.clip(round(np.sqrt(len(chosen) / min(wide, 4.0) * 1.2)), 1, len(chosen)))
    rows = -(-len(chosen) // columns)
    side = float(np.clip(11.0 / columns, 1.5, 4.0))
    plane = side * (bottom - top) / (right - left) if wide > 1 else side
    figure = Figure(
        figsize=(columns * side, rows * (max(plane, 0.5) + 0.35) + 0.8),
        layout="constrained",
        facecolor="white",
    )
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(rows, columns, squeeze=False).reshape(-1)
    for axes, feature in zip(grid, chosen, strict=False):
        prepare_axes(axes, lattice)
        cells = draw_units(axes, lattice, values[:, feature])
        name = feature_names[feature] if len(feature_names) else f"feature {feature}"
        axes.set_title(literal(name, 24), fontsize=8)
        bar = figure.colorbar(cells, ax=axes, fraction=0.06, pad=0.02, aspect=16)
        bar.ax.tick_params(labelsize=6, length=2)
        bar.outline.set_visible(False)
    for axes in grid[len(chosen) :]:
        axes.set_visible(False)
    return figure
