"""Small runs of deep maps, and how two of them are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from cli.samples import invoke
from somscope.runs import Run

QUICK = ("--grid", "2x3", "--latent-dim", 2, "--device", "cpu")
DESOM = ("--model", "desom", "--steps", 20, *QUICK)


def bars(n: int = 96, seed: int = 2) -> np.ndarray:
    """(n, 8, 8, 1) uint8: bars at four places, with noise."""
    images = np.random.default_rng(seed).integers(0, 60, (n, 8, 8, 1))
    for i in range(n):
        images[i, :, 2 * (i % 4) : 2 * (i % 4) + 2] += 180
    return images.astype(np.uint8)


def make_bars(folder: Path) -> Path:
    """bars.npy and labels.txt."""
    np.save(folder / "bars.npy", bars())
    (folder / "labels.txt").write_text("\n".join("abcd"[i % 4] for i in range(96)))
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = Run.open(run).model().module_.state_dict()
    return found


def assert_same(one: Path, other: Path) -> None:
    """Bit for bit."""
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def refused(*arguments: object, match: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert match in " ".join(result.output.split()), result.output
    assert "Traceback" not in result.output
