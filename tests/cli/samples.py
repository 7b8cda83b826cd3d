"""Small collections in files, and a way to run a command in this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner, Result

from somscope.cli.main import app


def invoke(*arguments: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def make_photos(folder: Path, n: int = 24, *, mode: str = "RGB", seed: int = 0) -> Path:
    """n pictures of 20 x 16 pixels in two classes: dark ones and bright ones."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        bright = i % 2
        pixels = (rng.random((16, 20, 3)) * 60 + 180 * bright).astype(np.uint8)
        place = folder / ("bright" if bright else "dark") / f"{i:03}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).convert(mode).save(place)
    return folder


def make_table(path: Path, n: int = 60, seed: int = 0) -> Path:
    """n rows of columns a, b, c (c in far larger units), a label `kind` and a name."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    a, b = kind + 0.1 * rng.standard_normal((2, n))
    c = 1000 * rng.standard_normal(n) + 5000
    rows = [f"row{i},{a[i]:.5f},{b[i]:.5f},{c[i]:.2f},{'xyz'[kind[i]]}" for i in range(n)]
    path.write_text("name,a,b,c,kind\n" + "\n".join(rows) + "\n")
    return path


def make_texts(path: Path, n: int = 40) -> Path:
    """Lines about two things."""
    animals = ["cat purrs softly", "dog barks loudly", "cat chases dog", "dog sleeps near cat"]
    ships = ["ship sails east", "captain steers ship", "sails fill with wind", "wind drives captain"]
    lines = [*animals, *ships]
    path.write_text("\n".join(lines[i % len(lines)] for i in range(n)) + "\n")
    return path
