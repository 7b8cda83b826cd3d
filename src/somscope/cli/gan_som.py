"""`somscope study gan-som`: the study of maps of real and generated images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.console import ERR
from somscope.errors import check_choice

__all__ = ["gan_som_command"]


def gan_som_command(
    seeds: Annotated[int, typer.Option(min=2, help="How many seeds.", metavar="N")] = 20,
    data: Annotated[str | None, typer.Option(help="Only these data sets, separated by commas.")] = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The result file to write.")] = Path(
        "results/gan-som.json"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result file, not its table.")] = False,
) -> None:
    """Maps of real and generated images of five pix2pix generators, as published and done right.

    The images are read from `pix2pix-pretrained/NAME` in the folder that SOMSCOPE_DATA names; sets that are not there
    are left out and named.

    Example:

    `somscope study gan-som --seeds 20 --json`
    """
    from somscope.cli.study import show_results
    from somscope.errors import RunError
    from somscope.studies.gan_som import gan_som
    from somscope.studies.gan_som_tables import SETS
    from somscope.studies.results import write_results

    names = SETS if data is None else tuple(name.strip() for name in data.split(","))
    for name in names:
        check_choice("data of gan-som", name, SETS)
    content = gan_som(range(seeds), names, lambda text: ERR.print(text, soft_wrap=True, markup=False))
    if not content["rows"]:
        raise RunError("; ".join(absent["reason"] for absent in content["absent"]))
    write_results(out, content)
    show_results(content, out, as_json)
