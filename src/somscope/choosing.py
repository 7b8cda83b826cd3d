"""Which map suits a collection for which none was named, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from somscope.data.collection import Collection
from somscope.nets.fixed import FEW_ITEMS
from somscope.runs import is_large

__all__ = ["DefaultMap", "default_map", "likely_duration"]

_MOST_TEXT = 2**30  # bytes of dense word counts, which a network needs
_LONG = 16  # columns; with fewer, each may matter, and directions are soon exhausted


@dataclass(frozen=True)
class DefaultMap:
    """model: a name of `models.table.MAPS`. parameters: of it, where they are not its own defaults. why: one line for
    the user, or None where the plain map is chosen."""

    model: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    why: str | None = None


def default_map(collection: Collection) -> DefaultMap:
    """contrastive-som for images, texts and long vectors; som for tables, and where there is too much or too little.

    Images: what they show is not where their pixels lie. Texts: they may be alike without a word in common. Vectors
    whose columns have no names: one by one, they say little. Tables: each column has its own picture of the map, and
    gaps are no obstacle. See docs/commands/map.md.
    """
    n, few = collection.n_items, collection.n_items < FEW_ITEMS
    if collection.kind == "text":
        if 4 * n * collection.n_features > _MOST_TEXT or is_large(collection):
            return DefaultMap("som")
        why = "latent semantic analysis and a batch SOM; --model som compares their words"
    elif collection.kind == "images":
        why = "histograms of their gradients and a batch SOM; --model som compares pixels"
        if not few:
            return DefaultMap("contrastive-som")
    elif few or not _long_vectors(collection):
        return DefaultMap("som")
    said = f"{n:,} {_items(collection)}, too few to learn from: contrastive-som takes {why}" if few else None
    return DefaultMap("contrastive-som", {"grid": "auto"}, said)


def _long_vectors(collection: Collection) -> bool:
    """Whether rows are long and without gaps, of columns without names, and not too many for a network."""
    features = collection.features
    long = not collection.feature_names and collection.n_features >= _LONG and not is_large(collection)
    return long and isinstance(features, np.ndarray) and not np.isnan(features).any()


def likely_duration(collection: Collection, parameters: Mapping[str, Any]) -> str:
    """The line for items that an encoder is trained on: how long it will take here, and what is faster."""
    from somscope.models.contrastive_som import ContrastiveSOM
    from somscope.models.duration import expected_seconds

    known = {name: value for name, value in parameters.items() if name not in ("training", "verbose")}
    seconds = expected_seconds(ContrastiveSOM(**known), collection)
    compared = {"text": "words", "images": "pixels"}.get(collection.kind, "columns")
    return (
        f"{collection.n_items:,} {_items(collection)}: contrastive-som, which takes about {_rounded(seconds)} here; "
        f"--model som makes a plain map of their {compared}, much faster"
    )


def _items(collection: Collection) -> str:
    many = "texts" if collection.kind == "text" else collection.kind
    return many if collection.n_items != 1 else many.removesuffix("s")


def _rounded(seconds: float) -> str:
    """Two digits at most: an estimate of how long a training takes is no better."""
    if seconds < 90:
        return f"{max(10, round(seconds, -1)):.0f} seconds"
    if seconds <= 90 * 60:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
