"""Seconds of a training step of pix2pix at 256x256 and batch 1, and of translating images, beside bare PyTorch with the
same networks. Writes results/bench-translate.json.

    python -m benchmarks.translate [--rounds 5] [--size 256] [--filters 64] [--device auto] [--out FILE]

In each round every contender is measured once, so that all of them meet the machine in the same moods; medians of the
rounds are reported, and the ratio is the median of the rounds' ratios. A step is (long training - short training) /
(difference of their steps): what a training does once is left out. The bare loop has no jitter, no log and no checks.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.som.machine import cpu_model, threads
from torch import nn

import somscope
from somscope import Pix2Pix
from somscope.nets.generators import Architecture, unet_for
from somscope.nets.normalise import set_mode
from somscope.nets.patchgan import PatchGAN

LIMITS = {"train": 1.15, "apply": 1.05}
SHORT, LONG, IMAGES = 2, 8, 8


def images(size: int, n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype(np.uint8)


def timed(device: torch.device, call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def somscope_step(size: int, filters: int, device: torch.device, precision: str) -> float:
    """Seconds of a step as a user trains it, jitter and all."""

    def train(n: int) -> float:
        pixels = images(size, n)
        model = Pix2Pix(filters=filters, discriminator_filters=filters, n_epochs=1, n_decay_epochs=0, random_state=0,
                        device=device.type, precision=precision, verbose=False)  # fmt: skip
        return float(model.fit(pixels, pixels).seconds_)

    return (train(LONG) - train(SHORT)) / (LONG - SHORT)


class Bare:
    """The published step as a plain loop."""

    def __init__(self, size: int, filters: int, device: torch.device, precision: str) -> None:
        self.device, self.bf16 = device, precision == "bf16"
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        name = unet_for(size, size)
        self.net = Architecture(name, filters=filters).build().to(device, memory_format=layout)
        self.judge = PatchGAN(6, 3, filters).to(device, memory_format=layout)
        self.adams = [
            torch.optim.Adam(m.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
            for m in (self.net, self.judge)
        ]
        pixels = torch.from_numpy(images(size, 2)).to(device).permute(0, 3, 1, 2)
        self.a, self.b = (
            (pixels[i : i + 1].float() / 127.5 - 1).contiguous(memory_format=layout) for i in (0, 1)
        )

    def __call__(self) -> None:
        adam_g, adam_d = self.adams
        real = torch.ones(())
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            made = self.net(self.a).float()
            fake = self.judge(torch.cat([self.a, made.detach()], 1)).float()
            true = self.judge(torch.cat([self.a, self.b], 1)).float()
        loss = 0.5 * (_bce(fake, 0 * real) + _bce(true, real))
        adam_d.zero_grad()
        loss.backward()
        adam_d.step()
        self.judge.requires_grad_(False)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16):
            judged = self.judge(torch.cat([self.a, made], 1)).float()
        loss = _bce(judged, real) + 100 * F.l1_loss(made, self.b)
        adam_g.zero_grad()
        loss.backward()
        adam_g.step()
        self.judge.requires_grad_(True)


def _bce(scores: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(scores, wanted.to(scores.device).expand_as(scores))


def plain_step(size: int, filters: int, device: torch.device, precision: str) -> float:
    bare = Bare(size, filters, device, precision)
    for _ in range(SHORT):
        bare()
    return timed(device, lambda: [bare() for _ in range(LONG - SHORT)]) / (LONG - SHORT)


def apply_both(size: int, filters: int, device: torch.device) -> tuple[float, float]:
    """Seconds of an image: somscope from bytes to bytes, and the forward pass alone, in batches of the same size."""
    pixels = images(size, IMAGES)
    net = Architecture(unet_for(size, size), filters=filters).build()
    model = _as_model(net, filters, device)
    block = model.module_
    x = (torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()
    set_mode(block, "deterministic")
    with torch.inference_mode():
        model.transform(pixels), block(x)
        bare = timed(device, lambda: block(x)) / IMAGES
    return timed(device, lambda: model.transform(pixels)) / IMAGES, bare


def _as_model(net: nn.Module, filters: int, device: torch.device) -> Pix2Pix:
    from tempfile import TemporaryDirectory

    from somscope.nets.official import write_generator

    with TemporaryDirectory() as folder:
        path = Path(folder) / "latest_net_G.pth"
        write_generator(path, net.state_dict())
        return Pix2Pix.from_official(path, device=device.type)


def _row(
    task: str, model: str, variant: str, seconds: list[float], ratios: list[float], data: str
) -> dict[str, Any]:
    measures = {"seconds_each": seconds, **({"ratio_to_bare": ratios} if model == "somscope" else {})}
    return {
        "data": f"{data}-{task}",
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
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--out", type=Path, default=Path("results/bench-translate.json"))
    options = parser.parse_args()
    cuda = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda:0" if cuda else "cpu")
    torch.set_num_threads(threads())
    began = time.perf_counter()
    precisions = ("fp32", "bf16") if cuda else ("fp32",)
    data = f"pix2pix-{options.size}-filters{options.filters}"
    taken: dict[tuple[str, str, str], list[float]] = {}
    for _ in range(options.rounds):
        for precision in precisions:
            sizes = (options.size, options.filters, device, precision)
            taken.setdefault(("train", "somscope", precision), []).append(somscope_step(*sizes))
            taken.setdefault(("train", "plain-pytorch", precision), []).append(plain_step(*sizes))
        ours, bare = apply_both(options.size, options.filters, device)
        taken.setdefault(("apply", "somscope", "fp32"), []).append(ours)
        taken.setdefault(("apply", "plain-pytorch", "fp32"), []).append(bare)
    rows = []
    for (task, model, variant), seconds in taken.items():
        bare_seconds = taken[task, "plain-pytorch", variant]
        ratios = [a / b for a, b in zip(seconds, bare_seconds, strict=True)]
        rows.append(_row(task, model, variant, seconds, ratios, data))
        note = (
            f", {statistics.median(ratios):.2f} of bare (at most {LIMITS[task]})"
            if model == "somscope"
            else ""
        )
        print(f"{task} {model:14s} {variant}: {1000 * statistics.median(seconds):8.1f} ms{note}")  # noqa: T201
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    report = {
        "study": "bench-translate",
        "somscope": somscope.__version__,
        "commit": commit.stdout.strip(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": torch.cuda.get_device_name(device) if cuda else f"{cpu_model()}, {threads()} threads",
        "versions": {"torch": torch.__version__},
        "seconds": round(time.perf_counter() - began, 1),
        "rows": rows,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
