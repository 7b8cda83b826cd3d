"""Figures of a clustering: how large the clusters are and what labels they hold, and where they lie among the codes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.figures.palette import class_colours, literal
from somscope.figures.pictures import mosaic
from somscope.maps.lattice import Lattice

__all__ = ["centre_pictures_figure", "cluster_sizes_figure", "latent_figure"]

_MOST_ITEMS = 5000  # drawn, a random sample of more
_MOST_CLASSES = 20  # named in a legend
_PLATE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1.5}
_LINE = 0.24  # inches for each cluster


def cluster_sizes_figure(
    sizes: ArrayLike, counts: ArrayLike | None = None, names: tuple[str, ...] = ()
) -> Figure:
    """A bar for each cluster, the largest at the top, parted by the labels of its items.

    sizes: (K,) items of each cluster; counts: (K, C) of them with each label, None without labels; names: of the C.
    """
    sizes = np.asarray(sizes, np.int64)
    order = np.argsort(-sizes, kind="stable")
    rows = np.arange(len(sizes))
    figure = Figure(
        figsize=(7.0, max(2.2, 1.0 + _LINE * len(sizes))), layout="constrained", facecolor="white"
    )
    axes = figure.add_subplot()
    labelled = np.zeros(len(sizes), np.int64)
    if counts is not None and np.asarray(counts).any():
        counts = np.asarray(counts, np.int64)
        if counts.shape != (len(sizes), len(names)):
            raise InputError(f"counts has shape {counts.shape}; allowed: {(len(sizes), len(names))}")
        colours = class_colours(np.arange(len(names)))
        for c in np.flatnonzero(counts.any(axis=0)):
            axes.barh(
                rows, counts[order, c], left=labelled[order], color=colours[c], label=literal(str(names[c]))
            )
            labelled = labelled + counts[:, c]
        if len(names) <= _MOST_CLASSES:
            axes.legend(
                loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8, frameon=False, title="label"
            )
    rest = sizes - labelled
    if rest.any():
        axes.barh(rows, rest[order], left=labelled[order], color="#9aa5b1")
    axes.set_yticks(rows, [str(k) for k in order], fontsize=8)
    axes.invert_yaxis()
    axes.set(xlabel="items", ylabel="cluster")
    axes.set_title("Sizes of the clusters", loc="left", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def centre_pictures_figure(cells: Lattice, images: ArrayLike, sizes: ArrayLike) -> Figure:
    """The centres as pictures in their cells, each with its number and how many items it has.

    images: (K, H, W[, C]) in [0, 1] or uint8; sizes: (K,).
    """
    canvas, extent = mosaic(cells, images)
    across, down = extent[1] - extent[0], extent[2] - extent[3]
    figure = Figure(figsize=(1.1 * across + 0.3, 1.1 * down + 0.6), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.imshow(canvas, extent=extent, interpolation="nearest", origin="upper")
    for k, (x, y) in enumerate(cells.positions):
        said = f"{k}: {int(np.asarray(sizes)[k]):,}"
        axes.text(x - 0.41, y + 0.41, said, va="bottom", fontsize=7, bbox=_PLATE)
    axes.axis("off")
    axes.set_title("Centres: number and items, the largest cluster first", loc="left", fontsize=10)
    return figure


def latent_figure(codes: ArrayLike, clusters: ArrayLike, centres: ArrayLike) -> Figure:
    """Codes (n, L) in the plane of their two principal directions, coloured by cluster (n,), and centres (K, L).

    At most 5,000 items are drawn, a random sample of more. The axes say how much of the variance they show.
    """
    codes, centres = np.asarray(codes, np.float64), np.asarray(centres, np.float64)
    clusters = np.asarray(clusters, np.int64)
    middle, axes_of, share = _plane(codes)
    rng = np.random.default_rng(0)
    drawn = rng.choice(len(codes), _MOST_ITEMS, replace=False) if len(codes) > _MOST_ITEMS else slice(None)
    at, number = (codes[drawn] - middle) @ axes_of, clusters[drawn]
    places = (centres - middle) @ axes_of
    figure = Figure(figsize=(7.0, 6.0), layout="constrained", facecolor="white")
    axes = figure.add_subplot()
    axes.scatter(at[:, 0], at[:, 1], s=5, c=class_colours(number), alpha=0.6, linewidths=0, rasterized=True)
    axes.scatter(places[:, 0], places[:, 1], s=170, c="white", edgecolors="black", linewidths=1.0, zorder=3)
    for k, (x, y) in enumerate(places):
        axes.text(x, y, str(k), ha="center", va="center", fontsize=8, zorder=4)
    axes.set(
        xlabel=f"first principal direction ({share[0]:.0%} of the variance)",
        ylabel=f"second principal direction ({share[1]:.0%})",
        aspect="equal",
    )
    axes.set_adjustable("datalim")
    axes.tick_params(labelsize=8)
    note = f"{len(at):,} of {len(codes):,} items" if len(at) < len(codes) else f"{len(codes):,} items"
    axes.set_title(f"Codes by cluster: {note}", loc="left", fontsize=12)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _plane(
    codes: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean (L,), the two principal directions (L, 2), and the share of the variance along each (2,)."""
    middle = codes.mean(axis=0)
    covariance = np.atleast_2d(np.cov(codes - middle, rowvar=False, bias=True))
    values, vectors = np.linalg.eigh(covariance)
    axes = np.zeros((codes.shape[1], 2))
    share = np.zeros(2)
    kept = min(2, codes.shape[1])
    axes[:, :kept] = vectors[:, ::-1][:, :kept]
    share[:kept] = values[::-1][:kept] / max(values.sum(), 1e-300)
    return middle, axes, share
