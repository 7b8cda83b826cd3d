"""The report's tables in words: measures, what fit chose, settings, and how to repeat the run."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from somscope.measures import DESCRIPTIONS
from somscope.runs.distance import MapDistance

__all__ = [
    "Measure",
    "chosen_rows",
    "measure_rows",
    "number",
    "repeat_command",
    "repeat_python",
    "setting",
    "source_rows",
]


@dataclass(frozen=True)
class Measure:
    """One row of the table of measures."""

    name: str
    title: str
    value: str
    unit: str
    better: str
    sentence: str


def number(value: Any) -> str:
    """A number for readers: four significant digits, thousands parted; a dash where there is none."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "—"
    if float(value) == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4g}" if abs(value) < 1e5 else f"{value:,.0f}"


def measure_rows(metrics: Mapping[str, float], distance: MapDistance) -> list[Measure]:
    """The measures in the order of `somscope.measures.DESCRIPTIONS`, then any that it does not know."""
    units = {"distance": distance.measured, "squared distance": f"{distance.measured}, squared"}
    known = [name for name in DESCRIPTIONS if name in metrics]
    rows = [
        Measure(
            name,
            DESCRIPTIONS[name].title,
            number(metrics[name]),
            distance.items
            if name == "quantization_error"
            else units.get(DESCRIPTIONS[name].unit, DESCRIPTIONS[name].unit),
            {"higher": "higher is better", "lower": "lower is better"}.get(
                DESCRIPTIONS[name].better or "", ""
            ),
            DESCRIPTIONS[name].sentence,
        )
        for name in known
    ]
    others = [name for name in metrics if name not in DESCRIPTIONS]
    return rows + [
        Measure(name, name.replace("_", " "), number(metrics[name]), "", "", "") for name in others
    ]


def setting(value: Any) -> str:
    """A setting as it is written in Python, shortened."""
    text = "automatic" if value == "auto" else value if isinstance(value, str) else repr(value)
    return text if len(text) <= 300 else text[:299] + "…"


def source_rows(source: Mapping[str, Any]) -> dict[str, str]:
    """How the collection was read: what was given, without what was left open."""
    return {str(name): setting(value) for name, value in source.items() if value not in (None, {}, [], "")}


def chosen_rows(chosen: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What fit chose: (name, value, why) from {name: "value: why"} or {name: value}."""
    rows = []
    for name, entry in chosen.items():
        value, _, why = entry.partition(": ") if isinstance(entry, str) else (setting(entry), "", "")
        rows.append((name, value, why))
    return rows


def repeat_command(config: Mapping[str, Any]) -> str:
    """The command line that made the run, quoted for a shell; "" for a run made from Python."""
    command = [str(part) for part in config.get("command") or []]
    if not command:
        return ""
    return shlex.join([PurePath(command[0]).name, *command[1:]])


def repeat_python(config: Mapping[str, Any]) -> str:
    """The same map from Python: the estimator with its settings and its seed."""
    parameters = dict(config["model"].get("parameters") or {})
    if parameters.get("random_state") is None and config.get("seed") is not None:
        parameters["random_state"] = config["seed"]
    inside = ",\n    ".join(f"{name}={value!r}" for name, value in parameters.items())
    return f"from somscope import SOM\n\nsom = SOM(\n    {inside},\n).fit(X)" if inside else ""
