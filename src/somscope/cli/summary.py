"""What the terminal shows after a map was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from somscope.cli.console import OUT, say_note

if TYPE_CHECKING:
    from somscope.runs import Run

__all__ = ["show_skipped", "show_summary"]

_SHOWN = 5  # examples of skipped files
_MEANINGS = {
    "quantization_error": "mean distance of an item to its prototype",
    "topographic_error_8": "share of items whose two best units are no neighbours",
    "topographic_error_hexagonal": "share of items whose two best units are no neighbours",
    "trustworthiness": "are neighbours on the map alike? 1 is best",
    "neighbourhood_preservation": "do like items lie near each other? 1 is best",
    "unit_perplexity": "units in effective use",
    "dead_units": "units without items",
    "purity": "share of items with the main label of their unit",
    "nmi_arithmetic": "agreement of units and labels; 1 is most",
}


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
    shape = ("toroidal " if lattice.toroidal else "") + lattice.shape
    table.add_row("map", f"{lattice.rows}x{lattice.columns} {shape}, {lattice.n_units:,} units")
    table.add_row(
        "training",
        escape(
            f"{run.config['passes']} passes in {run.config['seconds']:.1f} s: {run.config['stop_reason']}"
        ),
    )
    for name, why in run.config["chosen"].items():
        table.add_row(f"chosen {name}", escape(_chosen(why)))
    OUT.print(table)
    OUT.print()
    OUT.print(_measures(run))
    OUT.print()
    OUT.print(f"report: {run.path / 'report.html'}", soft_wrap=True, markup=False)
    OUT.print(
        f"        open it in any browser, offline; it explains all {len(run.metrics)} measures", markup=False
    )


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
    for name, meaning in _MEANINGS.items():
        if name in run.metrics:
            table.add_row(name.replace("_", " "), f"{run.metrics[name]:.4g}", meaning)
    return table
