"""Figures of the studies: from the content of a result file to a matplotlib `Figure`."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, StrMethodFormatter

__all__ = ["FIGURES", "beyond_figure", "gamma_figure", "radius_figure"]

Row = Mapping[str, Any]
Summary = Mapping[str, float]

_OTHERS = ("#d55e00", "#009e73", "#cc79a7", "#e69f00", "#666666")
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#666666"  # told apart by colour-blind readers too
_GAMMA_PANELS = {
    "purity": "purity",
    "nmi_geometric": "NMI (geometric)",
    "accuracy": "accuracy",
    "topographic_error_8": "topographic error (8 neighbours)",
    "unit_perplexity": "unit perplexity",
}


def gamma_figure(content: Mapping[str, Any]) -> Figure:
    """One panel per measure over gamma, with one curve for each number of pretraining epochs; bars: deviation."""
    panels = [name for name in _GAMMA_PANELS if any(name in row["measures"] for row in content["rows"])]
    figure = Figure(figsize=(2.9 * len(panels), 3.2), layout="constrained", facecolor="white")
    epochs = sorted({row["parameters"]["pretrain_epochs"] for row in content["rows"]})
    for axes, name in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for count, colour in zip(epochs, (_BLUE, _ORANGE, _GREY), strict=False):
            rows = sorted(
                (row for row in content["rows"] if row["parameters"]["pretrain_epochs"] == count),
                key=lambda row: row["parameters"]["gamma"],
            )
            label = f"{count} epochs of pretraining" if count else "no pretraining"
            gammas = [{"mean": row["parameters"]["gamma"], "std": 0.0} for row in rows]
            _curve(axes, gammas, [row["measures"][name] for row in rows], colour, label, "solid")
        axes.set_xscale("log")
        axes.set_xlabel("gamma")
        axes.set_title(_GAMMA_PANELS[name], fontsize=10, loc="left")
        _plain(axes)
    figure.axes[0].legend(fontsize=8, frameon=False)
    return figure


def radius_figure(content: Mapping[str, Any]) -> Figure:
    """Purity over topographic error, one panel per data set: a curve over the final radius, and the published DESOM."""
    data = list(dict.fromkeys(row["data"] for row in content["rows"]))
    figure, panels = _side_by_side(len(data))
    for axes, name in zip(panels, data, strict=True):
        rows = [row for row in content["rows"] if row["data"] == name]
        legacy = [row for row in rows if row["parameters"]["legacy"]]
        curve = [row for row in rows if not row["parameters"]["legacy"]]
        _tradeoff(axes, name, "DESOM, over its final radius", curve, {"DESOM as published": legacy})
    return figure


def beyond_figure(content: Mapping[str, Any]) -> Figure:
    """The same of ContrastiveSOM over the radius of its last passes, beside the other maps of the study."""
    rows = [row for row in content["rows"] if "topographic_error_8" in row["measures"]]
    curves = [row for row in rows if row["model"] == "contrastive-som" and _is_on_curve(row["variant"])]
    points = Counter(row["data"] for row in curves)
    data = [name for name, n in points.items() if n > 1]  # one point is no curve
    figure, panels = _side_by_side(max(1, len(data)))
    for axes, name in zip(panels, data, strict=False):
        curve = [row for row in curves if row["data"] == name]
        models = dict.fromkeys(row["model"] for row in rows if row["model"] != "contrastive-som")
        others = {model: _of_model([r for r in rows if r["data"] == name], model) for model in models}
        _tradeoff(axes, name, "contrastive-som, over the radius of its last passes", curve, others)
    return figure


def _side_by_side(n: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(4.6 * n, 3.8), layout="constrained", facecolor="white")
    return figure, list(figure.subplots(1, n, squeeze=False)[0])


def _tradeoff(
    axes: Axes, title: str, label: str, rows: Sequence[Row], others: Mapping[str, Sequence[Row]]
) -> None:
    """Purity over topographic error: a curve of rows over their final radius (None is the largest), each point with
    its radius; others: label -> rows, as points.
    """
    curve = sorted(rows, key=_final_radius)
    points = [
        (label, curve, _BLUE, "solid"),
        *((n, r, c, "none") for (n, r), c in zip(others.items(), _OTHERS, strict=False)),
    ]
    for name, part, colour, line in points:
        errors, purities = (
            [row["measures"][measure] for row in part] for measure in ("topographic_error_8", "purity")
        )
        _curve(axes, errors, purities, colour, name, line)
    for i, row in enumerate(curve):
        radius = _final_radius(row)
        axes.annotate(
            "none" if radius == math.inf else f"{radius:g}",
            (row["measures"]["topographic_error_8"]["mean"], row["measures"]["purity"]["mean"]),
            xytext=(5, -9) if i % 2 else (-5, 4),  # on both sides in turn: neighbours may be close
            ha="left" if i % 2 else "right",
            textcoords="offset points",
            fontsize=7,
            color=_BLUE,
        )
    axes.set_xscale("symlog", linthresh=0.01)  # a map may lie at 0.005, another at 0.5
    axes.set_xlim(left=0)
    axes.set_xticks([0, 0.01, 0.03, 0.1, 0.3, 1])
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("topographic error (8 neighbours)")
    axes.set_ylabel("purity")
    axes.set_title(title, fontsize=10, loc="left")
    low, high = axes.get_ylim()
    axes.set_ylim(bottom=low - 0.3 * (high - low))  # room for the legend
    axes.legend(fontsize=8, frameon=False, loc="lower left")
    _plain(axes)


def _of_model(rows: Sequence[Row], model: str) -> list[Row]:
    """The rows of a model: those of its default or, without these, of others, such as a short training."""
    found = [row for row in rows if row["model"] == model]
    return [row for row in found if row["variant"] == "default"] or found


def _is_on_curve(variant: str) -> bool:
    """Of the variants of `beyond`: those that differ in their last passes alone."""
    return variant == "default" or "last passes" in variant


def _final_radius(row: Row) -> float:
    radius = row["parameters"]["final_radius"]
    return math.inf if radius is None else float(radius)


def _curve(
    axes: Axes, x: Sequence[Summary], y: Sequence[Summary], colour: str, label: str, line: str
) -> None:
    """Means with bars of one standard deviation; nothing where there are none."""
    if x:
        axes.errorbar(
            [value["mean"] for value in x],
            [value["mean"] for value in y],
            xerr=[value["std"] for value in x],
            yerr=[value["std"] for value in y],
            color=colour,
            linestyle=line,
            marker="o",
            markersize=4,
            linewidth=1.4,
            label=label,
        )


def _plain(axes: Axes) -> None:
    axes.grid(True, color="#dddddd", linewidth=0.6)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


FIGURES: dict[str, Callable[[Mapping[str, Any]], Figure]] = {
    "desom-gamma": gamma_figure,
    "desom-radius": radius_figure,
    "beyond": beyond_figure,
}
