"""Figures of the studies: from the content of a result file to a matplotlib `Figure`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["FIGURES", "gamma_figure", "radius_figure"]

Row = Mapping[str, Any]
Summary = Mapping[str, float]

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
    figure = Figure(figsize=(4.6 * len(data), 3.8), layout="constrained", facecolor="white")
    for axes, name in zip(figure.subplots(1, len(data), squeeze=False)[0], data, strict=True):
        rows = [row for row in content["rows"] if row["data"] == name]
        legacy = [row for row in rows if row["parameters"]["legacy"]]
        curve = sorted(
            (row for row in rows if not row["parameters"]["legacy"]),
            key=lambda row: row["parameters"]["final_radius"],
        )
        for part, colour, label, line in (
            (curve, _BLUE, "DESOM, over its final radius", "solid"),
            (legacy, _ORANGE, "DESOM as published", "none"),
        ):
            errors, purities = (
                [row["measures"][measure] for row in part] for measure in ("topographic_error_8", "purity")
            )
            _curve(axes, errors, purities, colour, label, line)
        for row in curve:
            axes.annotate(
                f"{row['parameters']['final_radius']:g}",
                (row["measures"]["topographic_error_8"]["mean"], row["measures"]["purity"]["mean"]),
                xytext=(4, -9),
                textcoords="offset points",
                fontsize=7,
                color=_BLUE,
            )
        axes.set_xlim(left=0)
        axes.set_xlabel("topographic error (8 neighbours)")
        axes.set_ylabel("purity")
        axes.set_title(name, fontsize=10, loc="left")
        axes.legend(fontsize=8, frameon=False)
        _plain(axes)
    return figure


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
}
