"""What the terminal shows after a map was made."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.markup import escape
from rich.table import Table

from somscope.cli.console import OUT, say_note
from somscope.cli.group import EXIT_INCOMPLETE, EXIT_INTERRUPTED
from somscope.maps.graph import GraphLattice
from somscope.measures import DESCRIPTIONS
from somscope.runs.checkpoints import checkpoint_folder, has_checkpoints
from somscope.runs.run import is_clustering, left_out, unfinished

if TYPE_CHECKING:
    from somscope.runs import Run

__all__ = ["end", "interrupted", "show_skipped", "show_summary"]

_SHOWN = 5  # examples of skipped files
_SHORT = (  # the measures that the terminal shows; the report has all
    "quantization_error",
    "reconstruction_error",
    "topographic_error_8",
    "topographic_error_hexagonal",
    "trustworthiness",
    "neighbourhood_preservation",
    "unit_perplexity",
    "dead_units",
    "purity",
    "nmi_arithmetic",
    "group_accuracy",
)
_SHORT_OF_CLUSTERS = (
    "reconstruction_error",
    "unit_perplexity",
    "accuracy",
    "ari",
    "nmi_arithmetic",
    "purity",
)


def show_summary(run: Run) -> None:
    """Items, what was skipped, the map and what was chosen for it, the measures, and where the report lies."""
    collection, lattice = run.config["collection"], run.lattice
    show_skipped(collection["skipped"])
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("items", escape(_items(collection)))
    if "note" in collection["source"]:
        table.add_row("", escape(collection["source"]["note"]))
    if run.config["model"]["name"] != "som":
        table.add_row("model", escape(_model(run.config)))
    if is_clustering(run.config):
        table.add_row("clusters", f"{lattice.n_units:,}")
    elif isinstance(lattice, GraphLattice):
        table.add_row("map", f"{lattice.n_units:,} units, {len(lattice.connections):,} connections")
    else:
        shape = ("toroidal " if lattice.toroidal else "") + lattice.shape
        table.add_row("map", f"{lattice.rows}x{lattice.columns} {shape}, {lattice.n_units:,} units")
    table.add_row(
        "training",
        escape(f"{_length(run.config)} in {run.config['seconds']:.1f} s: {run.config['stop_reason']}"),
    )
    for name, why in run.config["chosen"].items():
        table.add_row(f"chosen {name}", escape(_chosen(why)))
    OUT.print(table)
    OUT.print()
    OUT.print(_measures(run))
    if "latent_dim" in run.config["model"]["parameters"]:
        OUT.print("Distances are between codes, on a scale that the network has chosen.", style="dim")
    OUT.print()
    for warning in run.config["warnings"]:
        say_note(f"warning: {warning}")
    report = run.path / "report.html"
    if report.is_file():
        OUT.print(f"report: {report}", soft_wrap=True, markup=False)
        OUT.print(
            f"        open it in any browser, offline; it explains all {len(run.metrics)} measures",
            markup=False,
        )
        OUT.print(f"look at it: somscope look {shlex.quote(str(run.path))}", soft_wrap=True, markup=False)
    else:
        OUT.print(f"run: {run.path}", soft_wrap=True, markup=False)


def end(run: Run) -> None:
    """Show the summary; then, for a run that is not complete, say what it lacks and how to get it, and exit.

    Exit code 130 where Ctrl-C is the reason, 1 where something failed; a run that only left out what its size
    forbids is complete.
    """
    show_summary(run)
    for what, why in left_out(run.config).items():
        say_note(f"left out: {what} ({why})")
    if not unfinished(run.config):
        return
    causes = {entry.get("cause") for entry in run.config.get("left_out") or ()}
    stopped = run.config["stop_reason"] == "interrupted"
    several = is_clustering(run.config)
    what, were, are = ("clusters", "were", "they were") if several else ("map", "was", "it was")
    kept = f"the trained {what} {'are' if several else 'is'} kept in {run.path}"
    if stopped:
        kept = f"interrupted: the {what} {were} kept as {are} after {_length(run.config)}"
    if has_checkpoints(checkpoint_folder(run.path)):
        say_note(f"{kept}; to go on:\n{_resuming(run.config['command'])}")
    else:
        rest = "a full training" if stopped else "all the rest"
        say_note(f"{kept}; run the same command again with --overwrite for {rest}")
    raise typer.Exit(EXIT_INTERRUPTED if stopped or "interrupted" in causes else EXIT_INCOMPLETE)


def interrupted(path: Path, command: Sequence[str]) -> None:
    """Where Ctrl-C ended a training at once and left checkpoints, say how to go on and exit."""
    if has_checkpoints(checkpoint_folder(path)):
        say_note(
            f"interrupted: no run was written, and the last checkpoint is kept; to go on:\n{_resuming(command)}"
        )
        raise typer.Exit(EXIT_INTERRUPTED)


def _resuming(command: Sequence[str]) -> str:
    """The command line that goes on with a training."""
    return shlex.join([*command, *([] if "--resume" in command else ["--resume"])])


def _length(config: dict[str, Any]) -> str:
    return f"{config['steps']:,} steps" if "steps" in config else f"{config['passes']} passes"


def _model(config: dict[str, Any]) -> str:
    """ "desom, codes of 10 numbers, on cpu in fp32"; a model without a network has neither codes nor a precision."""
    parts = [config["model"]["name"]]
    if latent := config["model"]["parameters"].get("latent_dim"):
        parts.append(f"codes of {latent} numbers")
    precision = f" in {config['precision']}" if "precision" in config else ""
    return ", ".join([*parts, f"on {config['device']}{precision}"])


def show_skipped(skipped: Sequence[dict[str, str]]) -> None:
    """How many items were left out, why, and the first few by name."""
    if not skipped:
        return
    reasons = Counter(item["why"] for item in skipped)
    say_note(
        f"skipped {len(skipped)} items that could not be used: "
        + "; ".join(f"{count} x {why}" for why, count in reasons.most_common(_SHOWN))
    )
    for item in skipped[:_SHOWN]:
        say_note(f"  {item['where']}: {item['why']}")
    if len(skipped) > _SHOWN:
        say_note(f"  and {len(skipped) - _SHOWN} more: all are listed in config.json")


def _items(collection: dict[str, Any]) -> str:
    text = f"{collection['n_items']:,} {_kind(collection)}"
    labels = len(collection.get("label_names") or ())
    text += f", {labels} labels" if labels else ", no labels"
    if missing := collection.get("n_missing"):
        share = missing / (collection["n_items"] * collection["n_features"])
        text += f", {missing:,} missing values ({share:.1%})"
    skipped = len(collection["skipped"])
    return f"{text}, {skipped} skipped" if skipped else text


def _kind(collection: dict[str, Any]) -> str:
    if collection["kind"] == "images" and collection.get("image_shape"):
        height, width, channels = collection["image_shape"]
        return f"images, {height}x{width} pixels, {'grey' if channels == 1 else 'colour'}"
    what = "texts" if collection["kind"] == "text" else collection["kind"]
    return f"{what}, {collection['n_features']:,} features"


def _chosen(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_chosen(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(_chosen(part) for part in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _measures(run: Run) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    table.add_column(style="dim", overflow="fold")
    for name in _SHORT_OF_CLUSTERS if is_clustering(run.config) else _SHORT:
        if name in run.metrics:
            table.add_row(DESCRIPTIONS[name].title, f"{run.metrics[name]:.4g}", DESCRIPTIONS[name].sentence)
    return table
