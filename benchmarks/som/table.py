"""Markdown tables from results/bench-som.json: `python -m benchmarks.som.table [--all]`."""

# ruff: noqa: T201 - a command that prints a table

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from benchmarks.som import results

__all__ = ["comparison_table", "workload_table"]


def _value(row: dict[str, Any], name: str, statistic: str = "median") -> float | None:
    measure = row["measures"].get(name)
    return None if measure is None else measure[statistic]


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _timed(row: dict[str, Any]) -> str:
    """The mark of a time that was not measured on all items."""
    return "~" if row.get("extrapolated") else ""


def _name(row: dict[str, Any]) -> str:
    version = f" {row['version']}" if row.get("version") else ""
    tool = f"**{row['model']}{version}**" if row["model"] == "somscope" else f"{row['model']}{version}"
    units = f", a growing map of {row['measures']['units']['median']:.0f} units" if row.get("growing") else ""
    return f"{tool} ({row['variant']}{units})"


def workload_table(content: dict[str, Any], workload: str) -> str:
    """Every row of one workload, ordered by the time of a pass over that of the product."""
    rows = [row for row in content["rows"] if row["data"] == workload]
    lines = [
        f"### {workload}",
        "",
        "| tool (setting) | s a pass | x product | passes | quantization error | topographic error | assign x product"
        " | peak MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for row in sorted(rows, key=lambda r: r["measures"]["gemm_ratio"]["median"]):
        mark = _timed(row)
        assign = _number(_value(row, "assign_gemm_ratio"), 2)
        if "assign_extrapolated" in row:
            assign = "~" + assign
        cells = [
            _name(row),
            mark + _seconds(_value(row, "seconds")),
            mark + _number(_value(row, "gemm_ratio"), 2),
            _number(_value(row, "passes"), 0),
            _number(_value(row, "quantization_error", "mean"), 3),
            _number(_value(row, "topographic_error_8", "mean"), 3),
            assign,
            _number(_value(row, "peak_mb"), 0),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    for failure in content["failed"]:
        if failure["data"] == workload:
            reason = " ".join(failure["reason"].split())
            lines.append(f"| {failure['model']} ({failure['variant']}) | failed: {reason} | | | | | | |")
    if any(_timed(row) for row in rows):
        lines += ["", "`~`: extrapolated from a part of the items, so without quality."]
    return "\n".join(lines)


def comparison_table(content: dict[str, Any]) -> str:
    """One line per tool, one column per workload: its fastest time of a pass as a multiple of the matrix product, with
    the quantization and topographic error of its default setting where it was trained on all items."""
    workloads = list(content["workloads"])
    tools: list[str] = []
    for row in content["rows"]:
        if row["model"] not in tools:
            tools.append(row["model"])

    def cell(tool: str, workload: str) -> tuple[float, str]:
        rows = [row for row in content["rows"] if row["model"] == tool and row["data"] == workload]
        if not rows:
            return float("inf"), "-"
        default = next((row for row in rows if row["variant"] == "default"), rows[0])
        ratio = default["measures"]["gemm_ratio"]["median"]
        text = f"{_timed(default)}{ratio:.2f}"
        if default.get("growing"):
            text += f" ({default['measures']['units']['median']:.0f} units)"
        if "quantization_error" in default["measures"]:
            text += (
                f"; {default['measures']['quantization_error']['mean']:.3f}"
                f" / {default['measures']['topographic_error_8']['mean']:.3f}"
            )
        return ratio, text

    cells = {tool: [cell(tool, workload) for workload in workloads] for tool in tools}
    tools.sort(key=lambda tool: min(ratio for ratio, _ in cells[tool]))
    lines = ["| tool (defaults) | " + " | ".join(workloads) + " |", "|---|" + "---|" * len(workloads)]
    for tool in tools:
        name = f"**{tool}**" if tool == "somscope" else tool
        lines.append(f"| {name} | " + " | ".join(text for _, text in cells[tool]) + " |")
    machine = content["machine"]
    rate = machine["matrix_product_gflops"]
    lines += [
        "",
        "Each cell: seconds of one pass as a multiple of the float32 matrix product of items and prototypes measured in"
        " the same process; quantization / topographic error (8 neighbours) after the budget (ten passes of batch maps,"
        " one for online ones, somscope's default its own choice). `~`: extrapolated from a part of the items.",
        f"Measured on {machine['cpu']}, {machine['threads']} threads"
        + (f", {rate['median']:.0f} GFLOP/s in the product" if rate else "")
        + ".",
    ]
    lines += [f"Absent: {entry['model']} ({entry['reason']})." for entry in content["absent"]]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=results.RESULTS)
    parser.add_argument("--all", action="store_true", help="every setting, a table per workload")
    options = parser.parse_args()
    content = results.read(options.input)
    if content is None:
        raise SystemExit(f"{options.input} is not there: run `make bench`")
    print(comparison_table(content))
    if options.all:
        for workload in content["workloads"]:
            print("\n" + workload_table(content, workload))
    return 0


if __name__ == "__main__":
    sys.exit(main())
