"""What a map measures distances in: the one place that knows it for the measures, the figures and the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse

from somscope.maps.distances import column_scale

__all__ = ["MapDistance"]

_PLAIN = {"images": "pixels from 0 to 1", "text": "TF-IDF weights"}


@dataclass(frozen=True)
class MapDistance:
    """The distance of a map, and the words for its unit.

    metric: "euclidean", "cosine" or "manhattan". weights: (d,) feature weights, None for equal ones.
    kind: of the collection. scaled: whether the weights measure each feature in its standard deviations.
    codes: whether the map lies among the codes of a network, whose scale nobody chose.
    relevant: whether each unit weighs the features by relevances of its own.
    """

    metric: str = "euclidean"
    weights: NDArray[np.float64] | None = None
    kind: str = "vectors"
    scaled: bool = False
    codes: bool = False
    relevant: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any], weights: ArrayLike | None) -> MapDistance:
        """The distance of a run's map; config: of the run. weights: the `feature_weights` of its model."""
        parameters = config["model"].get("parameters") or {}
        return cls(
            metric=parameters.get("metric") or "euclidean",
            weights=None if weights is None else np.asarray(weights, dtype=np.float64),
            kind=config["collection"]["kind"],
            scaled="scale" in (config.get("chosen") or {}),
            codes="latent_dim" in parameters,
            relevant="relevance_rate" in parameters,
        )

    @property
    def items(self) -> str:
        """The unit of the distance between items and prototypes, and between prototypes (the U-matrix)."""
        if self.relevant:
            return "root mean square by relevance, on a scale from 0 to 1"
        if self.codes:
            return "between codes, no unit"
        if self.metric == "cosine":
            return "1 - cosine"
        return f"sum of absolute differences, {self._unit}" if self.metric == "manhattan" else self._euclidean

    @property
    def measured(self) -> str:
        """The unit of the measures that are Euclidean by definition: they are taken between `shaped` rows."""
        if self.codes:
            return self.items
        return "Euclidean distance of directions, 0 to 2" if self.metric == "cosine" else self._euclidean

    @property
    def features(self) -> str:
        """The unit of a feature, whatever the map measures."""
        return _PLAIN.get(self.kind, "units of the features")

    @property
    def _euclidean(self) -> str:
        plain = self._unit  # of pixels it must be said how their differences are joined
        return f"Euclidean, {plain}" if plain in _PLAIN.values() else plain

    @property
    def _unit(self) -> str:
        if self.scaled:
            return "standard deviations"
        if self.weights is not None:
            return "weighted units of the features"
        return self.features

    def shaped(self, rows: Any) -> Any:
        """(n, d) items or prototypes, dense or CSR, in the space that the map sees: weighted, and for cosine of
        length 1."""
        scale = column_scale(self.metric, self.weights)
        if scale is not None:
            rows = rows.multiply(scale).tocsr() if issparse(rows) else rows * scale
        if self.metric == "cosine":
            from sklearn.preprocessing import normalize

            rows = normalize(rows)
        return rows
