"""Seconds and memory of two audits of random images: fifty triples of 256x256 pixels in files, and 10,000 real and
10,000 generated images of 64x64 in memory, not paired. Writes results/bench-audit.json.

    python -m benchmarks.audit [--only triples unpaired] [--out results/bench-audit.json]

The defaults of `somscope audit`: 20 seeds, 999 permutations, health checks, intervals, examples and the report's page.
Each audit runs in a process of its own, reading its images included. `seconds` is what a clock on the wall says and
means little on a machine with other work (`load` is the machine's before the start); `cpu_seconds` is what the
processors spent. `peak_mb` is all that the process holds at most, Python and libraries included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.report import write_report
from benchmarks.som.machine import cpu_model, memory_peak_mb, threads
from PIL import Image

from somscope.audit import from_arrays, read_pix2pix
from somscope.auditing import audit_images

WORKLOADS = {"triples": "random-50x3-256x256", "unpaired": "random-10000+10000-64x64"}


def pictures(n: int, side: int, seed: int) -> np.ndarray:
    """(n, side, side, 3) coarse random patches with noise on them."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(20, 200, (n, 8, 8, 3), dtype=np.uint8)
    every = coarse.repeat(side // 8, axis=1).repeat(side // 8, axis=2)
    return every + draw.integers(0, 40, every.shape, dtype=np.uint8)


def measure(name: str) -> dict[str, float]:
    """Run one audit in this process."""
    with tempfile.TemporaryDirectory() as folder:
        if name == "triples":
            for seed, end in enumerate(("real_A", "fake_B", "real_B")):
                for at, picture in enumerate(pictures(50, 256, seed)):
                    Image.fromarray(picture).save(Path(folder) / f"{at}_{end}.png", compress_level=1)
        else:
            images = from_arrays(None, pictures(10_000, 64, 0), pictures(10_000, 64, 1), paired=False)
        wall, cpu = time.perf_counter(), time.process_time()
        if name == "triples":
            images = read_pix2pix(folder)
        audit_images(images).save(Path(folder) / "audit")
        return {
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - cpu,
            "peak_mb": memory_peak_mb(),
        }


def _row(name: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.audit", "--worker", name],
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout.splitlines()[-1])
    return {
        "data": WORKLOADS[name],
        "model": "somscope",
        "variant": "default",
        "protocol": "speed",
        "seeds": [0],
        "measures": {key: {"mean": float(f"{value:.4g}"), "std": 0.0} for key, value in found.items()},
    }


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(WORKLOADS), default=list(WORKLOADS))
    parser.add_argument("--out", type=Path, default=Path("results/bench-audit.json"))
    parser.add_argument("--worker", choices=list(WORKLOADS), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(options.worker)))  # noqa: T201
        return
    load, start = os.getloadavg()[0], time.perf_counter()
    rows = []
    for name in options.only:
        rows.append(_row(name))
        found = {key: value["mean"] for key, value in rows[-1]["measures"].items()}
        print(name, found, flush=True)  # noqa: T201
    device = f"cpu ({cpu_model()}), {threads()} threads"
    write_report(options.out, "bench-audit", rows, start, device, load=round(load, 1))


if __name__ == "__main__":
    main()
