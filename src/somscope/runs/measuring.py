"""The measures of a trained map: in the space that it sees, and within the memory that a large one allows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse

from somscope.data.collection import Collection
from somscope.maps.graph import GraphLattice
from somscope.maps.lattice import Lattice
from somscope.measures import (
    accuracy,
    agreement,
    dead_units,
    measure_map,
    nmi,
    p_matrix,
    pareto_radius,
    topographic_function,
    unit_perplexity,
)
from somscope.runs.distance import MapDistance
from somscope.runs.features import LARGE_BYTES, feature_matrix, is_large, unit_groups

__all__ = ["MEASURED_ITEMS", "MOST_UNITS", "Seen", "density", "measure_run"]

MOST_UNITS = 5000  # beyond it, measures that hold a number for each pair of units (K x K) are left out
MEASURED_ITEMS = 100_000  # of a large collection, a random sample for the measures that need the features
DENSITY_ITEMS = 10_000  # of any collection, a random sample for the P-matrix
_DENSITY_WORK = 2e10  # items x units x features that the P-matrix may take
_DECODED = 1024  # items that are decoded together

Units = NDArray[Any]


@dataclass(frozen=True)
class Seen:
    """A trained map and its items, in the space in which it measures: weighed features, or codes."""

    model: Any
    distance: MapDistance
    collection: Collection

    @property
    def lattice(self) -> Lattice:
        """The lattice of the map."""
        lattice: Lattice = self.model.lattice_
        return lattice

    @property
    def prototypes(self) -> Any:
        """(K, d)."""
        return self.distance.shaped(self.model.prototypes_)

    def items(self, rows: Units | None = None) -> Any:
        """(n, d); rows: their numbers, None takes all."""
        if self.distance.codes:
            return self.model.encode(self.collection if rows is None else self.collection.features[rows])
        return self.distance.shaped(feature_matrix(self.collection, rows))


def measure_run(
    seen: Seen, units: Units, distances: NDArray[np.floating]
) -> tuple[dict[str, float], list[tuple[str, str]]]:
    """The measures by name, and (what, why) of those that were left out because something was too large.

    units, distances: (n, 2) best and second units and their distances ((n, 1) on a map of one unit). The quantization
    error is the mean of the map's own distance; other distances are Euclidean, between the rows as the map sees them.
    A map of codes also has its reconstruction error, one with groups of units the agreement of these with the labels.
    """
    collection, lattice = seen.collection, seen.lattice
    metrics: dict[str, float] = {}
    left_out: list[tuple[str, str]] = []
    large, many = is_large(collection), lattice.n_units > MOST_UNITS
    rows = _sample(collection.n_items, MEASURED_ITEMS) if large else np.arange(collection.n_items)
    if len(rows) < collection.n_items:
        what = f"all but a random sample of {len(rows):,} items, in the measures that need the features"
        left_out.append((what, f"the features take more than {LARGE_BYTES / 2**30:g} GiB"))
    if many:
        why = (
            f"the map has {lattice.n_units:,} units, and they compare every pair of more than {MOST_UNITS:,}"
        )
        left_out.append(("the measures over all pairs of units, such as the topographic product", why))
    elif not isinstance(lattice, GraphLattice):  # whose measures are of distances on a lattice
        metrics = measure_map(
            seen.items(rows if large else None),
            seen.prototypes,
            lattice,
            units[rows, 0],
            units[rows, 1] if units.shape[1] > 1 else None,
            labels=None if collection.labels is None else collection.labels[rows],
        )
        if units.shape[1] > 1:
            sides = "hexagonal" if lattice.shape == "hexagonal" else "4"
            steps = lattice.steps(), lattice.adjacency(sides)
            function = topographic_function(units[:, 0], units[:, 1], *steps)
            metrics["topographic_function"] = float(function.values[function.k == 0][0])
    metrics["quantization_error"] = float(np.mean(distances[:, 0], dtype=np.float64))
    if seen.distance.codes:
        metrics["reconstruction_error"] = _reconstruction_error(seen, rows)
    if large or many or isinstance(lattice, GraphLattice):
        metrics |= _from_units(lattice, units, collection.labels)
    groups = unit_groups(seen.model)
    if groups is not None and collection.labels is not None and (collection.labels >= 0).any():
        found = groups[units[:, 0]]
        metrics["group_accuracy"] = accuracy(collection.labels, found)
        metrics["group_nmi_arithmetic"] = nmi(collection.labels, found, average="arithmetic")
    return metrics, left_out


def _reconstruction_error(seen: Seen, rows: Units) -> float:
    """Mean over these items and all features of (x' - x)^2, where x' is what the network makes of the code of x."""
    collection, total = seen.collection, 0.0
    for start in range(0, len(rows), _DECODED):
        part = rows[start : start + _DECODED]
        wanted = feature_matrix(collection, part)
        wanted = wanted.toarray() if issparse(wanted) else wanted
        made = seen.model.decode(seen.model.encode(collection.features[part]))
        total += float(((made - wanted).astype(np.float64) ** 2).sum())
    return total / (len(rows) * collection.n_features)


def density(seen: Seen) -> NDArray[np.int64]:
    """(K,) the P-matrix: how many of at most 10,000 random items lie within the Pareto radius of each prototype.

    Distances are Euclidean between the rows as the map sees them. With many units or features the sample is smaller, so
    that it takes about a second.
    """
    prototypes, lattice = seen.prototypes, seen.lattice
    most = int(np.clip(_DENSITY_WORK // max(1, prototypes.size), 1000, DENSITY_ITEMS))
    items = seen.items(_sample(seen.collection.n_items, most))
    radius = pareto_radius(items, sample_size=2000)
    return p_matrix(items, prototypes, (1, lattice.n_units), radius).reshape(-1)


def _sample(n_items: int, most: int) -> Units:
    """At most so many row numbers, in their order; the same ones in every run."""
    if n_items <= most:
        return np.arange(n_items)
    return np.sort(np.random.default_rng(0).choice(n_items, most, replace=False))


def _from_units(lattice: Lattice, units: Units, labels: Units | None) -> dict[str, float]:
    """The measures that need no features and no pairs of units, so that all items count however many there are."""
    first = units[:, 0]
    metrics: dict[str, float] = {}
    if units.shape[1] > 1 and not isinstance(lattice, GraphLattice):
        for kind in ("hexagonal",) if lattice.shape == "hexagonal" else ("4", "8"):
            torn = ~lattice.are_neighbours(first, units[:, 1], kind)
            metrics[f"topographic_error_{kind}"] = float(torn.mean())
    metrics["unit_perplexity"] = unit_perplexity(first, lattice.n_units)
    metrics["dead_units"] = dead_units(first, lattice.n_units)
    if labels is not None and (labels >= 0).any():
        metrics |= agreement(labels, first)
    return metrics
