"""Tables of result files, as text for the terminal and as Markdown for the README and the manual."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from somscope.models.table import CLUSTERERS

__all__ = ["GivenTable", "Table", "markdown", "tables"]

# measure -> head of the column, digits. In this order; a column without any number is left out.
_COLUMNS = {
    "purity": ("purity", 3),
    "nmi_geometric": ("NMI geo.", 3),
    "nmi_arithmetic": ("NMI arith.", 3),
    "accuracy": ("accuracy", 3),
    "ari": ("ARI", 3),
    "topographic_error_4": ("TE4", 3),
    "topographic_error_8": ("TE8", 3),
    "topographic_error_hexagonal": ("TE6", 3),
    "quantization_error": ("QE", 3),
    "unit_perplexity": ("perplexity", 1),
    "dead_units": ("dead units", 1),
    "class_scatter_index": ("regions of a class", 2),
    "units": ("units", 1),
    "unassigned": ("unassigned", 2),
    "perturbation_ratio": ("perturbation ratio", 2),
    "seconds": ("seconds", 0),
    "memory_mb": ("MB", 0),
}
_PROTOCOLS = {
    "paper": "trained and scored on all items, as the authors did",
    "held-out": "trained on the training part, scored on the test part",
}
LEGEND = (
    "Mean ± standard deviation over the seeds; in brackets the published number. TE4 and TE8: topographic error with 4 "
    "and 8 neighbours. QE: mean distance to the best prototype, among the codes where the model has codes. Regions of "
    "a class: neighbouring units that each hold 1 % of it or more. MB: the most memory of a training beyond the data. "
    "Chance: the same units with shuffled labels."
)


class Table:
    """The rows of one data set and protocol as text: `head` and `lines` of equal length; the first is the model."""

    def __init__(self, title: str, rows: Sequence[Mapping[str, Any]]) -> None:
        columns = [name for name in _COLUMNS if any(name in row["measures"] for row in rows)]
        if not any(row["model"] in CLUSTERERS for row in rows):
            columns = [name for name in columns if name != "ari"]  # a map has many units for each class
        self.title = title
        self.head = ["model", *(_COLUMNS[name][0] for name in columns), "seeds"]
        self.lines = [[_name(row), *(_cell(row, name) for name in columns), _seeds(row)] for row in rows]
        chance = [_chance(rows, name) for name in columns]
        if any(chance):
            self.lines.append(["chance", *chance, ""])


class GivenTable(NamedTuple):
    """A table that stands in the result file itself, as text."""

    title: str
    head: list[str]
    lines: list[list[str]]


def tables(content: Mapping[str, Any]) -> Sequence[Table | GivenTable]:
    """The tables that a result file holds; else one for each data set and protocol, in the order of its rows."""
    if "tables" in content:
        return [GivenTable(**table) for table in content["tables"]]
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in content["rows"]:
        groups.setdefault((row["data"], row["protocol"]), []).append(row)
    return [
        Table(f"{data}, {protocol} protocol ({_PROTOCOLS.get(protocol, protocol)})", rows)
        for (data, protocol), rows in groups.items()
    ]


def markdown(content: Mapping[str, Any]) -> str:
    """All tables of a result file in Markdown, with how they are to be read, and what is absent and why."""
    parts = []
    for table in tables(content):
        ruler = "|---|" + "---:|" * (len(table.head) - 1)
        lines = ["| " + " | ".join(_escaped(line)) + " |" for line in (table.head, *table.lines)]
        parts.append("\n".join([f"**{table.title}**", "", lines[0], ruler, *lines[1:]]))
    parts.append(content.get("legend", LEGEND))
    device = content.get("device")
    if device:
        parts.append(f"Measured on: {device}; somscope {content['somscope']}.")
    parts += [str(note) for note in content.get("notes", [])]
    parts += [
        f"Failed: {row['data']} {row['model']} ({row['variant']}, {row['protocol']}), seed {seed}: "
        + " ".join(why.split())
        for row in content["rows"]
        for seed, why in row.get("failed", {}).items()
    ]
    parts += [
        f"Absent: {row['data']} {row['model']} ({row['variant']}, {row['protocol']}): "
        + " ".join(str(row["reason"]).split())
        for row in content.get("absent", [])
    ]
    return "\n\n".join(parts)


def _escaped(cells: Sequence[str]) -> list[str]:
    return [cell.replace("|", "\\|") for cell in cells]


def _name(row: Mapping[str, Any]) -> str:
    notes = [] if row["variant"] == "default" else [str(row["variant"])]
    if row.get("precision") not in (None, "fp32"):
        notes.append(f"in {row['precision']}")
    return f"{row['model']} ({', '.join(notes)})" if notes else str(row["model"])


def _seeds(row: Mapping[str, Any]) -> str:
    failed = len(row.get("failed", {}))
    return f"{len(row['seeds'])} ({failed} failed)" if failed else str(len(row["seeds"]))


def _cell(row: Mapping[str, Any], name: str) -> str:
    digits = _COLUMNS[name][1]
    found = row["measures"].get(name)
    published = row.get("published", {}).get(name)
    text = "-" if found is None else f"{found['mean']:z.{digits}f}"
    if found is not None and len(row["seeds"]) > 1:
        text += f" ±{found['std']:.{digits}f}"
    return text if published is None else f"{text} ({published:.{digits}f})"


def _chance(rows: Sequence[Mapping[str, Any]], name: str) -> str:
    values = [row["chance"][name]["mean"] for row in rows if name in row.get("chance", {})]
    return f"{statistics.fmean(values):z.{_COLUMNS[name][1]}f}" if values else ""
