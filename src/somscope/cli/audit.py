"""somscope audit: what a generator keeps, loses and invents."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from somscope.cli.console import OUT, say_note
from somscope.errors import InputError

__all__ = ["audit_command"]


def audit_command(
    results: Annotated[
        Path | None,
        typer.Argument(
            help="A folder of triples NAME_real_A, NAME_fake_B, NAME_real_B, as pix2pix's test script writes it.",
            metavar="[RESULTS]",
        ),
    ] = None,
    source: Annotated[Path | None, typer.Option(help="Folder of the generator's inputs.")] = None,
    target: Annotated[Path | None, typer.Option(help="Folder of the real images it should match.")] = None,
    generated: Annotated[Path | None, typer.Option(help="Folder of what it made.")] = None,
    real: Annotated[Path | None, typer.Option(help="Folder of real images that are not paired.")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="The folder to write; audits/NAME.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the audit that is there.")] = False,
    protocol: Annotated[
        Literal["corrected", "published", "both"],
        typer.Option(help="published: the GAN-SOM paper's metrics, of triples only."),
    ] = "corrected",
    spaces: Annotated[
        str | None,
        typer.Option(
            help="Separated by commas: pixels, downscaled, conv, hog, run:FOLDER, features:FILE, inception:FILE. "
            "Default: pixels, or downscaled of more than 3,000 images."
        ),
    ] = None,
    image_size: Annotated[
        str | None, typer.Option(help="Pixels, such as 128 or 96x128. Default: as most are, at most 256.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=2, help="Maps of each set.")] = 20,
    permutations: Annotated[int, typer.Option(min=19, help="For every level of chance.")] = 999,
    seed: Annotated[int, typer.Option(help="The same seed gives the same audit.")] = 0,
) -> None:
    """Compare the images that a generator made with real ones, and write a report.

    Give the output folder of pix2pix's test script; or three folders, --source, --target and --generated, whose
    images are paired by name (--source may be left out); or --real and --generated, which are not paired.

    Example:

    `somscope audit results/facades_pix2pix/test_latest/images -o audits/facades`
    """
    from somscope.audit import read_folders, read_pix2pix, read_unpaired
    from somscope.auditing import audit_images, check_free

    if out is not None:
        check_free(out, overwrite=overwrite)
    if results is not None and not any((source, target, generated, real)):
        images = read_pix2pix(results, image_size)
    elif results is None and target is not None and generated is not None and real is None:
        images = read_folders(source, target, generated, image_size)
    elif results is None and real is not None and generated is not None and not (source or target):
        images = read_unpaired(real, generated, image_size)
    else:
        raise InputError(
            "give a results folder; or --target and --generated (and --source), paired by name; or --real and "
            "--generated, not paired"
        )
    if results is None and out is not None:
        images = replace(images, name=out.resolve().name)
    folder = Path("audits") / images.name if out is None else out
    check_free(folder, overwrite=overwrite)
    result = audit_images(
        images,
        protocol=protocol,
        spaces=None if spaces is None else [name.strip() for name in spaces.split(",")],
        n_seeds=seeds,
        permutations=permutations,
        seed=seed,
    )
    result.save(folder, overwrite=overwrite)
    for finding in result.findings:
        if finding.severity == "problem":
            say_note(finding.text)
    for conclusion in result.conclusions:
        where = f"; space {conclusion.space}" if len(result.settings["spaces"]) > 1 else ""
        OUT.print(
            f"{conclusion.question} {conclusion.answer} ({conclusion.sure}{where})",
            soft_wrap=True,
            markup=False,
        )
    if images.left_out:
        say_note(f"left out: {len(images.left_out)} (files, or pairs of theirs); the report names them")
    OUT.print(f"report: {folder / 'report.html'}", soft_wrap=True, markup=False)
    if protocol != "published":  # that keeps no maps
        OUT.print(f"look at it: somscope look {shlex.quote(str(folder))}", soft_wrap=True, markup=False)
