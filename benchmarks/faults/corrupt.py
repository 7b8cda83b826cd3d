"""A folder of images of which one in a hundred is broken, in one of eight ways."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from benchmarks.faults.processes import Spoken, ask, command
from benchmarks.faults.rows import Row
from PIL import Image

from somscope.runs.run import Run

__all__ = ["images", "make_folder"]

_SIDE = 12
_EVERY = 100
_SOM = ("--model", "som", "--grid", "10x10", "--passes", "3")


def images(folder: Path, times: int, rng: np.random.Generator, n: int = 50_000) -> list[Row]:
    """`somscope map` of n images; what it skips must be what is broken, each of it by name."""
    broken = make_folder(folder / "images", n, rng)
    spoken: Spoken = command("map", folder / "images", "-o", folder / "run", *_SOM)

    def found() -> tuple[int, list[str]]:
        run = Run.open(folder / "run")
        assert run.assignments().num_rows == run.n_items
        return run.n_items, sorted(entry["where"] for entry in run.config["collection"]["skipped"])

    mapped, skipped = ask(found) if spoken.code == 0 else (0, [])
    whole = skipped == broken and mapped == n - len(broken)
    return [
        Row(
            f"{len(broken):,} of {n:,} images are broken",
            1,
            f"{mapped:,} images are mapped; {len(skipped):,} skipped, each by name in config.json"
            f"{'' if whole else ', which are not those that are broken'}",
            spoken.said.split(" 000/")[0] + ", and the first of them by name",
            failed=int(not whole),
        )
    ]


def make_folder(folder: Path, n: int, rng: np.random.Generator) -> list[str]:
    """n small PNG and JPEG pictures in subfolders; the names of those that are broken."""
    shades = rng.integers(0, 256, (n, 3), dtype=np.uint8)
    ramp = np.linspace(0.5, 1.0, _SIDE * _SIDE).reshape(_SIDE, _SIDE, 1)
    broken = []
    for i in range(n):
        png = i % 2 == 0
        name = f"{i // 1000:03}/{i:06}.{'png' if png else 'jpg'}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        Image.fromarray((shades[i] * ramp).astype(np.uint8)).save(buffer, "PNG" if png else "JPEG")
        if i % _EVERY == _EVERY // 2 + (i // _EVERY) % 2:
            _break(path, buffer.getvalue(), png, (i // _EVERY) // 2 % 7)
            broken.append(name)
        else:
            path.write_bytes(buffer.getvalue())
    return broken


def _break(path: Path, whole: bytes, png: bool, how: int) -> None:
    if how == 0:
        path.write_bytes(b"")
    elif how == 1:
        path.write_bytes(whole[: len(whole) // 2] if png else whole[:200])
    elif how == 2:
        path.write_text("<html><body>404 Not Found</body></html>")
    elif how == 3:
        path.write_bytes(bytes(len(whole)))
    elif how == 4:
        path.symlink_to("nowhere")
    elif how == 5:
        os.mkfifo(path)
    elif png:  # a bomb: its header declares 60,000 x 60,000 pixels
        path.write_bytes(whole[:16] + (60_000).to_bytes(4, "big") * 2 + whole[24:])
    else:  # the first marker is no marker
        path.write_bytes(b"\xff\xd9" + whole[2:])
