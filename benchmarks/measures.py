"""Time every measure on 10,000 items: Fashion-MNIST's size and, where its files are found, its images (10,000 x 784) on
a 20 x 20 map. Writes results/bench-measures.json.

    python -m benchmarks.measures [--repeats 5] [--out results/bench-measures.json]

Prototypes are 400 random items moved to the mean of their own (one pass of k-means): a plain codebook, since the cost
of the measures does not depend on how well the map was trained. Each measure runs once to warm up and then `repeats`
times: `seconds` is the wall time of the call, `best_seconds` its least, `cpu_seconds` the processor time of all threads
(the number to look at when the machine had other work; the load when it began is in the file). `peak_mb` is what the
call allocates at most beside its input (tracemalloc, in a run of its own). `plain_loop_seconds` is the formula as a
plain Python loop, timed on 40 items and extrapolated to 10,000 by its number of steps (measures over all pairs only).
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.report import write_report

from somscope import measures as M
from somscope.maps.lattice import Lattice

ITEMS, FEATURES, ROWS, COLUMNS = 10_000, 784, 20, 20


def load_items() -> tuple[str, np.ndarray, np.ndarray]:
    """Name, (n, d) float32 items and (n,) labels: Fashion-MNIST test images, or random items of the same size."""
    try:
        from somscope.data import open_collection
    except ImportError:
        open_collection = None
    if open_collection is not None:
        collection = open_collection("fashion-mnist:sample")
        return "fashion-mnist-10000x784-20x20", np.asarray(collection.matrix()), collection.labels
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ITEMS, 20)) @ rng.normal(size=(20, FEATURES))
    return "random-10000x784-20x20", x.astype(np.float32), rng.integers(0, 10, ITEMS)


def two_best(x: np.ndarray, m: np.ndarray) -> np.ndarray:
    squared = (m**2).sum(axis=1) - 2.0 * x @ m.T
    two = np.argpartition(squared, 1, axis=1)[:, :2]
    order = np.argsort(np.take_along_axis(squared, two, axis=1), axis=1)
    return np.take_along_axis(two, order, axis=1)


def measures_to_time(x: np.ndarray, y: np.ndarray) -> dict[str, Callable[[], Any]]:
    lattice, shape = Lattice(ROWS, COLUMNS), (ROWS, COLUMNS)
    k = lattice.n_units
    m = x[np.random.default_rng(0).choice(len(x), k, replace=False)]
    owner = two_best(x, m)[:, 0]
    m = np.stack([x[owner == unit].mean(axis=0, dtype=np.float64) for unit in range(k)])
    best, second = two_best(x, m.astype(np.float32)).T
    distances = M.item_distances(x, m, best)
    apart, near, steps = lattice.distances(), lattice.adjacency("4"), lattice.steps("8")
    h, edges = M.gaussian_neighbourhood(apart, 1.0), lattice.edges()
    radius = M.pareto_radius(x)
    return {
        "quantization_error": lambda: M.quantization_error(x, m, best),
        "distortion": lambda: M.distortion(x, m, best, h),
        "topographic_error": lambda: M.topographic_error(best, second, near),
        "combined_error": lambda: M.combined_error(distances, m, best, second, near),
        "topographic_product": lambda: M.topographic_product(m, apart),
        "topographic_function": lambda: M.topographic_function(best, second, steps, near),
        "trustworthiness": lambda: M.trustworthiness(x, best, apart),
        "neighbourhood_preservation": lambda: M.neighbourhood_preservation(x, best, apart),
        "trust_and_preservation": lambda: M.trust_and_preservation(x, best, apart),
        "kruskal_shepard": lambda: M.kruskal_shepard(x, best, apart),
        "c_measure": lambda: M.c_measure(x, best, apart),
        "class_scatter_index": lambda: M.class_scatter_index(y, best, near),
        "unit_perplexity": lambda: M.unit_perplexity(best, k),
        "dead_units": lambda: M.dead_units(best, k),
        "u_matrix": lambda: M.u_matrix(m, near, shape),
        "edge_distances": lambda: M.edge_distances(m, edges),
        "pareto_radius": lambda: M.pareto_radius(x),
        "p_matrix": lambda: M.p_matrix(x, m, shape, radius),
        "purity": lambda: M.purity(y, best),
        "nmi_arithmetic": lambda: M.nmi(y, best, average="arithmetic"),
        "nmi_geometric": lambda: M.nmi(y, best, average="geometric"),
        "accuracy": lambda: M.accuracy(y, best),
        "ari": lambda: M.adjusted_rand_index(y, best),
        "ami": lambda: M.adjusted_mutual_information(y, best),
        "homogeneity": lambda: M.homogeneity(y, best),
        "completeness": lambda: M.completeness(y, best),
        "measure_map": lambda: M.measure_map(x, m, lattice, best, second, distances, y),
    }


def plain_loop_seconds(x: np.ndarray) -> dict[str, float]:
    """Plain Python over pairs of 40 items, scaled to all pairs of n (ranks: a sort per item, n^2 log n)."""
    few, n = x[:40].astype(float).tolist(), len(x)
    start = time.perf_counter()
    data = [[math.dist(a, b) for b in few] for a in few]
    sum((a - b) ** 2 for row in data for a, b in zip(row, row[::-1], strict=True))
    pairs = (time.perf_counter() - start) * (n / 40) ** 2
    start = time.perf_counter()
    for row in data:
        sorted(range(40), key=row.__getitem__)
    ranks = (time.perf_counter() - start) * (n / 40) ** 2 * math.log(n) / math.log(40)
    return {
        "kruskal_shepard": pairs,
        "trustworthiness": pairs + ranks,
        "neighbourhood_preservation": pairs + ranks,
    }


def peak_mb(call: Callable[[], Any]) -> float:
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench-measures.json"))
    options = parser.parse_args()
    began, load = time.perf_counter(), os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    data, x, y = load_items()
    plain, rows = plain_loop_seconds(x), []
    for name, call in measures_to_time(x, y).items():
        call()
        seconds, cpu = [], []
        for _ in range(options.repeats):
            start, start_cpu = time.perf_counter(), time.process_time()
            call()
            seconds.append(time.perf_counter() - start)
            cpu.append(time.process_time() - start_cpu)
        result = {
            "seconds": {"mean": float(np.mean(seconds)), "std": float(np.std(seconds))},
            "best_seconds": {"mean": min(seconds), "std": 0.0},
            "cpu_seconds": {"mean": float(np.mean(cpu)), "std": float(np.std(cpu))},
            "peak_mb": {"mean": peak_mb(call), "std": 0.0},
        }
        if name in plain:
            result["plain_loop_seconds"] = {"mean": plain[name], "std": 0.0}
        rows.append(
            {
                "data": data,
                "model": name,
                "variant": "default",
                "protocol": "speed",
                "seeds": [0],
                "measures": result,
            }
        )
    threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    device = f"cpu ({platform.machine()}), {threads} threads"
    write_report(options.out, "bench-measures", rows, began, device, load=load, repeats=options.repeats)
    for row in rows:
        value = {name: result["mean"] for name, result in row["measures"].items()}
        print(  # noqa: T201
            f"{row['model']:28s} {value['seconds']:8.4f} s, best {value['best_seconds']:8.4f}, "
            f"processor {value['cpu_seconds']:8.4f}, {value['peak_mb']:6.1f} MB"
        )


if __name__ == "__main__":
    main()
