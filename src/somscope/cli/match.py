"""somscope match: what two images have in common, by binary descriptors of their keypoints."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from somscope.cli.console import OUT
from somscope.errors import RunError

__all__ = ["match_command"]


def match_command(
    run: Annotated[
        Path, typer.Argument(help="A run of patches, as `somscope codes --patches` writes it.", metavar="RUN")
    ],
    first: Annotated[Path, typer.Argument(help="An image file.", metavar="A")],
    second: Annotated[Path, typer.Argument(help="Another one.", metavar="B")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The picture to write.")] = Path("matches.png"),
    descriptor: Annotated[
        Literal["run", "brief", "orb", "sift"],
        typer.Option(help="run: the run's codes; the others learn nothing and leave the run aside."),
    ] = "run",
    keypoints: Annotated[int, typer.Option(min=2, help="At most so many in each image.", metavar="N")] = 1000,
    detector: Annotated[
        Literal["orb", "opencv-sift"],
        typer.Option(help="What finds the keypoints; opencv-sift needs OpenCV, the extra opencv."),
    ] = "orb",
    ratio: Annotated[float, typer.Option(help="Nearest over second nearest distance, at most.")] = 0.8,
    pixels: Annotated[float, typer.Option(help="How far matches may lie from the homography.")] = 3.0,
    seed: Annotated[int, typer.Option(min=0, help="Of RANSAC.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
) -> None:
    """Match the keypoints of two images, find the homography between them, and draw it.

    Example:

    `somscope match runs/patches a.png b.png -o matches.png`
    """
    if out.exists() and not overwrite:
        raise RunError(f"{out} exists: choose another file, or give --overwrite to replace it")
    from somscope.data.keypoints import read_grey
    from somscope.matching import descriptor as describe_by
    from somscope.matching import match_images, write_matches
    from somscope.runs.code_run import CodeRun

    describe = describe_by(descriptor, CodeRun.open(run) if descriptor == "run" else None)
    a, b = read_grey(first), read_grey(second)
    found = match_images(
        a, b, describe, n_keypoints=keypoints, detector=detector, ratio=ratio, pixels=pixels, seed=seed
    )
    agree = (
        "no homography: no five of them agree on one"
        if found.homography is None
        else f"{int(found.inliers.sum())} agree on one homography"
    )
    text = f"{len(found.a)} and {len(found.b)} keypoints, {len(found.pairs)} matches, {agree}"
    OUT.print(text)
    if found.homography is not None:
        for row in found.homography:
            OUT.print("  " + " ".join(f"{value:12.6g}" for value in row), highlight=False)
    by = f"the codes of {run}" if descriptor == "run" else descriptor
    path = write_matches(a, b, found, f"{first.name}, {second.name} by {by}: {text}", out)
    OUT.print(f"picture: {path}", soft_wrap=True, markup=False)
