"""Figures from results/bench-som.json: `python -m benchmarks.som.plot` writes docs/images/bench-*.png.

Quality: quantization error against topographic error of every map trained on all items, one panel per workload, with
somscope's curve over the final radius. Speed: seconds of a pass as a multiple of the matrix product, logarithmic.
"""

# ruff: noqa: T201 - a command that says what it wrote

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.som import results

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["dominating", "quality_figure", "save_figures", "speed_figure"]

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
OURS = "somscope"
# Okabe and Ito's colours (safe for colour-blind readers); tools also differ by marker.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#8C564B", "#7F7F7F")
_MARKERS = ("o", "s", "^", "v", "D", "P", "X", "<", ">", "p", "h", "*", "d", "8")
_OUR_COLOUR = "#D55E00"


def _mean(row: dict[str, Any], name: str) -> float:
    return float(row["measures"][name]["mean"])


def _quality(row: dict[str, Any]) -> tuple[float, float]:
    return _mean(row, "quantization_error"), _mean(row, "topographic_error_8")


def _trained(content: dict[str, Any], workload: str) -> list[dict[str, Any]]:
    return [
        row for row in content["rows"] if row["data"] == workload and "quantization_error" in row["measures"]
    ]


def dominating(content: dict[str, Any], workload: str, variant: str = "default") -> list[dict[str, Any]]:
    """The peers' rows that are better than somscope's `variant` in both errors; the claim is that there are none."""
    rows = _trained(content, workload)
    ours = next((row for row in rows if row["model"] == OURS and row["variant"] == variant), None)
    if ours is None:
        return []
    error, topographic = _quality(ours)
    return [
        row
        for row in rows
        if row["model"] != OURS and _quality(row)[0] < error and _quality(row)[1] < topographic
    ]


def _style(content: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each peer, the same in every panel."""
    names = sorted({row["model"] for row in content["rows"]} - {OURS})
    return {
        name: (_COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)])
        for index, name in enumerate(names)
    }


def _radius(row: dict[str, Any]) -> float:
    return float(row["variant"].removeprefix("final-radius-"))


def _quality_panel(axes: Axes, content: dict[str, Any], workload: str) -> None:
    rows = _trained(content, workload)
    for name, (colour, marker) in _style(content).items():
        points = [_quality(row) for row in rows if row["model"] == name]
        if points:
            errors, topographic = zip(*points, strict=True)
            axes.scatter(
                errors, topographic, s=34, c=colour, marker=marker, label=name, alpha=0.85, linewidths=0
            )
    curve = sorted(
        (row for row in rows if row["model"] == OURS and row["variant"].startswith("final-radius-")),
        key=_radius,
    )
    if curve:
        errors, topographic = zip(*(_quality(row) for row in curve), strict=True)
        axes.plot(
            errors,
            topographic,
            "-",
            color=_OUR_COLOUR,
            lw=1.4,
            label="somscope, final radius",
            zorder=4,
        )
        axes.scatter(errors, topographic, s=14, c=_OUR_COLOUR, zorder=4, linewidths=0)
        for row in (curve[0], curve[-1]):
            axes.annotate(
                f"{_radius(row):g}",
                _quality(row),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=7,
                zorder=5,
            )
    default = next((row for row in rows if row["model"] == OURS and row["variant"] == "default"), None)
    if default is not None:
        error, topographic_error = _quality(default)
        axes.scatter(
            [error], [topographic_error], s=150, c=_OUR_COLOUR, marker="*", edgecolors="black", linewidths=0.8,
            label="somscope, defaults", zorder=6,
        )  # fmt: skip
        axes.set_xlim(*_window([_quality(row)[0] for row in rows], error))
    axes.set_yscale("symlog", linthresh=0.01)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(-0.001, 1.0)
    axes.set_title(workload, fontsize=9)
    axes.set_xlabel("quantization error (data units)", fontsize=8)
    axes.set_ylabel("topographic error, 8 neighbours", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.25, lw=0.5)


def _window(errors: list[float], centre: float) -> tuple[float, float]:
    """The range shown: up to 1.3 times our error, so that maps that learned little do not squeeze the rest."""
    low = min(errors)
    high = min(max(errors), 1.3 * centre)
    margin = 0.05 * (high - low or 1.0)
    return low - margin, high + margin


def _figure(content: dict[str, Any], size: tuple[float, float]) -> tuple[Figure, list[Axes], list[str]]:
    from matplotlib.figure import Figure

    workloads = [name for name in content["workloads"] if any(row["data"] == name for row in content["rows"])]
    figure = Figure(figsize=size, layout="constrained")
    columns = min(2, len(workloads))
    grid = figure.subplots(-(-len(workloads) // columns), columns, squeeze=False)
    panels = list(grid.flat)
    for unused in panels[len(workloads) :]:
        unused.set_visible(False)
    return figure, panels, workloads


def quality_figure(content: dict[str, Any]) -> Figure:
    """A panel per workload: quantization error (x) against topographic error (y); lower left is better in both."""
    figure, panels, workloads = _figure(content, (10.0, 8.6))
    labels: dict[str, Any] = {}
    for axes, workload in zip(panels, workloads, strict=False):
        _quality_panel(axes, content, workload)
        handles, names = axes.get_legend_handles_labels()
        labels |= dict(zip(names, handles, strict=True))
    if labels:
        figure.legend(
            list(labels.values()),
            list(labels),
            loc="outside lower center",
            ncols=5,
            fontsize=8,
            frameon=False,
        )
    figure.suptitle("Quality of maps: lower and further left is better (one point per setting)", fontsize=11)
    return figure


def speed_figure(content: dict[str, Any]) -> Figure:
    """A panel per workload: for each tool the time of a pass of its fastest setting over the matrix product's."""
    figure, panels, workloads = _figure(content, (10.0, 9.0))
    for axes, workload in zip(panels, workloads, strict=False):
        best: dict[str, dict[str, Any]] = {}
        for row in content["rows"]:
            if row["data"] != workload or row.get("growing"):  # a growing map has fewer units: another task
                continue
            known = best.get(row["model"])
            if row["model"] == OURS and row["variant"] != "default":
                continue
            if known is None or _ratio(row) < _ratio(known):
                best[row["model"]] = row
        rows = sorted(best.values(), key=_ratio, reverse=True)
        colours = [_OUR_COLOUR if row["model"] == OURS else "#0072B2" for row in rows]
        bars = axes.barh(
            [row["model"] for row in rows], [_ratio(row) for row in rows], color=colours, height=0.7
        )
        for bar, row in zip(bars, rows, strict=True):
            if row.get("extrapolated"):
                bar.set_hatch("///")
                bar.set_edgecolor("white")
            mark = "~" if row.get("extrapolated") else ""
            ratio = f"{_ratio(row):.0f}" if _ratio(row) >= 1000 else f"{_ratio(row):.3g}"
            axes.annotate(
                mark + ratio, (bar.get_width(), bar.get_y() + bar.get_height() / 2), fontsize=7,
                xytext=(3, 0), textcoords="offset points", va="center",
            )  # fmt: skip
        axes.set_xscale("log")
        axes.axvline(1.0, color="black", lw=1.0, ls="--")
        axes.margins(x=0.16)
        axes.set_title(workload, fontsize=9)
        axes.set_xlabel("time of a pass / time of the float32 matrix product (log)", fontsize=8)
        axes.tick_params(labelsize=7)
    machine = content["machine"]
    figure.suptitle(
        f"Time of one training pass, fastest setting of each tool; dashed line: the matrix product\n"
        f"{machine['cpu']}, {machine['threads']} threads; hatched and ~: extrapolated from a part of the items",
        fontsize=10,
    )
    return figure


def _ratio(row: dict[str, Any]) -> float:
    return float(row["measures"]["gemm_ratio"]["median"])


def save_figures(content: dict[str, Any], folder: Path = IMAGES) -> list[Path]:
    """Write both figures as PNG; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "bench-quality.png", folder / "bench-speed.png"]
    for figure, path in zip((quality_figure(content), speed_figure(content)), paths, strict=True):
        figure.savefig(path, dpi=130)
    return paths


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--input", type=Path, default=results.RESULTS)
    parser.add_argument("--output", type=Path, default=IMAGES, help="a folder")
    options = parser.parse_args()
    content = results.read(options.input)
    if content is None:
        raise SystemExit(f"{options.input} is not there: run `make bench`")
    for path in save_figures(content, options.output):
        print(f"wrote {path}")
    for workload in content["workloads"]:
        better = dominating(content, workload)
        names = ", ".join(f"{row['model']} ({row['variant']})" for row in better)
        print(f"{workload}: better than our default in both errors: {names or 'none'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
