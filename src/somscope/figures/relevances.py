"""What relevances mean, in pictures: dimensions disturbed and walked, what units share (SOMRL paper, Fig. 3, 4, 8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from somscope import measures
from somscope.figures.contact_sheet import contact_sheet_figure

__all__ = [
    "as_bytes",
    "intersections_figure",
    "perturbation_figure",
    "taught_units",
    "traversal_figure",
    "units_of_a_kind",
]

Decode = Callable[[NDArray[np.floating]], ArrayLike]
Units = NDArray[np.integer]

_MOST_UNITS = 8
_AMOUNT = 0.25
_SHOWN = (
    ("relevance < 0.3", -1.0, 0.3),
    ("relevance < 0.4", -1.0, 0.4),
    ("relevance < 0.5", -1.0, 0.5),
    ("relevance > 0.6", 0.6, 2.0),
)


def taught_units(relevances: NDArray[np.floating], hits: Units) -> Units:
    """The units with most items, at most 8, among those whose relevances (K, L) differ; hits: (K,)."""
    taught = np.flatnonzero(np.ptp(relevances, axis=1) > 0)
    return taught[np.argsort(-hits[taught], kind="stable")][:_MOST_UNITS]


def perturbation_figure(
    prototypes: NDArray[np.floating],
    relevances: NDArray[np.floating],
    decode: Decode,
    shape: Sequence[int],
    units: Units,
    seed: int = 0,
) -> Figure:
    """Decoded prototypes of some units, and the same with the dimensions below or above a relevance moved by 0.25 in
    random directions (Fig. 3).

    prototypes, relevances: (K, L); decode: (n, L) -> (n, d) in [0, 1]; shape: of an image; units: from `taught_units`.
    """
    generator = np.random.default_rng(seed)
    start, weight = prototypes[units], relevances[units]
    sheet = {"prototype": as_bytes(decode(start), shape)}
    for title, low, high in _SHOWN:
        chosen = (weight > low) & (weight < high)
        sheet[title] = as_bytes(decode(measures.perturbed(start, chosen, _AMOUNT, generator)), shape)
    return contact_sheet_figure(sheet, [f"unit {unit}" for unit in units])


def traversal_figure(
    prototypes: NDArray[np.floating],
    relevances: NDArray[np.floating],
    decode: Decode,
    shape: Sequence[int],
    units: Units,
) -> Figure:
    """The most relevant dimension of each of some units walked from 0 to 1, the others held (Fig. 4); arguments as in
    `perturbation_figure`."""
    best = relevances[units].argmax(axis=1)
    walks = [measures.traversal(prototypes[u], int(d)) for u, d in zip(units, best, strict=True)]
    pictures = np.stack([as_bytes(decode(walked), shape) for _, walked in walks], axis=1)
    titles = [f"{value:g}" for value in walks[0][0]]
    names = [f"unit {u}, dim {d}" for u, d in zip(units, best, strict=True)]
    return contact_sheet_figure(dict(zip(titles, pictures, strict=True)), names)


def units_of_a_kind(
    hits: Units, connections: NDArray[np.bool_], units: Units, labels: ArrayLike
) -> list[tuple[str, Units]]:
    """(what they share, three units), those with most items first: of one majority label, or, where no item has a
    label, a unit and two that it is connected with.

    hits: (K,); connections: (K, K); units, labels: (n,) unit and label of each item, "" for one without.
    """
    order = np.argsort(-hits, kind="stable")
    named = np.asarray(labels, dtype=np.str_)
    if (named != "").any():
        kinds, number = np.unique(named, return_inverse=True)
        counts = np.zeros((len(hits), len(kinds)), np.int64)
        np.add.at(counts, (units, number), 1)
        own = counts.argmax(axis=1)
        found = [(str(kind), order[own[order] == c][:3]) for c, kind in enumerate(kinds) if kind]
    else:
        found = [(f"unit {u}", np.append(u, order[connections[u][order]][:2])) for u in order[:_MOST_UNITS]]
    return [(name, three) for name, three in found if len(three) == 3]


def intersections_figure(
    groups: Sequence[tuple[str, Units]], pictures: NDArray[np.floating], shape: Sequence[int]
) -> Figure:
    """Three units of each kind, and the darkest and the brightest of them at each pixel (Fig. 8, 9).

    groups: from `units_of_a_kind`; pictures: (K, d) decoded prototypes in [0, 1].
    """
    members = np.stack([as_bytes(pictures[units], shape) for _, units in groups], axis=1)
    sheet = {f"member {i + 1}": shown for i, shown in enumerate(members)}
    sheet |= {"intersection": members.min(axis=0), "union": members.max(axis=0)}
    return contact_sheet_figure(sheet, [name for name, _ in groups])


def as_bytes(values: ArrayLike, shape: Sequence[int]) -> NDArray[np.uint8]:
    """(n, d) values in [0, 1] -> (n, H, W, C) pictures; what lies outside is clipped."""
    shown: NDArray[np.uint8] = np.rint(255 * np.clip(values, 0, 1)).astype(np.uint8).reshape(-1, *shape)
    return shown
