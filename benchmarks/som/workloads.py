"""The four data sets that every tool is timed on, made the same way every time (numpy only: peers load them too)."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["WORKLOADS", "Workload", "gaussian_mixture", "load", "select"]


@dataclass(frozen=True)
class Workload:
    """One data set and one grid.

    `expected_product_seconds` is a first guess of the seconds of one float32 product of items and prototypes
    (2 * n * d * K flops); it only serves to plan a run, the reported ratios use the product measured in the run.
    """

    name: str
    n_items: int
    n_features: int
    rows: int
    columns: int
    expected_product_seconds: float
    components: int = 0
    noise: float = 0.0
    spread: float = 1.0

    @property
    def grid(self) -> str:
        return f"{self.rows}x{self.columns}"

    @property
    def n_units(self) -> int:
        return self.rows * self.columns

    @property
    def product_flops(self) -> float:
        """Floating-point operations of the product of all items with all prototypes."""
        return 2.0 * self.n_items * self.n_features * self.n_units

    def describe(self) -> str:
        if self.components:
            return (
                f"Gaussian mixture, seed 0: {self.components} centres drawn from N(0, {self.spread:g}^2 I), items = a"
                f" centre chosen uniformly + N(0, {self.noise:g}^2 I); float32"
            )
        return "Fashion-MNIST, the 60,000 training images, pixels / 255, flattened; float32"


WORKLOADS = (
    Workload("fashion-mnist-60000x784-8x8", 60_000, 784, 8, 8, 0.050),
    Workload("fashion-mnist-60000x784-40x40", 60_000, 784, 40, 40, 0.877),
    Workload("mixture-100000x16-50x50", 100_000, 16, 50, 50, 0.181, components=100, noise=0.25),
    Workload("mixture-10000x64-20x20", 10_000, 64, 20, 20, 0.0053, components=30, noise=0.225),
)


def select(patterns: list[str] | None) -> list[Workload]:
    """The workloads whose name contains one of the patterns (all when there are none)."""
    if not patterns:
        return list(WORKLOADS)
    chosen = [w for w in WORKLOADS if any(pattern in w.name for pattern in patterns)]
    for pattern in patterns:
        if not any(pattern in w.name for w in WORKLOADS):
            names = ", ".join(w.name for w in WORKLOADS)
            raise SystemExit(f"no workload's name contains {pattern!r}; there are: {names}")
    return chosen


def gaussian_mixture(
    n_items: int, n_features: int, components: int, noise: float, spread: float = 1.0, seed: int = 0
) -> np.ndarray:
    """(n_items, n_features) float32: centres from N(0, spread^2 I), items = a uniform centre + N(0, noise^2 I).

    The published peer numbers (quantization and topographic errors in `docs`) used mixtures whose generator is not
    known; the numbers of components and the noise here were chosen so that the errors fall in the same range.
    """
    rng = np.random.default_rng(seed)
    centres = rng.normal(0.0, spread, (components, n_features)).astype(np.float32)
    items = rng.standard_normal((n_items, n_features), dtype=np.float32)
    items *= np.float32(noise)
    items += centres[rng.integers(components, size=n_items)]
    return items


def fashion_mnist_train() -> np.ndarray:
    """(60000, 784) float32 in [0, 1], read from the IDX file under $SOMSCOPE_DATA/fashion-mnist."""
    root = os.environ.get("SOMSCOPE_DATA")
    if not root:
        raise SystemExit(
            "set SOMSCOPE_DATA to a folder that has fashion-mnist/train-images-idx3-ubyte.gz,"
            " or choose other workloads with --workloads 50x50 20x20"
        )
    path = Path(root) / "fashion-mnist" / "train-images-idx3-ubyte.gz"
    if not path.is_file():
        raise SystemExit(f"{path} is not there (SOMSCOPE_DATA={root})")
    raw = np.frombuffer(gzip.decompress(path.read_bytes()), dtype=np.uint8, offset=16)
    return raw.reshape(-1, 784).astype(np.float32) / np.float32(255)


def load(workload: Workload) -> np.ndarray:
    """The items of a workload, (n_items, n_features) float32, C order."""
    if workload.components:
        items = gaussian_mixture(
            workload.n_items, workload.n_features, workload.components, workload.noise, workload.spread
        )
    else:
        items = fashion_mnist_train()
    if items.shape != (workload.n_items, workload.n_features):
        raise SystemExit(
            f"{workload.name}: expected {workload.n_items}x{workload.n_features}, got {items.shape}"
        )
    return items
