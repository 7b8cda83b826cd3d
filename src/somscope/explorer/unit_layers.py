"""The layers of a map: what its units can be coloured by, in words and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from somscope.explorer.columns import pack_columns
from somscope.explorer.metadata import metadata_layer
from somscope.maps.graph import GraphLattice
from somscope.report import layers
from somscope.report.safe_json import short
from somscope.report.words import distinctive_terms, standing_out
from somscope.runs.run import is_clustering

if TYPE_CHECKING:
    from somscope.explorer.shown import Shown

__all__ = ["layer_columns"]


def layer_columns(shown: Shown) -> bytes:
    """The layers: their words in the header, and for each its column of values or classes over the units."""
    columns: dict[str, NDArray[Any]] = {}
    described = []
    for layer in _layers(shown):
        key = layer["key"]
        values = layer.pop("values", None)
        if values is not None:
            columns[key] = np.array([np.nan if v is None else v for v in values], dtype=np.float32)
        if "classes" in layer:
            columns[key] = np.array(layer.pop("classes"), dtype=np.int32)
        if "purity" in layer:
            shares = [0.0 if v is None else v for v in layer.pop("purity")]
            columns[f"{key}.purity"] = np.array(shares, dtype=np.float32)
        for mark in ("hatched", "framed"):
            if mark in layer:
                columns[f"{key}.{mark}"] = np.array(layer.pop(mark), dtype=np.uint8)
        if "lines" in layer:
            lines = np.array(layer.pop("lines"), dtype=np.float32).reshape(-1)
            columns[f"{key}.lines"] = lines
        described.append(layer)
    return pack_columns(columns, {"layers": described, "features": _standing_out(shown)})


def _layers(shown: Shown) -> list[dict[str, Any]]:
    s, lattice, model = shown.summary, shown.run.lattice, shown.model
    collection = shown.run.config["collection"]
    clusters = is_clustering(shown.run.config)
    found = list(map(dict, shown.first_layers))
    found += (
        layers.cluster_layers(s, shown.distance)
        if clusters
        else layers.value_layers(s, lattice, shown.distance)[: None if shown.measured else 1]
    )
    if s.class_names:
        by_class = layers.class_layer(s)
        text = "How large a share of a unit's labelled members has its most frequent label."
        unit = "share of the most frequent label"
        found += [by_class, _shares("purity", "Purity", list(by_class["purity"]), unit, text)]
    dead = s.hits == 0
    text = f"{int(dead.sum())} units have no item: bright here."
    found.append(_shares("dead", "Dead units", short(dead), "1: no item lies there", text))
    if getattr(model, "unit_clusters_", None) is not None:
        found.append(layers.cluster_layer(model.unit_clusters_))
    if isinstance(lattice, GraphLattice) and not clusters:
        found.append(layers.connection_layer(lattice))
    if getattr(model, "relevances_", None) is not None:
        found.append(layers.relevance_layer(model.relevances_))
    if getattr(model, "transition_matrix_", None) is not None:
        found.append(layers.transition_layer(lattice, model.transition_matrix_))
    units = shown.run.units()
    if units is not None and not units["density"].null_count:
        found.append(layers.density_layer(units["density"].to_numpy().astype(np.float64)))
    found = [one for one in found if one["key"] != "uncertainty"]  # is among the metadata here
    found += [metadata_layer(one, s.units, lattice.n_units) for one in shown.metadata]
    names = shown.feature_names
    if shown.packed is not None:
        planes, note = layers.component_layers(shown.prototypes, [f"bit {i}" for i in range(shown.n_bits)])
        found += [plane | {"group": "bits", "text": f"{plane['text']} {note}".strip()} for plane in planes]
    elif collection["kind"] == "text":
        found.append(layers.word_layer(distinctive_terms(shown.prototypes, names)))
    elif collection["kind"] == "vectors":
        planes, note = layers.component_layers(shown.prototypes, names)
        found += [plane | {"group": "planes", "text": f"{plane['text']} {note}".strip()} for plane in planes]
    return found


def _standing_out(shown: Shown) -> list[list[str]]:
    """For each unit of vectors the features that differ most from the map's mean, in words."""
    if shown.run.config["collection"]["kind"] != "vectors" or shown.packed is not None:
        return []
    rows = standing_out(shown.prototypes, shown.feature_names, 5)
    return [
        [f"{name} {value:.4g} ({score:+.1f} standard deviations)" for name, value, score in row]
        for row in rows
    ]


def _shares(key: str, title: str, values: list[Any], unit: str, text: str) -> dict[str, Any]:
    """A layer of values from 0 to 1."""
    layer = {"key": key, "title": title, "type": "value", "values": values, "low": 0.0, "high": 1.0}
    return layer | {"unit": unit, "text": text}
