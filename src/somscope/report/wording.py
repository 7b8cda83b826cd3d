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
from somscope.runs.record import DESCRIBED

__all__ = [
    "RELEVANCES",
    "Measure",
    "chosen_rows",
    "codes_note",
    "measure_rows",
    "number",
    "repeat_command",
    "repeat_python",
    "setting",
    "source_rows",
    "warning_rows",
]


_LONGEST_TUPLE = 8

# Figure of a map with relevances -> what it is to someone who does not see it, and what is said below it.
RELEVANCES = {
    "relevances": (
        "Histogram of all relevances, and the relevances of each unit",
        "How much each dimension matters to each unit: near 1 where its items hardly differ. A unit that was never "
        "updated has relevances of 1.",
    ),
    "perturbation": (
        "Decoded prototypes, and the same with dimensions below or above a relevance disturbed",
        "Prototypes of the largest units, and the same with all dimensions below or above a relevance moved by 0.25 in "
        "random directions.",
    ),
    "traversal": (
        "The most relevant dimension of each of the largest units walked from 0 to 1",
        "The most relevant dimension of the same units walked from 0 to 1, the others held.",
    ),
    "intersections": (
        "Three units of a kind, and the darkest and the brightest of them at each pixel",
        "Three units of one majority label, or without labels three that are connected; then the darkest of them at "
        "each pixel, which is what they share, and the brightest.",
    ),
}


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
    units = {
        "distance": distance.measured,
        "squared distance": f"{distance.measured}, squared",
        "squared feature": f"{distance.features}, squared",
    }
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


def codes_note(config: Mapping[str, Any], distance: MapDistance) -> str:
    """Where the distances of a deep map are measured; "" for a map of the items themselves."""
    if not distance.codes:
        return ""
    latent = (config["model"].get("parameters") or {}).get("latent_dim")
    return (
        f"The map lies among the codes, {latent} numbers for each item. Distances, the quantization error and the "
        "topographic errors are measured there, on a scale that the network has chosen: they compare items on this "
        "map, and are not to be compared with the distances of another."
    )


def warning_rows(config: Mapping[str, Any]) -> list[str]:
    """What a reader has to know before all else: what went wrong in the training, and that it was interrupted."""
    known = config.get("warnings")
    rows = [str(warning) for warning in known] if isinstance(known, list) else []
    if config.get("stop_reason") == "interrupted":
        rows.append("The training was interrupted: this is the map as it was then.")
    return rows


def setting(value: Any) -> str:
    """A setting as it is written in Python, shortened; what config.json only describes, in these words."""
    described = _described(value)
    if described is not None:
        return described
    if isinstance(value, list) and all(isinstance(part, float) for part in value):
        value = [float(f"{part:.4g}") for part in value]
    text = "automatic" if value == "auto" else value if isinstance(value, str) else repr(value)
    return text if len(text) <= 300 else text[:299] + "…"


def _described(value: Any) -> str | None:
    """The words of config.json for a value that it does not hold; None for one that it does."""
    return str(value[DESCRIBED]) if isinstance(value, dict) and list(value) == [DESCRIBED] else None


def source_rows(source: Mapping[str, Any]) -> dict[str, str]:
    """How the collection was read: what was given, without what was left open."""
    options = {name: value for name, value in (source.get("options") or {}).items() if name not in source}
    said = {name: value for name, value in source.items() if name != "options"} | options
    if isinstance(taken := said.get("taken"), Mapping):
        some, whole = taken.get("n_items"), taken.get("of")
        said["taken"] = f"{some:,} of {whole:,} items" if type(some) is type(whole) is int else taken
    return {str(name): setting(value) for name, value in said.items() if value not in (None, {}, [], "")}


def chosen_rows(chosen: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What fit chose: (name, value, why) from {name: "value: why"} or {name: value}."""
    rows = []
    for name, entry in chosen.items():
        value, _, why = entry.partition(": ") if isinstance(entry, str) else (setting(entry), "", "")
        rows.append((name, value, why))
    return rows


def repeat_command(config: Mapping[str, Any]) -> str:
    """The command line that made the run from its start, quoted for a shell; "" for a run made from Python."""
    command = [str(part) for part in config.get("command") or [] if part != "--resume"]
    if not command:
        return ""
    return shlex.join([PurePath(command[0]).name, *command[1:]])


def repeat_python(config: Mapping[str, Any]) -> str:
    """The same run from Python: its collection read again, where all of it was read from a path, and its settings.

    Arrays that are too long to be written out are taken from the model of the run.
    """
    parameters = dict(config["model"].get("parameters") or {})
    if not parameters:
        return ""
    scaled = "scale" in (config.get("chosen") or {})
    if scaled:  # the weights come from the data again
        parameters.pop("feature_weights", None)
    if config.get("seed") is not None and _described(config["seed"]) is None:
        parameters["random_state"] = config["seed"]
    lines, names = [], []
    for name, value in parameters.items():
        described = _described(value)
        if described is None:
            lines.append(f"    {name!r}: {_literal(value)},")
        elif described.startswith("array "):
            names.append(name)
            lines.append(f"    {name!r}: saved.{name},  # {described}")
        else:
            lines.append(f"    # {name!r}: {described}, which is not kept: give it again")
    collection, where = config["collection"], "collection"
    source = collection.get("source") or {}
    imports = ["map_collection"]
    if "path" in source and "taken" not in source and source.get("labels_from") != "memory":
        imports.append("open_collection")
        options = source.get("options") or {}
        given = "".join(f", {name}={_literal(value)}" for name, value in options.items())
        where = f"open_collection({source['path']!r}{given})"
    saved = f"saved = Run.open('FOLDER OF THIS RUN').model()  # has {', '.join(names)}\n" if names else ""
    imports += ["Run"] if names else []
    comment = "" if where != "collection" else "# collection: the items, which were made in Python\n"
    inside = "\n".join(lines)
    scale = "standard" if scaled else "none"
    return (
        f"from somscope import {', '.join(sorted(imports, key=str.lower))}\n\n{comment}{saved}"
        f"parameters = {{\n{inside}\n}}\n"
        f"run = map_collection({where}, 'runs/again', {config['model']['name']!r}, parameters, scale={scale!r})\n"
    )


def _literal(value: Any) -> str:
    """A value of config.json in Python: a few numbers, such as a grid or the sizes of layers, are a tuple there."""
    short = isinstance(value, list) and len(value) <= _LONGEST_TUPLE
    plain = short and all(isinstance(part, int | float) for part in value)
    return repr(tuple(value)) if plain else repr(value)
