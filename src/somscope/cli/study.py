"""`somscope study`: the declared experiments, and the tables of their results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from somscope.cli.audit_power import TITLE as POWER
from somscope.cli.audit_power import audit_power_command
from somscope.cli.console import ERR, OUT, say_note
from somscope.cli.edges2fashion import NAME as EDGES
from somscope.cli.edges2fashion import SETS as EDGES_SETS
from somscope.cli.edges2fashion import TITLE as EDGES_TITLE
from somscope.cli.edges2fashion import edges2fashion_command
from somscope.cli.gan_som import gan_som_command
from somscope.cli.group import EXIT_INTERRUPTED
from somscope.cli.hashing import hashing_command
from somscope.cli.matching_study import NAME as MATCHING
from somscope.cli.matching_study import TITLE as MATCHING_TITLE
from somscope.cli.matching_study import matching_command
from somscope.errors import InputError
from somscope.studies import STUDIES, Study
from somscope.studies import hashing_tables as hashing
from somscope.studies.gan_som_tables import NAME, SETS, TITLE

if TYPE_CHECKING:
    from somscope.studies.cells import FinishedCell
    from somscope.studies.declare import Cell

__all__ = ["add_study", "app", "show_results"]

_WIDEST = 1000  # characters of a table

app = typer.Typer(no_args_is_help=True, help="Run a declared experiment, and show its table.")


@app.command("list")
def list_command() -> None:
    """List the studies: what each repeats, and how many trainings it takes.

    Example:  somscope study list
    """
    from rich.table import Table

    table = Table(title="Studies")
    table.add_column("name", no_wrap=True)
    table.add_column("what it repeats")
    table.add_column("data")
    table.add_column("models")
    table.add_column("rows", justify="right")
    table.add_column("seeds", justify="right")
    for study in STUDIES.values():
        data, models = (
            ", ".join(dict.fromkeys(getattr(entry, what) for entry in study.entries))
            for what in ("data", "model")
        )
        table.add_row(study.name, study.title, data, models, str(len(study.entries)), str(study.n_seeds))
    table.add_row(NAME, TITLE, ", ".join(SETS), "som", str(2 * len(SETS)), "20")
    rivals = "pix2pix, mean-target, nearest-neighbour"
    table.add_row(EDGES, EDGES_TITLE, ", ".join(EDGES_SETS), rivals, str(3 * len(EDGES_SETS)), "3")
    rows = len(hashing.BITS) * sum(len(features) for features in hashing.METHODS.values())
    table.add_row(hashing.NAME, hashing.TITLE, "cifar10", ", ".join(hashing.METHODS), str(rows), "5")
    table.add_row(
        MATCHING, MATCHING_TITLE, "warped patches, graf, aloe", "brief, orb, sift, itq, bingan", "5", "3"
    )
    table.add_row("audit-power", POWER, "synthetic pairs", "audit", "15", "200")
    OUT.print(table)
    OUT.print(
        "Run one, or a part of it:  somscope study desom-tables --data mnist --models k-means --seeds 2"
    )


@app.command("table")
def table_command(
    file: Annotated[Path, typer.Argument(help="A result file, such as results/desom-tables.json.")],
) -> None:
    """Write the tables of a result file as Markdown.

    Example:  somscope study table results/desom-tables.json
    """
    from somscope.studies.results import read_results
    from somscope.studies.table import markdown

    OUT.print(markdown(read_results(file)), soft_wrap=True, markup=False)


def _command(study: Study) -> Callable[..., None]:
    """The command of one study."""

    def run(
        seeds: Annotated[
            str, typer.Option(help="How many seeds (5: 0 to 4), or which (5:10: 5 to 9).", metavar="N")
        ] = str(study.n_seeds),
        data: Annotated[str | None, typer.Option(help="Only these data sets, separated by commas.")] = None,
        models: Annotated[str | None, typer.Option(help="Only these models.")] = None,
        variants: Annotated[str | None, typer.Option(help="Only these variants.")] = None,
        protocols: Annotated[str | None, typer.Option(help="Only these protocols: paper, held-out.")] = None,
        device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
        precision: Annotated[str, typer.Option(help="Of the networks: auto (fp32), fp32 or bf16.")] = "auto",
        work: Annotated[
            Path | None,
            typer.Option(help="Where finished trainings are kept; by default beside the result: NAME.cells."),
        ] = None,
        out: Annotated[Path, typer.Option("--out", "-o", help="The result file to write.")] = (
            Path("results") / f"{study.name}.json"
        ),
        as_json: Annotated[
            bool, typer.Option("--json", help="Print the result file, not its table.")
        ] = False,
    ) -> None:
        choices = {
            "data": _names(data),
            "models": _names(models),
            "variants": _names(variants),
            "protocols": _names(protocols),
        }
        cells = study.cells(_seeds(seeds), **choices)
        _run(study, cells, device, precision, work, out, as_json)

    run.__doc__ = f"""{study.title}.

    Every finished training is kept at once: after Ctrl-C the same command goes on where it was. The result file holds
    all that is finished, whatever part of it was asked for.

    Example:

    `somscope study {study.name} --data {study.entries[0].data} --models {study.entries[0].model} --seeds 2`
    """
    return run


def add_study(group: typer.Typer, study: Study) -> None:
    """Add the command of a study to a group."""
    group.command(study.name)(_command(study))


for _study in STUDIES.values():
    add_study(app, _study)
app.command("gan-som")(gan_som_command)
app.command(EDGES)(edges2fashion_command)
app.command("hashing-cifar10")(hashing_command)
app.command(MATCHING)(matching_command)
app.command("audit-power")(audit_power_command)


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _seeds(text: str) -> range:
    """ "5" -> 0 to 4, "5:10" -> 5 to 9. Raises InputError for anything else."""
    start, colon, stop = text.rpartition(":")
    try:
        seeds = range(int(start) if colon else 0, int(stop))
    except ValueError:
        seeds = range(0)
    if not seeds or seeds.start < 0:
        raise InputError(f"--seeds {text!r}: expected a number such as 5, or START:END such as 5:10")
    return seeds


def _run(
    study: Study,
    cells: list[Cell],
    device: str,
    precision: str,
    work: Path | None,
    out: Path,
    as_json: bool,
) -> None:
    from somscope.errors import RunError
    from somscope.studies.cells import work_folder
    from somscope.studies.machine import use_all_cores
    from somscope.studies.results import document, finished_cells, read_results, write_results
    from somscope.studies.run import run_cells
    from somscope.training import TrainingOptions

    if out.is_dir():  # before hours of training
        raise RunError(f"{out} is a folder: name a file, such as {out / study.name}.json")
    previous = read_results(out) if out.is_file() else None
    if previous is not None and previous.get("study") != study.name:
        raise RunError(f"{out} holds the results of {previous.get('study')}: name another file")
    folder = work_folder(out) if work is None else work
    TrainingOptions(device=device, precision=precision)  # refuse a wrong word before the data are read
    use_all_cores()
    with _Progress(len(cells)) as watch:
        outcome = run_cells(cells, folder, device, precision, watch)
    finished = finished_cells(study, folder)
    if finished:
        content = document(study, finished, outcome.missing, outcome.failed, previous)
        write_results(out, content)
        show_results(content, out, as_json)
        _draw(study, content, out)
    if outcome.interrupted:
        say_note(
            f"interrupted: {outcome.finished} of {len(cells)} trainings are finished and kept in {folder}; "
            "the same command goes on with the others"
        )
        raise typer.Exit(EXIT_INTERRUPTED)
    notes = [
        f"{len(lost)} {what}: {'; '.join(dict.fromkeys(lost.values()))}"
        for what, lost in (("rows are missing", outcome.missing), ("trainings failed", outcome.failed))
        if lost
    ]
    if notes and not finished:
        raise RunError("; ".join(notes))
    for note in notes:
        say_note(note)


def show_results(content: dict[str, Any], out: Path, as_json: bool) -> None:
    """Print the document or its tables."""
    if as_json:
        import json

        OUT.print(json.dumps(content, indent=2, ensure_ascii=False), soft_wrap=True, markup=False)
        return
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table

    from somscope.studies.table import LEGEND, tables

    for made in tables(content):
        table = Table(title=made.title, title_justify="left", box=SIMPLE, pad_edge=False)
        for at, name in enumerate(made.head):
            table.add_column(name, justify="right" if at else "left", no_wrap=True)
        for line in made.lines:
            table.add_row(*line)
        wide = Console(width=_WIDEST)
        width = Measurement.get(wide, wide.options, table).maximum
        Console(width=width).print(table)  # numbers that are cut off to fit a screen are of no use
    OUT.print(content.get("legend", LEGEND), soft_wrap=True, markup=False)
    OUT.print(f"result: {out}", soft_wrap=True, markup=False)


def _draw(study: Study, content: dict[str, Any], out: Path) -> None:
    """Write the figure of a study beside its result file, where it has one."""
    from somscope.figures import save_figure
    from somscope.runs import new_file
    from somscope.studies.figures import FIGURES

    if study.name in FIGURES:
        path = out.with_suffix(".png")
        with new_file(path) as partial:
            save_figure(FIGURES[study.name](content), partial)
        say_note(f"figure: {path}")


class _Progress:
    """A bar over all cells with the time left, and a line for each that is finished; on standard error."""

    def __init__(self, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
            console=ERR,
            transient=True,
            disable=not ERR.is_terminal,
        )
        self._task = self._bar.add_task("study", total=total, left="")
        self._at = ""

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def starts(self, cell: Cell, done: int, total: int, left: float | None) -> None:
        self._at = f"{done + 1} of {total}"
        text = "" if left is None else f"about {_duration(left)} left"
        self._bar.update(self._task, description=str(cell), completed=done, left=text)

    def finished(self, cell: FinishedCell) -> None:
        measures = cell.measures
        numbers = [f"purity {measures['purity']:.3f}", f"NMI geo. {measures['nmi_geometric']:.3f}"]
        if "topographic_error_8" in measures:
            numbers.append(f"TE8 {measures['topographic_error_8']:.3f}")
        numbers.append(_duration(measures["seconds"]))
        self._print(f"{self._at}: {cell.cell}: {', '.join(numbers)}")
        self._bar.advance(self._task)

    def says(self, text: str) -> None:
        self._print(text)

    def _print(self, text: str) -> None:
        ERR.print(text, soft_wrap=True, markup=False)


def _duration(seconds: float) -> str:
    """3.4 s, 5 min 10 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"
