"""`somscope study matching`: descriptors of local patches that find one place again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.console import ERR, say_note
from somscope.cli.group import EXIT_INTERRUPTED
from somscope.errors import RunError, check_choice

__all__ = ["NAME", "TITLE", "matching_command"]

NAME = "matching"
TITLE = "Descriptors of local patches that find one place again: FPR@95 and average precision of matching"


def matching_command(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.", metavar="N")] = 3,
    models: Annotated[
        str | None,
        typer.Option(help="Only these, separated by commas: brief, orb, sift, itq, itq-even-light, bingan."),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Of BinGAN's small network.", metavar="N")] = 3,
    out: Annotated[Path, typer.Option("--out", "-o", help="The result file to write.")] = Path(
        "results/matching.json"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result file, not its table.")] = False,
) -> None:
    """Descriptors of local patches that find one place again, after a homography and in two real pairs of images.

    Photographs come with scikit-image and scikit-learn; more of them, and the real pairs, are read from the folder
    `matching` of SOMSCOPE_DATA. Each model is written when it is finished, and those that are not asked for stay.

    Example:

    `somscope study matching --models orb,sift --seeds 1`
    """
    from somscope.cli.study import show_results
    from somscope.studies.machine import use_all_cores
    from somscope.studies.matching import MODELS, matching
    from somscope.studies.results import read_results, write_results

    asked = list(MODELS) if models is None else [name.strip() for name in models.split(",")]
    for name in asked:
        check_choice("models of matching", name, MODELS)
    previous = read_results(out) if out.is_file() else None
    if previous is not None and previous["study"] != NAME:
        raise RunError(f"{out} holds the results of {previous['study']}: name another file")
    use_all_cores()
    content = previous
    try:
        for content in matching(
            range(seeds), asked, lambda text: ERR.print(text, soft_wrap=True, markup=False), previous, epochs
        ):
            write_results(out, content)
    except KeyboardInterrupt:
        say_note(f"interrupted: the models that are finished are in {out}")
        raise typer.Exit(EXIT_INTERRUPTED) from None
    assert content is not None
    show_results(content, out, as_json)
