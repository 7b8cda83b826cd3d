"""The report of a translator: one HTML file with its losses, examples, domains and settings."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import somscope
from somscope.nets.generators import Architecture
from somscope.report import wording
from somscope.report.charts import training_charts

__all__ = ["render_translator"]

_STATISTICS = {
    "red": "red, mean",
    "green": "green, mean",
    "blue": "blue, mean",
    "contrast": "contrast (deviation of grey)",
    "colour": "colour (largest less smallest channel)",
    "detail": "detail (absolute Laplacian)",
    "flat": "flat pixels (equal to a neighbour)",
}
# What the two losses of a discriminator are that cannot tell made from real pairs.
_UNDECIDED = {
    "vanilla": "both log 2 = 0.69",
    "lsgan": "both 0.25",
    "wgangp": "equal but for the sign",
}


def render_translator(
    config: Mapping[str, Any],
    history: Mapping[str, Sequence[float]],
    domains: Mapping[str, Mapping[str, Sequence[float]]],
    examples: bytes,
) -> str:
    """The page. config, domains: as in config.json and domains.json; examples: the contact sheet, as PNG.

    Every string of the run is shown as text: none can become markup or script, and the page allows no script.
    """
    environment = Environment(
        loader=PackageLoader("somscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    parameters = config["model"]["parameters"]
    a, b = parameters["domain_names"]
    source, target = (a, b) if parameters["direction"] == "AtoB" else (b, a)
    medians = {part: {name: float(np.median(v)) for name, v in domains[part].items()} for part in domains}
    style = files("somscope.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
    return environment.get_template("translator.html.j2").render(
        config=config,
        source=source,
        target=target,
        training=_training(config),
        undecided=_UNDECIDED[parameters["objective"]],
        examples=f"data:image/png;base64,{base64.b64encode(examples).decode('ascii')}",
        charts=training_charts(history),
        n_described=len(domains["source"]["red"]),
        statistics=[(title, medians["source"][n], medians["target"][n]) for n, title in _STATISTICS.items()],
        architecture=Architecture(**config["architecture"]),
        data=_data(config["pairs"]),
        repeat_command=wording.repeat_command(config),
        number=wording.number,
        setting=wording.setting,
        style=Markup(style),
        version=somscope.__version__,
    )


def _training(config: Mapping[str, Any]) -> str:
    ended = "" if config["stop_reason"] == "completed" else f", and ended early ({config['stop_reason']})"
    return f"The training took {config['steps']:,} steps and {config['seconds']:,.0f} seconds{ended}."


def _data(pairs: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for side in ("a", "b"):
        found = pairs[side]
        rows.append((f"Images {side.upper()}", str(found["name"])))
        if found.get("fingerprint"):
            rows.append((f"Fingerprint of {side.upper()} (SHA-256)", str(found["fingerprint"])))
    left = {entry["where"]: entry["why"] for side in ("a", "b") for entry in pairs[side].get("skipped") or []}
    if pairs["unmatched"]:
        rows.append(("Files without a partner", str(pairs["unmatched"])))
    rows.extend((f"Left out: {where}", why) for where, why in left.items())
    return rows
