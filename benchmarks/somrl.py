"""Items per second of SOMRL beside LARFDSSOM, and an epoch of DC-SOMRL beside one of its autoencoder alone. Writes
results/bench-somrl.json.

    python -m benchmarks.somrl [--items 60000] [--rounds 5] [--out results/bench-somrl.json]

Data: codes of MNIST in 22 dimensions, of a DC-SOMRL after one epoch. Both maps have the same settings, 200 places, and
forget nothing, so that they are full after a first pass; a further pass is timed. LARFDSSOM goes item by item: compiled
as it comes with somscope, and as a loop in Python whose distances to all units are one NumPy expression, which is how
the public Python code of its authors' group works. SOMRL takes batches of 256 (as published) and of 4096, on the CPU
and, where there is one, on a GPU. In each round every contender is measured once; the medians of the rounds are
reported, and ratios are those of the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.report import write_report
from benchmarks.som.machine import cpu_model, threads
from numpy.typing import NDArray

from somscope import DCSOMRL, LARFDSSOM, SOMRL
from somscope.data import open_collection
from somscope.maps.somrl_layer import SOMRLLayer
from somscope.models.dc_somrl import DCSOMRLModule, DCSOMRLTask
from somscope.models.tasks import AutoencoderTask
from somscope.nets.dense import DenseAutoencoder
from somscope.training import Phase, TrainingOptions, train

UNITS, LATENT, BATCH = 200, 22, 256
RULE = {"threshold": 0.99425, "relevance_rate": 0.067, "smoothness": 0.426, "max_units": UNITS}
RATE = 0.1426
SHORT, LONG = 20, 120  # steps

Codes = NDArray[np.float32]


def somrl_seconds(codes: Codes, batch_size: int, device: str) -> float:
    """Seconds of a pass of SOMRL over the codes, on a full map."""
    som = SOMRL(**RULE, learning_rate=RATE, life_decay=1e-9, batch_size=batch_size, device=device)  # type: ignore[arg-type]
    return _second_pass(som, codes)


def larfdssom_seconds(codes: Codes) -> float:
    """The same of LARFDSSOM as it comes with somscope."""
    return _second_pass(LARFDSSOM(**RULE, winner_rate=RATE, neighbour_rate=0.01, lp=0.0), codes)  # type: ignore[arg-type]


def _second_pass(som: Any, codes: Codes) -> float:
    som.partial_fit(codes)
    began = time.perf_counter()
    som._learn(codes, whole=False)  # partial_fit without placing the items afterwards
    return time.perf_counter() - began


def python_seconds(codes: Codes) -> float:
    """The same of LARFDSSOM as a loop in Python; on the first items, scaled up."""
    som = LARFDSSOM(**RULE, winner_rate=RATE, neighbour_rate=0.01, lp=0.0).partial_fit(codes)  # type: ignore[arg-type]
    c, w = som.centres_.copy(), som.relevances_.copy()
    d = np.zeros_like(c)
    some = codes[: min(len(codes), 2000)]
    near = som.connections_
    began = time.perf_counter()
    for x in some:
        total = w.sum(axis=1)
        active = total / (total + (w * (x - c) ** 2).sum(axis=1) + 1e-7)
        winner = int(active.argmax())
        if active[winner] < RULE["threshold"]:
            continue  # the map is full
        rates = np.append(RATE, np.full(int(near[winner].sum()), 0.01))[:, None]
        units = np.append(winner, np.flatnonzero(near[winner]))
        d[units] += rates * RULE["relevance_rate"] * (np.abs(x - c[units]) - d[units])
        spread = np.ptp(d[units], axis=1, keepdims=True) + 1e-30
        w[units] = 1 / (
            1 + np.exp((d[units] - d[units].mean(axis=1, keepdims=True)) / (RULE["smoothness"] * spread))
        )
        c[units] += rates * (x - c[units])
    return (time.perf_counter() - began) * len(codes) / len(some)


def epoch_seconds(items: NDArray[np.uint8], joint: bool, device: str = "auto") -> float:
    """Seconds of an epoch of DC-SOMRL on all items, or of its autoencoder alone."""

    def seconds(n_steps: int) -> float:
        net = DenseAutoencoder(
            items.shape[1], (500, 500, 2000), LATENT, generator=torch.Generator().manual_seed(0)
        )
        module = DCSOMRLModule(net, SOMRLLayer(LATENT, UNITS), 0.13, 0.31)
        task = DCSOMRLTask(module, 0.1145, 1e-3) if joint else AutoencoderTask(module)
        phase = Phase("joint", task, n_steps=n_steps, batch_size=BATCH)
        return train([phase], items, TrainingOptions(device, verbose=False, log_steps=1000)).seconds

    return (seconds(LONG) - seconds(SHORT)) / (LONG - SHORT) * len(items) / BATCH


def measure(items: NDArray[np.uint8], rounds: int) -> list[dict[str, Any]]:
    """The rows of the result file."""
    model = DCSOMRL(n_epochs=1, random_state=0, verbose=False).fit(items.reshape(len(items), 28, 28, 1))
    codes = model.encode(items.reshape(len(items), 28, 28, 1))
    devices = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    contenders: dict[tuple[str, str], Any] = {
        ("larfdssom", "compiled"): lambda: larfdssom_seconds(codes),
        ("larfdssom", "python"): lambda: python_seconds(codes),
    }
    for device in devices:
        for size in (BATCH, 4096):
            contenders["somrl", f"{device}-batch{size}"] = lambda size=size, device=device: somrl_seconds(
                codes, size, device
            )
    taken: dict[tuple[str, str], list[float]] = {key: [] for key in contenders}
    epochs: dict[str, list[float]] = {"dc-somrl": [], "autoencoder": []}
    for _ in range(rounds):
        for key, contender in contenders.items():
            taken[key].append(contender())
        for name, times in epochs.items():
            times.append(epoch_seconds(items, joint=name == "dc-somrl"))
    rows = []
    for (name, variant), seconds in taken.items():
        measures = {"items_per_second": [len(codes) / s for s in seconds]}
        if name == "somrl":
            for other in ("compiled", "python"):
                measures[f"speedup_over_{other}"] = [
                    s / own for s, own in zip(taken["larfdssom", other], seconds, strict=True)
                ]
        rows.append(_row(f"mnist-codes-{len(codes)}x{LATENT}-{UNITS}-units", name, variant, measures))
    for name, seconds in epochs.items():
        measures = {"epoch_seconds": seconds}
        if name == "dc-somrl":
            measures["ratio"] = [own / s for own, s in zip(seconds, epochs["autoencoder"], strict=True)]
        rows.append(_row(f"mnist-{len(items)}x784-batch{BATCH}", name, "default", measures))
    return rows


def _row(data: str, model: str, variant: str, measures: dict[str, list[float]]) -> dict[str, Any]:
    return {
        "data": data,
        "model": model,
        "variant": variant,
        "protocol": "speed",
        "seeds": [0],
        "measures": {
            name: {
                "mean": statistics.median(values),
                "std": statistics.stdev(values) if len(values) > 1 else 0.0,
            }
            for name, values in measures.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, default=60_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench-somrl.json"))
    options = parser.parse_args()
    torch.set_num_threads(threads())
    began = time.perf_counter()
    features = open_collection("mnist:train").features[: options.items]
    rows = measure(np.ascontiguousarray(features.reshape(len(features), -1)), options.rounds)
    versions = {"torch": torch.__version__}
    device = f"{cpu_model()}, {threads()} threads"
    write_report(options.out, "bench-somrl", rows, began, device, versions=versions)
    for row in rows:
        found = ", ".join(f"{name} {value['mean']:,.3g}" for name, value in row["measures"].items())
        print(f"{row['model']:12} {row['variant']:16} {found}")  # noqa: T201


if __name__ == "__main__":
    main()
