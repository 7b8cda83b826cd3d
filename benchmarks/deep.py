"""Steps per second of DESOM 784-500-500-2000-10 on an 8x8 map, batch 256, beside the limit of the machine and a plain
PyTorch loop of the same model. Writes results/bench-desom.json.

    python -m benchmarks.deep [--rounds 5] [--out results/bench-desom.json]

In each round every contender is measured once, so that all of them meet the machine in the same moods; the medians of
the rounds are reported. The last 200 of 1,200 steps are timed: from some 700 on, the averages that Adam keeps of
weights on black pixels are subnormal numbers, which processors are slow with, unless they are taken out. The limit is
the rate of one large product (2048 x 2048 x 2048) in float32, or in bfloat16 where the processor has instructions for
it; `gemm_ratio` is the rate of the products that a step needs at least (forward, gradients of weights and of inputs
but those of the first layer) over that limit. `peak_mb` is what a process that trains holds at most beyond what it
held with the data read and the library loaded.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.report import write_report
from benchmarks.som.machine import cpu_model, memory_peak_mb, start_memory_peak, threads
from torch import nn

from somscope import DESOM
from somscope.data import open_collection

SIZES = (784, 500, 500, 2000, 10)
BATCH, UNITS, BEFORE, TIMED = 256, 64, 1000, 200
TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def step_flops() -> float:
    """Floating-point operations of the products of one step."""
    layers = [*itertools.pairwise(SIZES), *zip(SIZES[::-1], SIZES[::-1][1:], strict=False)]
    forward = sum(2.0 * BATCH * a * b for a, b in layers)
    return 3.0 * forward - 2.0 * BATCH * layers[0][0] * layers[0][1]


def product_gflops(dtype: torch.dtype, size: int = 2048) -> float:
    """The rate of a large product; the best of five."""
    a, b = torch.ones(size, size, dtype=dtype), torch.ones(size, size, dtype=dtype)
    out = torch.empty_like(a)
    torch.mm(a, b, out=out)
    best = min(_seconds(lambda: torch.mm(a, b, out=out)) for _ in range(5))
    return 2.0 * size**3 / best / 1e9


def _seconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class _Clock:
    """Logger of when each row of a training's history was written."""

    def __init__(self) -> None:
        self.at: dict[int, float] = {}

    def log(self, phase: str, step: int, values: Mapping[str, float]) -> None:
        self.at[step] = time.perf_counter()

    def close(self) -> None:
        pass


def somscope_step(items: np.ndarray, precision: str) -> float:
    """Seconds of a step of DESOM as a user trains it."""
    clock = _Clock()
    DESOM(
        n_steps=BEFORE + TIMED,
        legacy=True,
        device="cpu",
        precision=precision,
        random_state=0,
        training={"loggers": (clock,), "log_steps": TIMED},
        verbose=False,
    ).fit(items)
    return (clock.at[BEFORE + TIMED] - clock.at[BEFORE]) / TIMED


def plain_step(items: np.ndarray, precision: str) -> float:
    """Seconds of a step of the same model as a plain PyTorch loop."""
    torch.manual_seed(0)
    encoder, decoder = _dense(SIZES), _dense(SIZES[::-1])
    prototypes = nn.Parameter(torch.randn(UNITS, SIZES[-1]))
    adam = torch.optim.Adam([*encoder.parameters(), *decoder.parameters(), prototypes], lr=1e-3)
    unit = torch.arange(UNITS)
    steps = (unit[:, None] // 8 - unit // 8).abs() + (unit[:, None] % 8 - unit % 8).abs()
    x = torch.from_numpy(items).float() / 255

    def step(t: int) -> None:
        batch = x[torch.arange(t * BATCH, (t + 1) * BATCH) % len(x)]
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            codes = encoder(batch)
            decoded = decoder(codes)
        squared = (codes.float()[:, None] - prototypes).square().sum(2)
        weights = torch.exp(-(steps[squared.argmin(1)] ** 2) / 10.0**2)
        loss = nn.functional.mse_loss(decoded.float(), batch) + 1e-3 * (weights * squared).sum(1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()

    for t in range(BEFORE):
        step(t)
    return _seconds(lambda: [step(t) for t in range(BEFORE, BEFORE + TIMED)]) / TIMED


def _dense(sizes: tuple[int, ...]) -> nn.Sequential:
    parts: list[nn.Module] = []
    for a, b in itertools.pairwise(sizes):
        parts += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*parts[:-1])


def measure_peak(precision: str) -> None:
    """In a process of its own: print what a training holds beyond the data and the library."""
    items = _items()
    DESOM(n_steps=1, device="cpu", finish="none", random_state=0, verbose=False).fit(items[:256])
    before = start_memory_peak()
    DESOM(n_steps=60, legacy=True, device="cpu", precision=precision, random_state=0, verbose=False).fit(
        items
    )
    print(memory_peak_mb() - before)  # noqa: T201


def _items() -> np.ndarray:
    features = open_collection("mnist:train").features
    return np.ascontiguousarray(features.reshape(len(features), -1))


def _row(
    model: str, precision: str, step: list[float], limit: list[float], peak: float | None
) -> dict[str, Any]:
    """One row of the result file; ratios are of the rounds, not of the medians."""
    ratios = [step_flops() / s / 1e9 / rate for s, rate in zip(step, limit, strict=True)]
    measures = {
        "step_seconds": step,
        "steps_per_second": [1 / s for s in step],
        "gemm_ratio": ratios,
        "limit_gflops": limit,
        "seconds_of_10000_steps": [1e4 * s for s in step],
    }
    summaries = {
        name: {"mean": statistics.median(values), "std": statistics.stdev(values) if len(values) > 1 else 0.0}
        for name, values in measures.items()
    }
    if peak is not None:
        summaries["peak_mb"] = {"mean": peak, "std": 0.0}
    return {
        "data": "mnist-784-500-500-2000-10-8x8-batch256",
        "model": model,
        "variant": precision,
        "protocol": "speed",
        "seeds": [0],
        "measures": summaries,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench-desom.json"))
    parser.add_argument("--peak", choices=TYPES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(threads())
    if options.peak:
        measure_peak(options.peak)
        return
    began, items = time.perf_counter(), _items()
    contenders = {"somscope": somscope_step, "plain-pytorch": plain_step}
    steps: dict[tuple[str, str], list[float]] = {(m, p): [] for m in contenders for p in TYPES}
    limits: dict[str, list[float]] = {precision: [] for precision in TYPES}
    for _ in range(options.rounds):
        for precision, dtype in TYPES.items():
            limits[precision].append(product_gflops(dtype))
            for model, step in contenders.items():
                steps[model, precision].append(step(items, precision))
    peaks = {}
    for precision in TYPES:
        command = [sys.executable, "-m", "benchmarks.deep", "--peak", precision]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[precision] = float(done.stdout.split()[-1])
    rows = [
        _row(model, precision, taken, limits[precision], peaks[precision] if model == "somscope" else None)
        for (model, precision), taken in steps.items()
    ]
    versions = {"torch": torch.__version__}
    device = f"{cpu_model()}, {threads()} threads"
    write_report(options.out, "bench-desom", rows, began, device, versions=versions)
    for row in rows:
        value = {name: found["mean"] for name, found in row["measures"].items()}
        peak = f", {value['peak_mb']:.0f} MB" if "peak_mb" in value else ""
        print(  # noqa: T201
            f"{row['model']:14s} {row['variant']}: {1000 * value['step_seconds']:6.1f} ms a step, "
            f"{value['gemm_ratio']:.2f} of {value['limit_gflops']:.0f} GFLOP/s{peak}"
        )


if __name__ == "__main__":
    main()
