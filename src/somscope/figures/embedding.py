"""Codes and prototypes in the plane, with the prototypes as pictures and the connections between them."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.figures.palette import class_colours, literal

__all__ = ["embedding_figure", "tsne_places"]

_MOST_CLASSES = 20  # named in a legend
_SIDE = 17.0  # points of a picture's side


def tsne_places(
    codes: ArrayLike, prototypes: ArrayLike, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 2) and (K, 2): codes (n, L) and prototypes (K, L) laid out together by scikit-learn's t-SNE.

    The perplexity is 30, or a third of the points where that is less. Raises InputError for fewer than 4 points.
    """
    from sklearn.manifold import TSNE

    points = np.concatenate([np.asarray(codes, np.float64), np.asarray(prototypes, np.float64)])
    if len(points) < 4:
        raise InputError(f"{len(points)} points; allowed: at least 4")
    start = "pca" if points.shape[1] > 1 else "random"  # the plane of the most variance, where there is one
    layout = TSNE(perplexity=min(30.0, (len(points) - 1) / 3), init=start, random_state=seed)
    places = np.asarray(layout.fit_transform(points), np.float64)
    n = len(np.asarray(codes))
    return places[:n], places[n:]


def embedding_figure(
    places: ArrayLike,
    unit_places: ArrayLike,
    connections: ArrayLike,
    *,
    images: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    names: tuple[str, ...] = (),
) -> Figure:
    """Points (n, 2) of the items, coloured by their labels (n,), below the units (K, 2) and their connections (K, K).

    images: (K, H, W[, C]) in [0, 1] or uint8, drawn on the units; labels: the number of a name, -1 for unknown.
    """
    points, units = np.asarray(places, np.float64), np.asarray(unit_places, np.float64)
    figure = Figure(figsize=(9.0, 8.0), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    given = np.full(len(points), -1) if labels is None else np.asarray(labels, np.int64)
    colours = class_colours(np.arange(max(len(names), 1)))
    for c in np.unique(given):
        part = points[given == c]
        colour, name = ("#9aa5b1", "_") if c < 0 else (colours[c], literal(names[c]))
        axes.scatter(part[:, 0], part[:, 1], s=4, color=colour, label=name, linewidths=0, alpha=0.7)
    edges = np.argwhere(np.triu(np.asarray(connections, np.bool_), 1))
    axes.add_collection(LineCollection(list(units[edges]), colors="#222222", linewidths=0.9, alpha=0.7))
    if images is None:
        axes.scatter(units[:, 0], units[:, 1], s=30, color="white", edgecolors="#222222", zorder=3)
    else:
        pictures = np.asarray(images)
        for place, picture in zip(
            units, pictures.clip(0, 255 if pictures.dtype == np.uint8 else 1), strict=True
        ):
            shown = OffsetImage(picture.squeeze(), zoom=_SIDE / max(picture.shape[:2]), cmap="gray")
            axes.add_artist(AnnotationBbox(shown, place, pad=0.1, bboxprops={"lw": 0.4}))
    if 0 < len(names) <= _MOST_CLASSES and (given >= 0).any():
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False, markerscale=4, fontsize=8)
    axes.set_title("Items and units, by t-SNE", loc="left", fontsize=12)
    axes.set_axis_off()
    return figure
