"""`somscope study audit-power`: what the audit finds of what was planted, and its false alarms."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from somscope.cli.console import ERR

__all__ = ["TITLE", "audit_power_command"]

TITLE = "The power of the audit: what it finds of what was planted in synthetic pairs, and its false alarms"


def audit_power_command(
    sizes: Annotated[str, typer.Option(help="Numbers of pairs, separated by commas.")] = "50,200,1000",
    audits: Annotated[
        int, typer.Option(min=10, help="Simulated audits of shuffled pairs; of what is planted, fewer.")
    ] = 200,
    out: Annotated[Path, typer.Option("--out", "-o", help="The result file to write.")] = Path(
        "results/audit-power.json"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the result file, not its table.")] = False,
) -> None:
    """What the audit finds of what was planted in synthetic pairs, and how often it finds what is not there.

    Pairs of known truth: outputs that follow their targets, the same in random order, a mode dropped, a mode invented,
    and a tenth of the outputs replaced. Sizes can be run apart: the result file keeps those that are not asked for.

    Example:

    `somscope study audit-power --sizes 50 --audits 20 -o power.json`
    """
    from somscope.cli.study import show_results
    from somscope.errors import InputError, RunError
    from somscope.studies.audit_power import NAME, audit_power
    from somscope.studies.results import read_results, write_results

    numbers = [int(text) if text.strip().isdecimal() else 0 for text in sizes.split(",")]
    if min(numbers) < 20:
        raise InputError(f"--sizes {sizes!r}: expected numbers of pairs such as 50,200, each 20 or more")
    previous = read_results(out) if out.is_file() else None
    if previous is not None and previous.get("study") != NAME:
        raise RunError(f"{out} holds the results of {previous.get('study')}: name another file")
    content = audit_power(
        lambda text: ERR.print(text, soft_wrap=True, markup=False), numbers, audits, previous=previous
    )
    write_results(out, content)
    show_results(content, out, as_json)
