"""somscope tune: settings of a model searched by a Latin hypercube."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from somscope.cli.console import ERR, OUT, say_note
from somscope.cli.group import EXIT_INTERRUPTED
from somscope.cli.options import parse_columns
from somscope.cli.training import Columns, Data, Device, ImageSize, LabelColumn, Limit, Precision
from somscope.errors import InputError, check_choice
from somscope.models.table import GROWING, MAPS

if TYPE_CHECKING:
    from somscope.data import Collection
    from somscope.tuning import Range, Row

__all__ = ["tune_command"]

_MEASURES = {"nmi_arithmetic": "NMI (arithmetic)", "purity": "purity", "units": "units"}
_SEARCH = "The search"


def tune_command(
    data: Data,
    model: Annotated[
        str, typer.Option(help=f"What is trained: {', '.join(GROWING | MAPS)}.", metavar="NAME")
    ] = "dc-somrl",
    samples: Annotated[int, typer.Option(min=3, help="How many settings.", rich_help_panel=_SEARCH)] = 30,
    ranges: Annotated[
        Literal["initial", "adjusted"],
        typer.Option(help="Which of the published ranges, of somrl and dc-somrl.", rich_help_panel=_SEARCH),
    ] = "initial",
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--range",
            help="NAME=LOW:HIGH for another range of a parameter, NAME=VALUE to fix it; can be given several times.",
            metavar="RANGE",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            help="Labelled items to score on; by default those of DATA.",
            metavar="DATA",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the settings and of every training.")] = 0,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="The folder to write; by default runs/tune-MODEL.")
    ] = None,
    device: Annotated[Device, typer.Option(help="Where it is trained; by default auto.")] = None,
    precision: Precision = None,
    columns: Columns = None,
    label_column: LabelColumn = None,
    image_size: ImageSize = None,
    limit: Limit = None,
) -> None:
    """Train a model with settings spread over ranges, and say which parameters matter.

    The range of each parameter is cut into as many parts as there are settings, and each part is in one of them (a
    Latin hypercube). Every finished training is kept at once: after Ctrl-C the same command goes on where it was. No
    training sees a label; the measures do, so that the best settings are chosen by labels.

    Examples:

    `somscope tune mnist:train --model dc-somrl --samples 30 --score mnist:test`

    `somscope tune table.csv --label-column kind --model somrl --range threshold=0.9:0.99 --range smoothness=0.1`
    """
    check_choice("--model", model, GROWING | MAPS)
    from somscope.data import open_collection
    from somscope.studies.learners import learner_defaults
    from somscope.studies.machine import use_all_cores
    from somscope.tuning import hypercube, parse_range, published_ranges, tune

    searched = published_ranges(model, ranges)
    searched.update(parse_range(text, learner_defaults(model)) for text in given or [])
    settings = hypercube(searched, samples, seed)
    _check_settings(model, settings)
    reading = {"columns": parse_columns(columns), "label_column": label_column, "image_size": image_size}
    options: dict[str, Any] = {name: value for name, value in reading.items() if value is not None}
    limited: dict[str, Any] = {} if limit is None else {"limit": limit, "seed": seed}
    train = open_collection(data, **options, **limited)
    scored = train if score is None else open_collection(score, **options)
    for each in (train, scored)[score is not None :]:
        if each.labels is None or not (each.labels >= 0).all():
            raise InputError(f"{each.name}: settings are compared by labels, and some items have none")
    folder = Path("runs") / f"tune-{model}" if out is None else out
    use_all_cores()
    rows: list[Row] = []

    def watch(row: Row, there: bool) -> None:
        rows.append(row)
        if not there:
            _say(row, samples)

    stopped = False
    try:
        tune(
            model, settings, train, scored, folder / "rows", seed=seed, device=device or "auto",
            precision=precision or "auto", watch=watch,
        )  # fmt: skip
    except KeyboardInterrupt:
        stopped = True
    failed = [row.failed for row in rows if row.failed]
    if failed and len(failed) == samples:
        raise InputError(
            f"none of the {samples} settings could be trained and scored; the first: {failed[0]}"
        )
    if rows:
        _write(rows, model, searched, train, scored, samples, seed, folder)
    if failed:
        say_note(f"{len(failed)} of {samples} settings could not be trained: rows.parquet says why")
    if stopped:
        say_note(
            f"interrupted: {len(rows)} of {samples} settings are trained; the same command goes on with the others"
        )
        raise typer.Exit(EXIT_INTERRUPTED)


def _check_settings(model: str, settings: Sequence[Mapping[str, float | int]]) -> None:
    """Raise InputError, before the first training, for ranges beyond what a parameter may be."""
    from somscope.models.table import model_class

    for setting in settings:
        try:
            model_class(model)(**setting)._check_choices()
        except InputError as error:
            raise InputError(f"a range goes beyond what {model} allows: {error}") from None


def _say(row: Row, samples: int) -> None:
    found = row.measures
    told = (
        row.failed
        or f"NMI {found['nmi_arithmetic']:.3f}, purity {found['purity']:.3f}"
        + (f", {found['units']:.0f} unit{'s' * (found['units'] != 1)}" if "units" in found else "")
        + f", {found['seconds']:.0f} s"
    )
    ERR.print(f"{row.number + 1} of {samples}: {told}", soft_wrap=True, markup=False)


def _write(
    rows: list[Row],
    model: str,
    ranges: dict[str, Range],
    train: Collection,
    scored: Collection,
    samples: int,
    seed: int,
    folder: Path,
) -> None:
    """rows.parquet, tune.json and the figures of what is trained so far, and the table on the terminal."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from somscope.figures import save_figure, settings_figure
    from somscope.runs import new_file
    from somscope.runs.jsonfile import write_object
    from somscope.tuning import sensitivity

    names = list(dict.fromkeys(name for row in rows for name in row.measures))
    flat = [
        {"row": r.number, **r.parameters, **{n: r.measures.get(n) for n in names}, "failed": r.failed or None}
        for r in rows
    ]
    with new_file(folder / "rows.parquet") as partial:
        pq.write_table(pa.Table.from_pylist(flat), partial)
    good = [row for row in rows if row.measures]
    content: dict[str, Any] = {
        "model": model,
        "samples": samples,
        "seed": seed,
        "trained": {"name": train.name, "n_items": train.n_items, "fingerprint": train.fingerprint},
        "scored": {"name": scored.name, "n_items": scored.n_items, "fingerprint": scored.fingerprint},
        "ranges": {name: [r.low, r.high] for name, r in ranges.items()},
        "rows": len(rows),
        "failed": {str(row.number): row.failed for row in rows if row.failed},
        "sensitivity": {},
        "best": {},
        "made": dict(good[-1].made) if good else {},
    }
    varied = [name for name, r in ranges.items() if r.low < r.high]
    values = np.array([[row.parameters[name] for name in varied] for row in good], np.float64)
    for measure, title in _MEASURES.items():
        if not good or measure not in good[0].measures:
            continue
        reached = np.array([row.measures[measure] for row in good])
        if measure != "units":
            top = good[int(reached.argmax())]
            content["best"][measure] = {
                "row": top.number, "parameters": dict(top.parameters), "measures": dict(top.measures),
            }  # fmt: skip
        correlations: dict[str, float] = {}
        if len(good) >= 3:
            found = sensitivity(values, reached)
            correlations = dict(zip(varied, found.rank.tolist(), strict=True))
            content["sensitivity"][measure] = {
                "r2": _number(found.r2),
                "parameters": {
                    name: {"rank": _number(rank), "p": _number(p), "slope": _number(slope)}
                    for name, rank, p, slope in zip(varied, found.rank, found.p, found.slope, strict=True)
                },
            }
        drawn = settings_figure(dict(zip(varied, values.T, strict=True)), reached, title, correlations)
        with new_file(folder / f"{measure}.png") as partial:
            save_figure(drawn, partial)
    write_object(folder / "tune.json", content)
    _show(content)
    OUT.print(f"written: {folder}", soft_wrap=True, markup=False)


def _number(value: float) -> float | None:
    return float(f"{value:.4g}") if value == value else None


def _show(content: dict[str, Any]) -> None:
    from rich.table import Table

    found = content["sensitivity"].get("nmi_arithmetic")
    if found is not None:
        r2 = "" if found["r2"] is None else f"; the regression explains {found['r2']:.0%}"
        table = Table(title=f"What NMI follows ({content['rows']} settings{r2})", title_justify="left")
        for name in ("parameter", "rank correlation", "p", "slope (standard deviations)"):
            table.add_column(name, justify="left" if name == "parameter" else "right", no_wrap=True)
        order = sorted(found["parameters"].items(), key=lambda item: -abs(item[1]["rank"] or 0.0))
        for name, numbers in order:
            table.add_row(
                name, *("-" if numbers[k] is None else f"{numbers[k]:.2f}" for k in ("rank", "p", "slope"))
            )
        OUT.print(table)
    for measure, best in content["best"].items():
        settings = ", ".join(f"{name}={value:g}" for name, value in best["parameters"].items())
        OUT.print(
            f"best {_MEASURES[measure]}: {best['measures'][measure]:.3f}, setting {best['row'] + 1} of "
            f"{content['samples']} (row {best['row']} of rows.parquet): {settings}",
            soft_wrap=True,
            markup=False,
        )
