"""`somscope study edges2fashion`: the study of translation from edges."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from somscope.cli.console import ERR
from somscope.errors import check_choice

__all__ = ["NAME", "SETS", "TITLE", "edges2fashion_command"]

NAME = "edges2fashion"
TITLE = "Clothes from their edges: pix2pix beside the mean target and the nearest neighbour"
SETS = ("fashion-mnist-shoes", "fashion-mnist", "cifar10")


def edges2fashion_command(
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.", metavar="N")] = 3,
    data: Annotated[
        str, typer.Option(help=f"Data sets, separated by commas, of {', '.join(SETS)}.")
    ] = "fashion-mnist-shoes,fashion-mnist",
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option(help="Where it is trained.")] = "auto",
    work: Annotated[
        Path | None,
        typer.Option(help="Where finished trainings are kept; by default beside the result: NAME.cells."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The result file to write.")] = Path(
        "results/edges2fashion.json"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result file, not its table.")] = False,
) -> None:
    """Clothes from their edges: pix2pix beside the mean target and the nearest neighbour.

    Every finished training is kept at once: after Ctrl-C the same command goes on where it was. cifar10 is for a GPU.

    Example:

    `somscope study edges2fashion --data fashion-mnist-shoes --seeds 1`
    """
    from somscope.cli.study import show_results
    from somscope.errors import RunError
    from somscope.studies.edges2fashion import edges2fashion
    from somscope.studies.machine import use_all_cores
    from somscope.studies.results import write_results

    names = [name.strip() for name in data.split(",")]
    for name in names:
        check_choice(f"data of {NAME}", name, SETS)
    use_all_cores()
    content = edges2fashion(
        names,
        range(seeds),
        out.with_suffix(".cells") if work is None else work,
        lambda text: ERR.print(text, soft_wrap=True, markup=False),
        device=device,
    )
    if not content["rows"]:
        raise RunError("; ".join(dict.fromkeys(absent["reason"] for absent in content["absent"])))
    write_results(out, content)
    show_results(content, out, as_json)
