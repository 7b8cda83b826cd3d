"""The `somscope` command. Each sub-command lies in a file of its own and imports what is slow when it is called."""

from __future__ import annotations

from typing import Annotated

import typer

import somscope
from somscope.cli import (
    assign,
    audit,
    cluster,
    codes,
    data,
    demo,
    export,
    look,
    match,
    pairs,
    relevance,
    report,
    study,
    translate,
    tune,
)
from somscope.cli import map as map_
from somscope.cli.console import OUT
from somscope.cli.group import SomscopeGroup

__all__ = ["app", "main"]

app = typer.Typer(
    name="somscope",
    cls=SomscopeGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("map")(map_.map_command)
app.command("cluster")(cluster.cluster_command)
app.command("assign")(assign.assign_command)
app.command("audit")(audit.audit_command)
app.command("report")(report.report_command)
app.command("relevance")(relevance.relevance_command)
app.command("tune")(tune.tune_command)
app.command("look")(look.look_command)
app.command("demo")(demo.demo_command)
app.command("codes")(codes.codes_command)
app.command("search")(codes.search_command)
app.command("duplicates")(codes.duplicates_command)
app.command("match")(match.match_command)
app.command("export")(export.export_command)
app.add_typer(data.app, name="data")
app.add_typer(pairs.app, name="pairs")
app.add_typer(translate.app, name="translate")
app.add_typer(study.app, name="study")


def _show_version(wanted: bool) -> None:
    if wanted:
        OUT.print(f"somscope {somscope.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and end."),
    ] = False,
) -> None:
    """See what is in a collection of images, vectors or text: lay it out on a map that a person can read.

    Try `somscope demo`: it maps images that come with somscope and needs no network.
    """


def main() -> None:
    """The entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
