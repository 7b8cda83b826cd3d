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


def show_summary(run: Run) -> None:
    """Items, what was skipped, the map and what was chosen for it, the measures, and where the report lies."""
    collection, lattice = run.config["collection"], run.lattice
    show_skipped(collection["skipped"])
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("items", escape(_items(collection)))
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
    OUT.print(_measures(run.metrics))
    OUT.print(f"report: {run.path / 'report.html'}", soft_wrap=True, markup=False)
    OUT.print("        one file; open it in any browser, no network needed", markup=False)


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


def _measures(metrics: dict[str, float]) -> Table:
    from somscope.measures.descriptions import DESCRIPTIONS

    table = Table(box=None, padding=(0, 2), pad_edge=False)
    table.add_column("measure", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("what it says", style="dim")
    for name, value in metrics.items():
        known = DESCRIPTIONS.get(name)
        shown = "-" if value != value else f"{value:.4g}"
        table.add_row(escape(known.title if known else name), shown, escape(known.sentence if known else ""))
    return table
