"""Seconds of one renewal of DEC's target: q and p of 70,000 codes of 10 numbers and 10 centres, on the processor.

    python -m benchmarks.targets [--rounds 9] [--out results/bench-targets.json]

The codes are given: encoding the items is the network's work, and takes as long as a third of an epoch of training.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import torch
from benchmarks.report import write_report
from benchmarks.som.machine import cpu_model, threads

from somscope.objectives.clustering import soft_assignments, target_distribution
from somscope.objectives.som import squared_distances

ITEMS, CLUSTERS, LATENT = 70_000, 10, 10


def renewal(codes: torch.Tensor, centres: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Clusters (n,) and target (n, K), as `models.clusterer_tasks.TargetTask` makes them."""
    squared = squared_distances(codes, centres)
    return squared.argmin(1), target_distribution(soft_assignments(squared))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path("results/bench-targets.json"))
    options = parser.parse_args()
    torch.set_num_threads(threads())
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(ITEMS, LATENT, generator=generator)
    centres = torch.randn(CLUSTERS, LATENT, generator=generator)
    renewal(codes, centres)
    began, seconds = time.perf_counter(), []
    for _ in range(options.rounds):
        start = time.perf_counter()
        renewal(codes, centres)
        seconds.append(time.perf_counter() - start)
    mean, std = statistics.median(seconds), statistics.stdev(seconds) if options.rounds > 1 else 0.0
    row = {
        "data": f"codes-{ITEMS}x{LATENT}-{CLUSTERS}",
        "model": "somscope",
        "variant": "fp32",
        "protocol": "speed",
        "seeds": [0],
        "measures": {"target_seconds": {"mean": mean, "std": std}},
    }
    write_report(options.out, "bench-targets", [row], began, f"{cpu_model()}, {threads()} threads")
    print(f"target of {ITEMS:,} x {CLUSTERS}: {1e3 * mean:.1f} ms")  # noqa: T201


if __name__ == "__main__":
    main()
