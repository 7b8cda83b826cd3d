"""Runs to report on, built in memory: pictures, vectors and texts on small lattices."""

from __future__ import annotations

import gzip
import io
import os
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from somscope.maps.lattice import Lattice

HISTORY = {"pass": [1, 2, 3], "radius": [4.0, 2.0, 1.0], "quantization_error": [5.0, 4.2, 4.0]}


@dataclass
class MemoryRun:
    """A run without a folder, with what `somscope.report.RunLike` asks for."""

    config: dict[str, Any]
    metrics: dict[str, float]
    lattice: Lattice
    tables: dict[str, pa.Table]
    attributes: dict[str, Any] = field(default_factory=dict)

    def assignments(self) -> pa.Table:
        return self.tables["assignments"]

    def items(self) -> pa.Table:
        return self.tables["items"]

    def units(self) -> pa.Table | None:
        return self.tables.get("units")

    def history(self) -> pa.Table:
        return self.tables["history"]

    def model(self) -> Any:
        return SimpleNamespace(**self.attributes)


def nearest_two(x: np.ndarray, prototypes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    squared = (x**2).sum(1)[:, None] - 2 * x @ prototypes.T + (prototypes**2).sum(1)
    order = np.argsort(squared, axis=1)[:, :2]
    return order, np.sqrt(np.maximum(np.take_along_axis(squared, order, axis=1), 0))


def png(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def build_run(
    lattice: Lattice,
    kind: str,
    x: np.ndarray,
    *,
    ids: list[str] | None = None,
    labels: list[str | None] | None = None,
    texts: list[str] | None = None,
    images: np.ndarray | None = None,
    feature_names: tuple[str, ...] = (),
    name: str = "things",
    seed: int = 0,
    **config: Any,
) -> MemoryRun:
    """A run whose prototypes are a sample of the items, drawn towards their mean."""
    rng = np.random.default_rng(seed)
    prototypes = x[rng.choice(len(x), lattice.n_units, replace=len(x) < lattice.n_units)].astype(np.float64)
    prototypes = 0.7 * prototypes + 0.3 * x.mean(axis=0)
    units, distances = nearest_two(x, prototypes)
    if lattice.n_units == 1:
        units = np.stack([units[:, 0], np.full(len(x), -1)], axis=1)
    ids = ids or [f"item-{i}" for i in range(len(x))]
    labels = labels or [None] * len(x)
    label_names = sorted({label for label in labels if label is not None})
    shape = None if images is None else [*images.shape[1:3], 1 if images.ndim == 3 else images.shape[3]]
    items: dict[str, Any] = {"id": ids, "label": pa.array(labels, pa.string())}
    if images is not None:
        items["thumbnail"] = pa.array([png(image) for image in images], pa.binary())
    if texts is not None:
        items["text"] = texts
    assignments = {
        "id": ids,
        "unit": units[:, 0].astype(np.int32),
        "distance": distances[:, 0].astype(np.float32),
        "second_unit": units[:, 1].astype(np.int32),
        "percentile": (100 * np.argsort(np.argsort(distances[:, 0])) / len(x)).astype(np.float32),
        "label": pa.array(labels, pa.string()),
    }
    full: dict[str, Any] = {
        "format": 1,
        "somscope": "0.1.0",
        "created": "2026-01-02T03:04:05+00:00",
        "command": ["somscope", "map", "a folder/", "-o", "runs/it"],
        "collection": {
            "name": name,
            "kind": kind,
            "n_items": len(x),
            "n_features": x.shape[1],
            "image_shape": shape,
            "feature_names": list(feature_names),
            "label_names": label_names,
            "fingerprint": "ab" * 32,
            "source": {"reader": "folder", "path": "a folder/"},
            "skipped": [{"where": "broken.jpg", "why": "the file is cut off"}],
        },
        "model": {"name": "som", "parameters": {"grid": "auto", "lattice": lattice.shape}},
        "lattice": {
            "rows": lattice.rows,
            "columns": lattice.columns,
            "shape": lattice.shape,
            "toroidal": lattice.toroidal,
        },
        "chosen": {
            "grid": {"value": [lattice.rows, lattice.columns], "why": "five times the root of the items"}
        },
        "stop_reason": "the map no longer changed",
        "passes": 3,
        "seed": 0,
        "seconds": 1.25,
        "device": "cpu",
        "threads": 1,
        "versions": {"python": "3.11", "torch": "2.13.0"},
    }
    return MemoryRun(
        config=full | config,
        metrics={
            "quantization_error": 4.0,
            "topographic_error_8": 0.05,
            "purity": float("nan"),
            "home_made": 1.5,
        },
        lattice=lattice,
        tables={"assignments": pa.table(assignments), "items": pa.table(items), "history": pa.table(HISTORY)},
        attributes={"prototypes_": prototypes},
    )


def picture_run(
    lattice: Lattice, n: int = 120, side: int = 8, channels: int = 1, **options: Any
) -> MemoryRun:
    rng = np.random.default_rng(3)
    shape = (n, side, side) if channels == 1 else (n, side, side, channels)
    images = rng.integers(0, 256, shape).astype(np.uint8)
    options.setdefault("labels", [f"class {i % 3}" for i in range(n)])
    return build_run(lattice, "images", images.reshape(n, -1) / 255.0, images=images, **options)


@pytest.fixture
def make_picture_run():
    return picture_run


@pytest.fixture
def make_run():
    return build_run


@pytest.fixture
def fashion() -> tuple[np.ndarray, list[str]]:
    """The 10,000 Fashion-MNIST test images (n, 28, 28) and their labels."""
    root = os.environ.get("SOMSCOPE_DATA")
    if not root:
        pytest.skip("SOMSCOPE_DATA is not set: the Fashion-MNIST test images are read from it")
    folder = Path(root) / "fashion-mnist"
    pixels = gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())
    labels = gzip.decompress((folder / "t10k-labels-idx1-ubyte.gz").read_bytes())
    images = np.frombuffer(pixels, np.uint8, offset=16).reshape(-1, 28, 28)
    return images, [f"class {label}" for label in np.frombuffer(labels, np.uint8, offset=8)]
