"""Features measured in their standard deviations, by feature weights, so that prototypes stay in the data's units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from somscope.data.collection import Collection
from somscope.errors import InputError
from somscope.runs.features import FeatureBlocks

__all__ = ["SCALES", "is_scaled", "standard_weights", "uneven_columns", "with_weights"]

SCALES = ("auto", "none", "standard")
_UNEVEN = 10.0  # ratio of standard deviations beyond which the larger ones decide alone


def is_scaled(collection: Collection, scale: str) -> bool:
    """Whether the features are to be scaled; "auto": those of tables with named columns."""
    if scale == "auto":
        return collection.kind == "vectors" and bool(collection.feature_names)
    return scale == "standard"


def standard_weights(collection: Collection) -> NDArray[np.float64]:
    """(d,) 1 / variance of each feature over its known values; 1 for a feature that is constant or never known."""
    if issparse(collection.features):
        raise InputError("scale='standard' needs dense features: sparse ones stay as they are")
    variance = _variances(collection)
    return 1.0 / np.where(variance > 0, variance, 1.0)


def _variances(collection: Collection) -> NDArray[np.float64]:
    """(d,) variance of each feature over its known values; 0 for a feature that is constant or never known."""
    count, total, squared = (np.zeros(collection.n_features) for _ in range(3))
    for block in FeatureBlocks(collection):
        known = np.isfinite(block)
        count += known.sum(axis=0)
        total += np.where(known, block, 0).sum(axis=0, dtype=np.float64)
    mean = total / np.maximum(count, 1)
    for block in FeatureBlocks(collection):  # a second reading: the squares of far-off values would cancel
        squared += np.where(np.isfinite(block), (block - mean) ** 2, 0).sum(axis=0, dtype=np.float64)
    variance = squared / np.maximum(count, 1)
    # Rounding leaves a constant column with a variance of about (eps * mean)^2, which must not be blown up.
    flat = variance <= (10 * np.finfo(block.dtype).eps * np.abs(mean)) ** 2
    return np.where(flat, 0.0, variance)


def with_weights(parameters: Mapping[str, Any], weights: NDArray[np.float64]) -> dict[str, Any]:
    """The parameters of a map with these weights of squared differences."""
    if parameters.get("feature_weights") is not None:
        raise InputError("feature_weights and scale='standard' exclude each other: give scale='none'")
    if parameters.get("metric") == "manhattan":  # its weights multiply differences, not their squares
        weights = np.sqrt(weights)
    return {**parameters, "feature_weights": weights}


def uneven_columns(collection: Collection) -> str | None:
    """A warning for a table whose columns spread so differently that some decide alone; None for an even one."""
    if issparse(collection.features):
        return None
    deviations = np.sqrt(_variances(collection))
    least, most = int(np.where(deviations > 0, deviations, np.inf).argmin()), int(deviations.argmax())
    if deviations[most] <= _UNEVEN * deviations[least]:
        return None
    names = collection.feature_names
    return (
        f"columns are used as they are, and spread very differently: {names[most]} by {deviations[most]:.3g}, "
        f"{names[least]} by {deviations[least]:.3g} (standard deviations); scale them in the table, or those that "
        "spread most decide alone"
    )
