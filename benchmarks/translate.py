"""Seconds of a training step of pix2pix at 256x256 and batch 1, and of translating images, beside bare PyTorch with the
same networks. Writes results/bench-translate.json.

    python -m benchmarks.translate [--steps 8] [--rounds 6] [--size 256] [--filters 64] [--device auto] [--out FILE]

Both are timed in turn in one process: before each step that `Pix2Pix.fit` takes, the bare loop takes one; what lies
between two bare steps is the other's, so jitter, reading and logging count. The bare loop has none of them. The first
two steps warm up. `ratio_to_bare` is the median over pairs: of the processors' seconds on a CPU, so that other
work on the machine does not count, and of seconds on the wall on a GPU.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from benchmarks.report import write_report
from benchmarks.som.machine import cpu_model, threads

from somscope import Pix2Pix
from somscope.models.pix2pix_module import Pix2PixTask
from somscope.nets.generators import Architecture, unet_for
from somscope.nets.normalise import set_mode
from somscope.nets.official import write_generator
from somscope.nets.patchgan import PatchGAN

LIMITS = {"train": 1.15, "apply": 1.05}
WARM, IMAGES = 2, 8
Taken = list[tuple[float, float]]  # seconds on the wall, and of the processors


def images(size: int, n: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (n, size, size, 3)).astype(np.uint8)


class Watch:
    """Reads both clocks, after all that a GPU was told to do is done."""

    def __init__(self, device: torch.device) -> None:
        self.device = device

    def now(self) -> tuple[float, float]:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter(), time.process_time()

    def since(self, start: tuple[float, float]) -> tuple[float, float]:
        wall, cpu = self.now()
        return wall - start[0], cpu - start[1]

    def timed(self, call: Callable[[], Any]) -> tuple[float, float]:
        start = self.now()
        call()
        return self.since(start)


class BareStep:
    """The published step as a plain loop has it: no jitter, no log, no checks."""

    def __init__(self, size: int, filters: int, device: torch.device, precision: str) -> None:
        self.device, self.bf16 = device, precision == "bf16"
        layout = torch.channels_last if device.type == "cuda" else torch.contiguous_format
        self.net = Architecture(unet_for(size, size), filters=filters).build()
        self.judge = PatchGAN(6, 3, filters)
        for net in (self.net, self.judge):
            net.to(device, memory_format=layout)
        self.adams = [
            torch.optim.Adam(net.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
            for net in (self.net, self.judge)
        ]
        planes = _planes(images(size, 2), device)
        self.a, self.b = (planes[i : i + 1].contiguous(memory_format=layout) for i in (0, 1))

    def __call__(self) -> None:
        adam_g, adam_d = self.adams
        with self._autocast():
            made = self.net(self.a).float()
            fake = self.judge(torch.cat([self.a, made.detach()], 1)).float()
            true = self.judge(torch.cat([self.a, self.b], 1)).float()
        loss = 0.5 * (_bce(fake, 0.0) + _bce(true, 1.0))
        adam_d.zero_grad()
        loss.backward()
        adam_d.step()
        self.judge.requires_grad_(False)
        with self._autocast():
            judged = self.judge(torch.cat([self.a, made], 1)).float()
        loss = _bce(judged, 1.0) + 100 * F.l1_loss(made, self.b)
        adam_g.zero_grad()
        loss.backward()
        adam_g.step()
        self.judge.requires_grad_(True)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def _bce(scores: torch.Tensor, wanted: float) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, wanted))


def _planes(pixels: np.ndarray, device: torch.device) -> torch.Tensor:
    return (torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float() / 127.5 - 1).contiguous()


def train_both(
    size: int, filters: int, device: torch.device, precision: str, n_steps: int
) -> tuple[Taken, Taken]:
    """What each of n steps took: of somscope as a user trains it, and of the bare loop."""
    watch, bare = Watch(device), BareStep(size, filters, device, precision)
    ours: Taken = []
    plain: Taken = []
    began: list[tuple[float, float]] = []
    update = Pix2PixTask.update

    def watched(task: Pix2PixTask, *args: Any) -> Any:
        if began:
            ours.append(watch.since(began.pop()))
        plain.append(watch.timed(bare))
        began.append(watch.now())
        return update(task, *args)

    pixels = images(size, WARM + n_steps + 1)  # a step ends where the next one begins
    model = Pix2Pix(filters=filters, discriminator_filters=filters, n_epochs=1, n_decay_epochs=0, random_state=0,
                    device=device.type, precision=precision, verbose=False)  # fmt: skip
    with patch.object(Pix2PixTask, "update", watched):
        model.fit(pixels, pixels)
    return ours[WARM:], plain[WARM:-1]


def apply_both(size: int, filters: int, device: torch.device, rounds: int) -> tuple[Taken, Taken]:
    """What a batch of IMAGES took in each round: somscope from bytes to bytes, and the forward pass alone."""
    watch, pixels = Watch(device), images(size, IMAGES)
    model = _translator(size, filters, device)
    net, x = model.module_, _planes(pixels, device)
    set_mode(net, "deterministic")
    ours: Taken = []
    plain: Taken = []
    with torch.inference_mode():
        for _ in range(1 + rounds):
            plain.append(watch.timed(lambda: net(x)))
            ours.append(watch.timed(lambda: model.transform(pixels)))
    return ours[1:], plain[1:]


def _translator(size: int, filters: int, device: torch.device) -> Pix2Pix:
    net = Architecture(unet_for(size, size), filters=filters).build()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "latest_net_G.pth"
        write_generator(path, net.state_dict())
        return Pix2Pix.from_official(path, device=device.type)


def rows(
    data: str, precision: str, ours: Taken, plain: Taken, share: int, cuda: bool
) -> list[dict[str, Any]]:
    """A row of each of the two. share: of how many images the times are."""
    clock = 0 if cuda else 1
    ratios = [a[clock] / b[clock] for a, b in zip(ours, plain, strict=True)]
    made = []
    for model, taken in (("somscope", ours), ("plain-pytorch", plain)):
        measures = {
            "seconds_each": [wall / share for wall, _ in taken],
            "cpu_seconds_each": [cpu / share for _, cpu in taken],
            **({"ratio_to_bare": ratios} if model == "somscope" else {}),
        }
        made.append(
            {
                "data": data,
                "model": model,
                "variant": precision,
                "protocol": "speed",
                "seeds": [0],
                "measures": {name: _median(values) for name, values in measures.items()},
            }
        )
    return made


def _median(values: list[float]) -> dict[str, float]:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": float(f"{statistics.median(values):.4g}"), "std": float(f"{spread:.4g}")}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--out", type=Path, default=Path("results/bench-translate.json"))
    options = parser.parse_args()
    cuda = options.device == "cuda" or (options.device == "auto" and torch.cuda.is_available())
    device = torch.device("cuda:0" if cuda else "cpu")
    torch.set_num_threads(threads())
    load, began = os.getloadavg()[0], time.perf_counter()
    size, filters = options.size, options.filters
    found = []
    for precision in ("fp32", "bf16") if cuda else ("fp32",):
        ours, plain = train_both(size, filters, device, precision, options.steps)
        found += rows(f"pix2pix-step-{size}-filters{filters}", precision, ours, plain, 1, cuda)
    ours, plain = apply_both(size, filters, device, options.rounds)
    found += rows(f"pix2pix-apply-{size}-filters{filters}", "fp32", ours, plain, IMAGES, cuda)
    for row in found:
        print(row["data"], row["model"], row["variant"], row["measures"])  # noqa: T201
    device_name = torch.cuda.get_device_name(device) if cuda else f"cpu ({cpu_model()}), {threads()} threads"
    more = {"versions": {"torch": torch.__version__}, "load": round(load, 1), "limits": LIMITS}
    write_report(options.out, "bench-translate", found, began, device_name, **more)


if __name__ == "__main__":
    main()
