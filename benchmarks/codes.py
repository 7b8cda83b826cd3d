"""Time search and encoding against the bare engines, and the scores of retrieval. Writes results/bench-codes.json.

    python benchmarks/codes.py [--repeats 3] [--out results/bench-codes.json]

Random codes: 1,000 queries for 10 neighbours in 1,000,000 codes of 64 bits (`faiss` is IndexBinaryFlat, filled
beforehand), and mAP@1000 with mAP over all, of 10,000 queries in 50,000 codes of 64 bits and ten labels. BinGAN of 32
bits and a quarter of the published width encodes 1,000 colour images of 32x32 pixels, beside the bare forward pass of
its discriminator on planes that were made before. Ours and the bare engines take turns. `seconds` is the wall time,
`best_seconds` its least, `cpu_seconds` the processor time of all threads (the number to look at when the machine had
other work), `ratio` our least processor time by that of the bare engine. `peak_mb` is what NumPy allocates at most
beside the input (tracemalloc, in a run of its own).
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import torch
from benchmarks.report import write_report

from somscope.codes import CodeIndex
from somscope.measures import average_precision, distance_counts
from somscope.models.bingan import BinGAN


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    start, start_cpu = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - start_cpu


def measures(times: list[tuple[float, float]]) -> dict[str, dict[str, float]]:
    seconds, cpu = np.array(times).T
    return {
        "seconds": {"mean": float(seconds.mean()), "std": float(seconds.std())},
        "best_seconds": {"mean": float(seconds.min()), "std": 0.0},
        "cpu_seconds": {"mean": float(cpu.mean()), "std": float(cpu.std())},
    }


def peak_mb(call: Callable[[], Any]) -> float:
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def row(data: str, model: str, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "data": data,
        "model": model,
        "variant": "default",
        "protocol": "speed",
        "seeds": [0],
        "measures": found,
    }


def search_rows(random: np.random.Generator, repeats: int) -> list[dict[str, Any]]:
    codes, queries = (random.integers(256, size=(n, 8), dtype=np.uint8) for n in (1_000_000, 1_000))
    ours, bare = CodeIndex(64), faiss.IndexBinaryFlat(64)
    ours.add(codes)
    bare.add(codes)
    assert np.array_equal(ours.search(queries[:9], 10).distances, bare.search(queries[:9], 10)[0])
    pairs = [
        (timed(lambda: ours.search(queries, 10)), timed(lambda: bare.search(queries, 10)))
        for _ in range(repeats)
    ]
    a, b = ([pair[i] for pair in pairs] for i in (0, 1))
    ratio = min(cpu for _, cpu in a) / min(cpu for _, cpu in b)
    data = "random-1000-in-1000000x64-bits-k10"
    return [
        row(data, "somscope", measures(a) | {"ratio": {"mean": ratio, "std": 0.0}}),
        row(data, "faiss", measures(b)),
    ]


def score_rows(random: np.random.Generator, repeats: int) -> list[dict[str, Any]]:
    database, queries = (random.integers(256, size=(n, 8), dtype=np.uint8) for n in (50_000, 10_000))
    labels, asked = random.integers(10, size=50_000), random.integers(10, size=10_000)

    def score() -> None:
        counts = distance_counts(queries, database, asked, labels)
        average_precision(counts, 1000)
        average_precision(counts)

    found = measures([timed(score) for _ in range(repeats)])
    return [
        row(
            "random-10000-in-50000x64-bits-map",
            "somscope",
            found | {"peak_mb": {"mean": peak_mb(score), "std": 0.0}},
        )
    ]


def encode_rows(random: np.random.Generator, repeats: int) -> list[dict[str, Any]]:
    images = random.integers(256, size=(1_000, 32, 32, 3), dtype=np.uint8)
    coder = BinGAN(32, preset="cpu", n_epochs=1, device="cpu", random_state=0, verbose=False)
    module = coder.fit(images[:50]).module_
    with torch.inference_mode():
        planes = module.images(torch.from_numpy(images.reshape(1_000, -1)).float() / 255)
    blocks = planes.split(module.block)

    def bare() -> None:
        with torch.inference_mode():
            for block in blocks:
                module.discriminator(block)

    pairs = [(timed(lambda: coder.encode(images)), timed(bare)) for _ in range(repeats)]
    a, b = ([pair[i] for pair in pairs] for i in (0, 1))
    ratio = min(cpu for _, cpu in a) / min(cpu for _, cpu in b)
    data = "random-1000x32x32x3-bingan-32-bits"
    return [
        row(data, "somscope", measures(a) | {"ratio": {"mean": ratio, "std": 0.0}}),
        row(data, "bare-forward-pass", measures(b)),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("results/bench-codes.json"))
    options = parser.parse_args()
    began, load = time.perf_counter(), os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    random = np.random.default_rng(0)
    rows = [
        *search_rows(random, options.repeats),
        *score_rows(random, options.repeats),
        *encode_rows(random, options.repeats),
    ]
    threads = faiss.omp_get_max_threads()
    device = f"cpu ({platform.machine()}), {threads} threads, FAISS {faiss.__version__}"
    write_report(options.out, "bench-codes", rows, began, device, load=load, repeats=options.repeats)
    for one in rows:
        shown = ", ".join(f"{name} {value['mean']:.3f}" for name, value in one["measures"].items())
        print(f"{one['data']} {one['model']}: {shown}")  # noqa: T201


if __name__ == "__main__":
    main()
