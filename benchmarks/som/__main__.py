"""`python -m benchmarks.som`: speed, memory and quality of SOM training and assignment against the installed peers."""

# ruff: noqa: T201 - a command that tells what it does

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.som import results
from benchmarks.som.adapters import Tool
from benchmarks.som.ours import SOMSCOPE
from benchmarks.som.peers import PEERS
from benchmarks.som.plan import ALLOWANCE, Job, make_plan, planned_seconds
from benchmarks.som.quality import grid_positions, map_quality
from benchmarks.som.setup_peers import peer_python, read_state
from benchmarks.som.table import workload_table
from benchmarks.som.workloads import Workload, load, select

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = """examples:
  python -m benchmarks.som                    everything, writes results/bench-som.json
  python -m benchmarks.som --plan             say what would run and how long
  python -m benchmarks.som --workloads 8x8 --tools somscope,fastersom --quick    a look, writes nothing
  python -m benchmarks.som --tools somscope --merge    measure again, keep the peers' rows
  python -m benchmarks.som --allowance 1000   every setting of every peer, however long (hours)
"""


def _words(text: str) -> list[str]:
    return [word for word in text.replace(",", " ").split() if word]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.som",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--workloads", type=_words, nargs="+", help="parts of names, such as 8x8 50x50")
    parser.add_argument("--tools", type=_words, nargs="+", help="names, such as somscope,fastersom")
    parser.add_argument(
        "--variants", type=_words, nargs="+", help="parts of names of settings, such as final-radius"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny trainings on a part: does everything work?"
    )
    parser.add_argument("--seeds", type=int, default=3, help="seeds for what is short (and for our defaults)")
    parser.add_argument(
        "--allowance", type=float, default=ALLOWANCE, help="seconds per tool and workload for settings"
    )
    parser.add_argument("--merge", action="store_true", help="put a partial run's rows into the result file")
    parser.add_argument(
        "--output", type=Path, help=f"where to write (default {results.RESULTS.relative_to(ROOT)})"
    )
    parser.add_argument("--plan", action="store_true", help="print the plan with its estimate, run nothing")
    return parser


def _flat(lists: list[list[str]] | None) -> list[str] | None:
    return [word for words in lists for word in words] if lists else None


def _tools(names: list[str] | None) -> list[Tool]:
    every = {"somscope": SOMSCOPE, **PEERS}
    unknown = [name for name in names or [] if name not in every]
    if unknown:
        raise SystemExit(f"unknown tool {unknown[0]!r}; there are: {', '.join(every)}")
    return [tool for name, tool in every.items() if not names or name in names]


def _available(tools: list[Tool]) -> tuple[list[Tool], list[dict[str, str]]]:
    """The tools that can run, and the absent ones with the reason (as the set-up of .venv-bench found it)."""
    state: dict[str, Any] = read_state() or {"installed": {}, "absent": []}
    reasons = {entry["model"]: entry["reason"] for entry in state["absent"]}
    there, absent = [], []
    for tool in tools:
        if tool.name == "somscope" or tool.package in state["installed"]:
            there.append(tool)
        else:
            reason = reasons.get(tool.package, "not set up: run `python -m benchmarks.som.setup_peers`")
            absent.append({"model": tool.name, "reason": reason})
    return there, absent


def _python(tool: str) -> str:
    return sys.executable if tool == "somscope" else str(peer_python())


def _run_job(job: Job, data: Path, folder: Path) -> dict[str, Any]:
    """Start one worker and read its answer; {"failed": why} when it crashed, hung or refused."""
    stem = f"{job.workload.grid}-{job.tool}-{job.variant}"
    answer, description = folder / f"{stem}.json", folder / f"{stem}.job.json"
    content = {
        "tool": job.tool,
        "data": str(data),
        "rows": job.workload.rows,
        "columns": job.workload.columns,
        "passes": job.passes,
        "options": job.options,
        "items": job.items,
        "assign_items": job.assign_items,
        "extrapolated": job.extrapolated,
        "quick": job.quick,
        "seeds": list(job.seeds),
        "answer": str(answer),
    }
    description.write_text(json.dumps(content))
    threads = str(results.threads())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        environment[name] = threads
    process = subprocess.Popen(
        [_python(job.tool), "-W", "ignore", "-m", "benchmarks.som.worker", str(description)],
        cwd=folder,  # some libraries write files where they stand
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        _, errors = process.communicate(timeout=job.timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return {"failed": f"gave up after {job.timeout:.0f} s"}
    except BaseException:  # Ctrl-C: leave no worker behind
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    if not answer.is_file():
        last = (errors.strip().splitlines() or ["no message"])[-1]
        return {"failed": f"the process ended with code {process.returncode}: {last}"[:300]}
    loaded: dict[str, Any] = json.loads(answer.read_text())
    return loaded


def _qualities(job: Job, answer: dict[str, Any], items: np.ndarray, folder: Path) -> dict[str, list[float]]:
    """The common quality measures of each seed's map, on all items; none of a map trained on a part."""
    found: dict[str, list[float]] = {}
    if answer["extrapolated"]:
        return found
    for index, name in enumerate(answer["prototypes"]):
        prototypes = np.load(folder / name)
        if answer["positions"]:
            positions = np.load(folder / answer["positions"][index])
        else:
            positions = grid_positions(job.workload.rows, job.workload.columns)
        for measure, value in map_quality(items, prototypes, positions).items():
            found.setdefault(measure, []).append(value)
    return found


def _line(row: dict[str, Any]) -> str:
    measures = row["measures"]
    parts = [f"{measures['seconds']['median']:.4g} s a pass (x{measures['gemm_ratio']['median']:.2f})"]
    if "quantization_error" in measures:
        parts.append(
            f"quantization {measures['quantization_error']['mean']:.4g},"
            f" topographic {measures['topographic_error_8']['mean']:.3f}"
        )
    if "peak_mb" in measures:
        parts.append(f"{measures['peak_mb']['median']:.0f} MB")
    if row.get("extrapolated"):
        parts.append(f"extrapolated from {row['subset']} items")
    return "; ".join(parts)


def _measure_all(
    plan: list[Job], workloads: list[Workload], scratch: Path
) -> tuple[list[dict[str, Any]], list[dict[str, str]], dict[str, Any], bool]:
    """Rows, failures, versions, and whether the run came to its end (Ctrl-C keeps what is there)."""
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, str]] = []
    versions: dict[str, Any] = {}
    number = 0
    try:
        for workload in workloads:
            jobs = [job for job in plan if job.workload is workload]
            if not jobs:
                continue
            items = load(workload)
            data = scratch / f"{workload.name}.npy"
            np.save(data, items)
            for job in jobs:
                number += 1
                print(f"[{number}/{len(plan)}] {job.describe()}", flush=True)
                answer = _run_job(job, data, scratch)
                try:
                    if "failed" in answer:
                        raise ValueError(answer["failed"])
                    row = results.make_row(job, answer, _qualities(job, answer, items, scratch))
                except ValueError as error:
                    print(f"    failed: {error}")
                    entry = {
                        "data": workload.name,
                        "model": job.tool,
                        "variant": job.variant,
                        "reason": str(error),
                    }
                    failed.append(entry)
                    continue
                side = "somscope" if job.tool == "somscope" else "peers"
                versions.setdefault(side, answer["versions"])
                rows.append(row)
                print(f"    {_line(row)}", flush=True)
            data.unlink()
    except KeyboardInterrupt:
        print("\ninterrupted: keeping what was measured so far")
        return rows, failed, versions, False
    return rows, failed, versions, True


def _terminated(*_: object) -> None:
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> int:
    signal.signal(signal.SIGTERM, _terminated)  # as Ctrl-C: stop the worker, keep what was measured
    options = _parser().parse_args(arguments)
    workloads = select(_flat(options.workloads))
    tools, absent = _available(_tools(_flat(options.tools)))
    plan = make_plan(
        workloads, tools, options.quick, _flat(options.variants), options.seeds, options.allowance
    )
    for entry in absent:
        print(f"absent: {entry['model']} ({entry['reason']})")
    print(f"{len(plan)} measurements, about {planned_seconds(plan) / 60:.0f} minutes on two free cores")
    if options.plan:
        for job in plan:
            print(f"{job.expected_seconds:6.0f} s  {job.describe()}")
        return 0
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="somscope-bench-") as scratch:
        rows, failed, versions, whole = _measure_all(plan, workloads, Path(scratch))
    content = results.document(
        rows,
        failed,
        absent,
        time.monotonic() - start,
        versions,
        {workload.name: workload.describe() for workload in workloads},
        {tool.name: tool.note for tool in tools if tool.note},
    )
    for workload in workloads:
        print("\n" + workload_table(content, workload.name))
    partial = bool(options.workloads or options.tools or options.variants or options.quick or not whole)
    path = options.output or results.RESULTS
    if options.merge and not options.quick:
        old = results.read(path)
        content = results.merge(old, content) if old else content
    elif partial and options.output is None:
        print("\na partial run: nothing written (--merge puts it into the result file, --output elsewhere)")
        return 0 if whole else 130
    results.write(path, content)
    print(f"\nwrote {path}")
    return 0 if whole else 130


if __name__ == "__main__":
    sys.exit(main())
