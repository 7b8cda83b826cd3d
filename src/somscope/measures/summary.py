"""All the measures of one map in one call: what a run's metrics.json holds."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from somscope.errors import InputError
from somscope.measures import clustering
from somscope.measures._arrays import (
    Floats,
    Mask,
    Units,
    as_count,
    as_distances,
    as_features,
    as_labels,
    as_prototypes,
    as_units,
    observed_items,
)
from somscope.measures.classes import class_scatter_index
from somscope.measures.preservation import trust_and_preservation
from somscope.measures.product import topographic_product
from somscope.measures.quantization import distortion, gaussian_neighbourhood, item_distances
from somscope.measures.stress import kruskal_shepard
from somscope.measures.topographic import combined_error, topographic_error
from somscope.measures.units import dead_units, unit_perplexity

__all__ = ["LatticeLike", "agreement", "measure_map"]


class LatticeLike(Protocol):
    """What `measure_map` asks of a lattice; `somscope.maps.lattice.Lattice` has it."""

    @property
    def shape(self) -> str: ...
    @property
    def n_units(self) -> int: ...
    def adjacency(self, kind: str | None = None) -> NDArray[np.bool_]: ...
    def distances(self) -> NDArray[np.float64]: ...


def measure_map(
    features: Any,
    prototypes: ArrayLike,
    lattice: LatticeLike,
    best: ArrayLike,
    second: ArrayLike | None = None,
    distances: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    *,
    n_neighbours: int = 10,
    radius: float = 1.0,
    min_share: float = 0.0,
    sample_size: int = 10_000,
    random_state: int = 0,
) -> dict[str, float]:
    """The measures of a map by name, all finite; a measure that is not defined for this input is left out.

    features: (n, d) dense (NaN = missing) or CSR. prototypes: (K, d). best, second: (n,) units; without `second` (a
    map of one unit has none) there are no topographic and combined errors. distances: (n,) Euclidean distance to the
    best unit, computed when None. labels: (n,), -1 = none; without any label there are no measures of agreement.
    Adjacency: "4" and "8" on a rectangular lattice, "hexagonal" on a hexagonal one; the combined error and the class
    scatter index use the lattice's default ("8", "hexagonal"). Lattice distances are Euclidean, in steps.
    n_neighbours: k of trustworthiness and neighbourhood preservation, lowered to (n - 1) // 2 for few items (left out
    below 3 items). radius: of the Gaussian neighbourhood in `distortion`, lattice steps. min_share: of
    `class_scatter_index`. The three measures over all pairs of items use a random sample of `sample_size` items
    (drawn with `random_state`) when there are more; the entry "sample_size" says how many items they used.
    Items all of whose features are missing are left out: they say nothing about the map.
    Raises InputError as the single measures do. Each name is described in `DESCRIPTIONS`.
    """
    x = as_features(features)
    m = as_prototypes(prototypes, x.shape[1])
    n, k = x.shape[0], lattice.n_units
    if len(m) != k:
        raise InputError(f"there are {len(m)} prototypes but the lattice has {k} units")
    first = as_units("best", best, k, n)
    other = None if second is None else as_units("second", second, k, n)
    to_best = None if distances is None else as_distances(distances, n)
    y = None if labels is None else as_labels("labels", labels, n)
    seen = observed_items(x)
    if not seen.all():
        if not seen.any():
            raise InputError("no item has an observed feature (all NaN)")
        x, first, n = x[seen], first[seen], int(seen.sum())
        other, y = (None if part is None else part[seen] for part in (other, y))
        to_best = None if to_best is None else to_best[seen]
    to_best = item_distances(x, m, first) if to_best is None else to_best
    steps = lattice.distances()
    result = {"quantization_error": float(to_best.mean())}
    if other is not None and k > 1:
        result |= _topographic(m, lattice, first, other, to_best)
    if k > 1 and (m != m[0]).any():
        result["topographic_product"] = topographic_product(m, steps)
    result["distortion"] = distortion(x, m, first, gaussian_neighbourhood(steps, radius))
    as_count("n_neighbours", n_neighbours, 1, np.iinfo(np.int64).max)
    as_count("sample_size", sample_size, 3, np.iinfo(np.int64).max)
    if n > sample_size:
        chosen = np.sort(np.random.default_rng(random_state).choice(n, sample_size, replace=False))
        result |= _pairwise(x[chosen], first[chosen], steps, n_neighbours)
    else:
        result |= _pairwise(x, first, steps, n_neighbours)
    result["unit_perplexity"] = unit_perplexity(first, k)
    result["dead_units"] = dead_units(first, k)
    if y is not None and (y >= 0).any():
        result["class_scatter_index"] = class_scatter_index(y, first, lattice.adjacency(), min_share)
        result |= agreement(y, first)
    return result


def _topographic(
    m: Floats, lattice: LatticeLike, first: Units, second: Units, to_best: Floats
) -> dict[str, float]:
    kinds = ("hexagonal",) if lattice.shape == "hexagonal" else ("4", "8")
    near: Mask = lattice.adjacency(kinds[-1])
    result = {
        f"topographic_error_{kind}": topographic_error(first, second, lattice.adjacency(kind))
        for kind in kinds
    }
    result["combined_error"] = combined_error(to_best, m, first, second, near)
    return result


def _pairwise(x: Any, first: Units, steps: Floats, n_neighbours: int) -> dict[str, float]:
    n = x.shape[0]
    result: dict[str, float] = {}
    if n >= 3:
        trust, kept = trust_and_preservation(x, first, steps, min(n_neighbours, (n - 1) // 2))
        result |= {"trustworthiness": trust, "neighbourhood_preservation": kept}
    if n >= 2:
        result |= {"kruskal_shepard": kruskal_shepard(x, first, steps), "sample_size": n}
    return result


def agreement(y: ArrayLike, clusters: ArrayLike) -> dict[str, float]:
    """The measures of agreement between the labels (n,) of items, -1 for none, and their units or clusters (n,)."""
    return {
        "purity": clustering.purity(y, clusters),
        "nmi_arithmetic": clustering.nmi(y, clusters, average="arithmetic"),
        "nmi_geometric": clustering.nmi(y, clusters, average="geometric"),
        "accuracy": clustering.accuracy(y, clusters),
        "ari": clustering.adjusted_rand_index(y, clusters),
        "ami": clustering.adjusted_mutual_information(y, clusters),
        "homogeneity": clustering.homogeneity(y, clusters),
        "completeness": clustering.completeness(y, clusters),
    }
