"""From answers of the workers to rows of `results/bench-som.json`, and merging of partial runs."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.som.machine import cpu_model, threads
from benchmarks.som.plan import Job

__all__ = ["RESULTS", "document", "make_row", "merge", "read", "summary", "threads", "write"]

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "results" / "bench-som.json"


def summary(values: list[float]) -> dict[str, float]:
    """{"mean", "std", "median", "n"}; std is the sample's (n - 1), 0 for one value. The median is what a noisy machine
    leaves of a time: tables and plots use it."""
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return {
        "mean": statistics.fmean(values),
        "std": spread,
        "median": statistics.median(values),
        "n": len(values),
    }


def make_row(job: Job, answer: dict[str, Any], quality: dict[str, list[float]]) -> dict[str, Any]:
    """One row in the shape that every study and benchmark of the project has.

    seconds: of one pass over all items; seconds_total: of the whole training; gemm_ratio, assign_gemm_ratio: seconds
    and assign_seconds over the median seconds of the float32 product measured right before and after in the same
    process, so that a machine that slows down slows both; peak_mb: memory
    beyond the data while training (decimal megabytes); code_mb: what the first use of the library leaves in memory;
    quality only of maps trained on all items.
    """
    rounds = answer["product_seconds"]  # one after each training
    product = statistics.median([seconds for taken in rounds for seconds in taken])
    beside = [statistics.median(taken + (rounds[i - 1] if i else [])) for i, taken in enumerate(rounds)]
    per_pass = [
        total / passes for total, passes in zip(answer["seconds_total"], answer["passes"], strict=True)
    ]
    measures = {
        "seconds": summary(per_pass),
        "gemm_ratio": summary([seconds / near for seconds, near in zip(per_pass, beside, strict=True)]),
        "gemm_seconds": summary([seconds for taken in rounds for seconds in taken]),
        "passes": summary([float(p) for p in answer["passes"]]),
        "units": summary([float(u) for u in answer["units"]]),
    }
    if not answer["extrapolated"]:
        measures["seconds_total"] = summary(answer["seconds_total"])
        measures["peak_mb"] = summary([answer["peak_mb"]])
        measures["code_mb"] = summary([answer["code_mb"]])
    if answer["assign_seconds"]:
        measures["assign_seconds"] = summary(answer["assign_seconds"])
        measures["assign_gemm_ratio"] = summary(
            [seconds / near for seconds, near in zip(answer["assign_seconds"], beside, strict=True)]
        )
    measures |= {name: summary(values) for name, values in quality.items() if values}
    row: dict[str, Any] = {
        "data": job.workload.name,
        "model": job.tool,
        "variant": job.variant,
        "protocol": "train",
        "seeds": list(job.seeds),
        "measures": measures,
        "version": answer["version"],
        "settings": {key: list(v) if isinstance(v, tuple) else v for key, v in job.options.items()},
        "gemm_gflops": answer["product_flops"] / product / 1e9,
        "threads": answer["threads"],
    }
    if answer["extrapolated"]:
        row |= {"extrapolated": True, "subset": answer["items"]}
    if answer["assign_extrapolated"]:
        row["assign_extrapolated"] = job.assign_items
    if answer.get("growing"):
        row["growing"] = True
    if answer.get("facts"):
        row["facts"] = answer["facts"]
    return row


def _commit() -> str | None:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or None


def document(
    rows: list[dict[str, Any]],
    failed: list[dict[str, str]],
    absent: list[dict[str, str]],
    seconds: float,
    versions: dict[str, Any],
    workloads: dict[str, str],
    notes: dict[str, str],
) -> dict[str, Any]:
    """The whole file: DESIGN's shape, with the machine's facts, what failed and what could not be installed."""
    from somscope import __version__

    rates = [row["gemm_gflops"] for row in rows]
    return {
        "study": "bench-som",
        "somscope": __version__,
        "commit": _commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"cpu, {threads()} threads",
        "seconds": round(seconds),
        "machine": {
            "cpu": cpu_model(),
            "threads": threads(),
            "cores": os.cpu_count(),
            "system": platform.system(),
            "matrix_product_gflops": summary(rates) if rates else None,
        },
        "versions": versions,
        "workloads": workloads,
        "notes": notes,
        "rows": rows,
        "failed": failed,
        "absent": absent,
    }


def _key(row: dict[str, Any]) -> tuple[str, str, str]:
    return row["data"], row["model"], row["variant"]


def merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The new file with those rows and failures of the old one that the new run did not try; the time is the sum.

    Merged rows were measured at different times: each has its own measured product, so its ratios stay comparable.
    """
    tried = {_key(row) for row in new["rows"]} | {_key(row) for row in new["failed"]}
    merged = dict(new)
    for part in ("rows", "failed"):
        kept = [row for row in old.get(part, []) if _key(row) not in tried]
        merged[part] = sorted([*kept, *new[part]], key=_key)
    for part in ("workloads", "notes"):
        merged[part] = {**old.get(part, {}), **new[part]}
    names = {entry["model"] for entry in new["absent"]} | {row["model"] for row in new["rows"]}
    merged["absent"] = [*new["absent"], *(e for e in old.get("absent", []) if e["model"] not in names)]
    merged["seconds"] = old.get("seconds", 0) + new["seconds"]
    merged["merged"] = True
    return merged


def read(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    loaded = json.loads(path.read_text())
    return loaded if isinstance(loaded, dict) else None


def write(path: Path, content: dict[str, Any]) -> None:
    """Whole or not at all: written beside, then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(_rounded(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    beside.replace(path)


def _rounded(value: Any) -> Any:
    """Six significant digits: more would be noise."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    return value
