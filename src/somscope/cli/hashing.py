"""`somscope study hashing-cifar10`: binary codes that find images of the same class."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.console import ERR, say_note
from somscope.cli.group import EXIT_INTERRUPTED
from somscope.errors import InputError, RunError, check_choice

__all__ = ["hashing_command"]


def hashing_command(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.", metavar="N")] = 5,
    models: Annotated[str | None, typer.Option(help="Only these coders, separated by commas.")] = None,
    features: Annotated[
        str | None, typer.Option(help="Only these features: pixels, gist, kmeans, images.")
    ] = None,
    bits: Annotated[str | None, typer.Option(help="Only these numbers of bits: 16, 32, 64.")] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Epochs of networks; by default their own.", min=1, metavar="N")
    ] = None,
    precision: Annotated[str, typer.Option(help="Of networks: auto (fp32), fp32 or bf16.")] = "auto",
    work: Annotated[
        Path | None,
        typer.Option(
            help="Where features and what is finished are kept; by default beside the result: NAME.cells."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The result file to write.")] = Path(
        "results/hashing-cifar10.json"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result file, not its table.")] = False,
) -> None:
    """Codes of 16, 32 and 64 bits that find CIFAR-10 images of the same class, without labels.

    Each row is written when it is finished, and rows of the file that are not asked for stay. What each seed scored is
    kept at once: the same command goes on where it was, and more seeds add to those that are there. CIFAR-10 is read
    from the folder that SOMSCOPE_DATA names.

    Example:

    `somscope study hashing-cifar10 --models itq,lsh --features pixels --seeds 1`
    """
    from somscope.cli.study import show_results
    from somscope.studies.cells import work_folder
    from somscope.studies.hashing_cifar10 import hashing_cifar10, methods
    from somscope.studies.hashing_tables import BITS, FEATURES, METHODS, NAME
    from somscope.studies.machine import use_all_cores
    from somscope.studies.results import read_results, write_results
    from somscope.training import TrainingOptions

    asked = methods(
        _names("models", models, METHODS),
        _names("features", features, FEATURES),
        None if bits is None else [int(name) for name in _names("bits", bits, map(str, BITS)) or ()],
        epochs,
        precision,
    )
    if not asked:
        raise InputError("no row is left with these choices; `images` goes with networks alone")
    previous = read_results(out) if out.is_file() else None
    if previous is not None and previous["study"] != NAME:
        raise RunError(f"{out} holds the results of {previous['study']}: name another file")
    TrainingOptions(precision=precision)  # refuse a wrong word before the images are read
    use_all_cores()
    content = previous
    try:
        for content in hashing_cifar10(
            range(seeds),
            asked,
            work_folder(out) if work is None else work,
            lambda text: ERR.print(text, soft_wrap=True, markup=False),
            previous,
        ):
            write_results(out, content)
    except KeyboardInterrupt:
        say_note(f"interrupted: the rows that are finished are in {out}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    assert content is not None
    show_results(content, out, as_json)


def _names(what: str, text: str | None, allowed: Iterable[str]) -> list[str] | None:
    if text is None:
        return None
    names, known = [name.strip() for name in text.split(",")], list(allowed)
    for name in names:
        check_choice(f"{what} of hashing-cifar10", name, known)
    return names
