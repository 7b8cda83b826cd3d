"""The layers of the report's map: one value, one picture, one class or some words for each unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from somscope.figures.classes import majority
from somscope.figures.errors import MOST_PAIRS, topographic_error_pairs
from somscope.figures.planes import most_varied
from somscope.figures.transitions import most_probable_next
from somscope.maps.lattice import Lattice
from somscope.report.safe_json import short
from somscope.report.summary import MapSummary
from somscope.runs.distance import MapDistance

__all__ = [
    "class_layer",
    "cluster_layer",
    "cluster_layers",
    "component_layers",
    "connection_layer",
    "density_layer",
    "picture_layer",
    "relevance_layer",
    "transition_layer",
    "value_layers",
    "word_layer",
]

_MOST_PLANES = 48
_MOST_PLANE_VALUES = 150_000
_MOST_LINES = 2000  # of transitions, one of each unit


def value_layers(summary: MapSummary, lattice: Lattice, distance: MapDistance) -> list[dict[str, Any]]:
    """Hits, U-matrix, quantization error and topographic error."""
    hits = np.where(summary.hits > 0, summary.hits.astype(np.float64), np.nan)
    pairs, count = topographic_error_pairs(lattice, summary.units, summary.second_units)
    lines = np.column_stack([pairs, count])[:MOST_PAIRS].tolist()
    said = (
        f"the {MOST_PAIRS} most frequent of {len(pairs):,} pairs" if len(pairs) > MOST_PAIRS else "all pairs"
    )
    kind = {"4": "4", "8": "8", "hexagonal": "6", "connections": "connected"}[lattice.default_adjacency]
    layers = [
        _values("hits", "Hits", hits, "items per unit", "How many items each unit holds.", low=0.0),
        _values(
            "u-matrix",
            "U-matrix",
            summary.u_matrix,
            f"mean distance to the neighbouring prototypes ({distance.items})",
            "Bright ridges part groups of units that differ; dark valleys hold units that are alike.",
        ),
        _values(
            "quantization-error",
            "Quantization error",
            summary.mean_distance,
            f"mean distance of the members to the prototype ({distance.items})",
            "Bright units stand for items that they resemble less.",
        ),
        _values(
            "topographic-error",
            "Topographic error",
            summary.topographic_error,
            "share of a unit's members",
            f"Share of members whose second-best unit is not one of the {kind} neighbours: there the map is folded. "
            f"Lines join best and second unit ({said}; thicker means more items).",
            low=0.0,
        )
        | {"lines": lines},
    ]
    if summary.uncertainty is not None:
        layers.append(
            _values(
                "uncertainty",
                "Uncertainty",
                summary.uncertainty,
                "mean of the members; 0 one unit or group alone, 1 all alike",
                "Bright units hold items that might as well lie elsewhere: they deserve a second look.",
                low=0.0,
            )
        )
    return layers


def cluster_layers(summary: MapSummary, distance: MapDistance) -> list[dict[str, Any]]:
    """Sizes of clusters, how far they lie from each other, and how far their members lie from them."""
    return [
        _values(
            "hits",
            "Sizes",
            summary.hits.astype(np.float64),
            "items",
            "How many items each cluster has.",
            low=0.0,
        ),
        _values(
            "separation",
            "Separation",
            summary.u_matrix,
            f"distance to the nearest other centre ({distance.items})",
            "Dark clusters have another one close by; bright ones stand apart.",
        ),
        _values(
            "quantization-error",
            "Spread",
            summary.mean_distance,
            f"mean distance of the members to the centre ({distance.items})",
            "Bright clusters hold items that are less alike.",
        ),
    ]


def _values(
    key: str, title: str, values: NDArray[np.floating], unit: str, text: str, low: float | None = None
) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    lowest, highest = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    return {
        "key": key,
        "title": title,
        "type": "value",
        "values": short(values),
        "low": lowest if low is None else low,
        "high": highest,
        "unit": unit,
        "text": text,
    }


def density_layer(density: NDArray[np.floating]) -> dict[str, Any]:
    """The P-matrix."""
    return _values(
        "p-matrix",
        "P-matrix",
        density,
        "items within the Pareto radius of the prototype",
        "How dense the items lie around each prototype: bright units stand in the midst of many that are alike. "
        "Of a large collection a random sample is counted.",
    )


def picture_layer(key: str, title: str, sheet: str, text: str) -> dict[str, Any]:
    """A picture per unit from the sheet named `sheet`."""
    return {"key": key, "title": title, "type": "picture", "sheet": sheet, "text": text}


def class_layer(summary: MapSummary) -> dict[str, Any]:
    """Majority label and its share."""
    best, purity = majority(summary.counts)
    share = summary.counts.max(axis=1, initial=0).sum() / max(int(summary.counts.sum()), 1)
    return {
        "key": "labels",
        "title": "Labels",
        "type": "class",
        "classes": best.tolist(),
        "purity": short(purity, 3),
        "text": "The label that most members of a unit have; the paler, the smaller its share. "
        f"Over the whole map {share:.1%} of the labelled items have their unit's label (purity).",
    }


def connection_layer(lattice: Lattice) -> dict[str, Any]:
    """The graph of a map without a lattice."""
    edges = lattice.edges()
    degree = np.bincount(edges.ravel(), minlength=lattice.n_units).astype(np.float64)
    layer = _values(
        "connections",
        "Connections",
        degree,
        "units that the unit is connected with",
        "Lines join units that activate each other from the threshold. Where a unit lies says nothing else: cells were "
        "chosen so that connected and similar units lie together.",
        low=0.0,
    )
    return layer | {"lines": [[a, b, 1] for a, b in edges.tolist()]}


def relevance_layer(relevances: NDArray[np.floating]) -> dict[str, Any]:
    """How many dimensions matter to each unit; relevances: (K, d)."""
    return _values(
        "relevances",
        "Relevances",
        np.asarray(relevances, np.float64).mean(axis=1),
        "mean relevance of a unit's dimensions, from 0 to 1",
        "Bright units look at nearly all dimensions, dark ones at few.",
    )


def cluster_layer(clusters: NDArray[np.integer]) -> dict[str, Any]:
    """Clusters of units."""
    return {
        "key": "clusters",
        "title": "Clusters",
        "type": "cluster",
        "classes": np.asarray(clusters).reshape(-1).tolist(),
        "text": "Units joined into clusters by the likeness of their prototypes along the lattice.",
    }


def transition_layer(lattice: Lattice, matrix: NDArray[np.floating]) -> dict[str, Any]:
    """Where a sequence goes from each unit; matrix: (K, K), row j the distribution of the unit that follows unit j."""
    stay, following, share = most_probable_next(lattice, matrix)
    lines = [
        [unit, to, round(100 * probability, 1)]
        for unit, (to, probability) in enumerate(zip(following.tolist(), share.tolist(), strict=True))
        if to >= 0
    ]
    layer = _values(
        "transitions",
        "Transitions",
        stay,
        "probability that the next item of a sequence lies at the same unit",
        "How probably a sequence stays at the unit. A line joins each unit with the other one that most probably "
        "follows it; thicker means more probable.",
        low=0.0,
    )
    return layer | {"high": 1.0, "lines": lines[:_MOST_LINES]}


def word_layer(words: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The words that tell each unit from the others."""
    return {
        "key": "words",
        "title": "Words",
        "type": "word",
        "words": [list(row) for row in words],
        "text": "The terms whose weight at a unit exceeds their mean over the map the most, where there is room.",
    }


def component_layers(
    prototypes: NDArray[np.floating], names: Sequence[str]
) -> tuple[list[dict[str, Any]], str]:
    """One value layer per feature, and a note when only those that vary most are kept."""
    n_units, d = prototypes.shape
    most = max(1, min(_MOST_PLANES, _MOST_PLANE_VALUES // n_units))
    chosen = most_varied(prototypes, most) if d > most else np.arange(d)
    planes = []
    for feature in chosen.tolist():
        name = str(names[feature]) if feature < len(names) else f"feature {feature}"
        plane = _values(
            f"component-{feature}", name, prototypes[:, feature], name, f"The prototypes' values of {name}."
        )
        planes.append(plane)
    note = f"The {most} of {d:,} features whose prototypes vary most are shown." if d > most else ""
    return planes, note
