"""Time and memory of a batch map from a file against the same map in memory, and over several processes.

    python -m benchmarks.scale [--items 1000000 5000000 20000000] [--folder .] [--out results/scale.json]

Items: a Gaussian mixture of 100 centres in 64 dimensions, float32, written to FOLDER/scale.npy (256 bytes an item) and
removed afterwards. Maps of 20x20 units, five passes. Every training is a process of its own, with one thread:

- `memory`: the array is read into memory, and given to `SOM.fit`, up to `--in-memory` items;
- `file`: the memory-mapped array is given to `SOM.fit`;
- `assign`: the units of all items of the mapped array (`SOM.predict`);
- `command`: `somscope map scale.npy --model som` on all items, with everything that it measures, draws and writes;
- `processes`: `file` on `--shared` items, under torchrun.

`seconds` is wall time, `cpu_seconds` the processor time of the busiest process, which is what wall time would be with a
processor for each; `microseconds` is that for each item and pass. `peak_mb` is the peak of all that was resident, pages
of the file included (VmHWM), from the start of the process on; `anonymous_mb` the peak without pages of files
(RssAnon, looked at 20 times a second). `speed_up` is cpu_seconds of one process by those of the busiest of several.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.report import write_report

GRID, PASSES, WIDTH = (20, 20), 5, 64
_ROWS = 500_000


def write_items(path: Path, n_items: int) -> None:
    random = np.random.default_rng(0)
    centres = random.standard_normal((100, WIDTH), dtype=np.float32)
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n_items, WIDTH))
    for start in range(0, n_items, _ROWS):
        rows = out[start : start + _ROWS]
        spread = np.float32(0.25) * random.standard_normal(rows.shape, dtype=np.float32)
        rows[:] = centres[random.integers(100, size=len(rows))] + spread
    out.flush()


def status(key: str) -> float:
    """MB of this process, as the kernel counts them."""
    found = re.search(rf"^{key}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


class Anonymous(threading.Thread):
    """Looks at RssAnon, of which the kernel keeps no peak."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self.done = status("RssAnon"), threading.Event()
        self.start()

    def run(self) -> None:
        while not self.done.wait(0.05):
            self.peak = max(self.peak, status("RssAnon"))


def child(path: Path, mode: str, n_items: int) -> dict[str, float]:
    """One training, or one assignment; what it took."""
    if mode == "command":
        return commanded(path)
    import torch  # noqa: F401  (a large map asks it for a GPU)

    from somscope import SOM

    def som() -> SOM:
        return SOM(grid=GRID, n_passes=PASSES, random_state=0, device="cpu", verbose=False)

    items = np.load(path, mmap_mode="r")[:n_items]
    small = np.array(items[:5000])
    som().fit_blocks([small, small])  # everything is imported and compiled
    fitted = som().fit(small)
    if mode == "memory":
        items = np.array(items)
    watch = Anonymous()
    began, began_cpu = time.perf_counter(), time.process_time()
    if mode == "assign":
        fitted.predict(items)
    else:
        fitted = som().fit(items)
    seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
    watch.done.set()
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "microseconds": 1e6 * cpu / n_items / (1 if mode == "assign" else PASSES),
        "peak_mb": status("VmHWM"),
        "anonymous_mb": watch.peak,
        "quantization_error": fitted.inertia_ if mode != "assign" else float("nan"),
    }


def commanded(path: Path) -> dict[str, float]:
    """`somscope map` of the file, from the start of the process on."""
    from somscope.cli.main import main
    from somscope.runs import Run

    run = path.with_suffix(".run")
    watch = Anonymous()
    began, began_cpu = time.perf_counter(), time.process_time()
    options = ["--model", "som", "--grid", f"{GRID[0]}x{GRID[1]}", "--passes", str(PASSES), "-o", str(run)]
    sys.argv = ["somscope", "map", str(path), *options]
    try:
        with contextlib.suppress(SystemExit):
            main()
        seconds, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        watch.done.set()
        return {
            "seconds": seconds,
            "cpu_seconds": cpu,
            "peak_mb": status("VmHWM"),
            "anonymous_mb": watch.peak,
            "quantization_error": Run.open(run).metrics["quantization_error"],
        }
    finally:
        shutil.rmtree(run, ignore_errors=True)


def measured(path: Path, mode: str, n_items: int, processes: int = 1) -> dict[str, float]:
    """What `child` says in a process of its own, or the largest of what several say."""
    launch = [sys.executable]
    if processes > 1:
        launch += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [*launch, "-m", "benchmarks.scale", "--child", str(path), mode, str(n_items)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(found) == processes, done.stdout
    return {name: max(one[name] for one in found) for name in found[0]}


def row(mode: str, n_items: int, found: dict[str, float], processes: int = 1) -> dict[str, Any]:
    return {
        "data": f"mixture-{n_items}x{WIDTH}-{GRID[0]}x{GRID[1]}",
        "model": "somscope",
        "variant": mode,
        "protocol": "speed",
        "seeds": [0],
        "items": n_items,
        "processes": processes,
        "measures": {
            name: {"mean": round(value, 6), "std": 0.0} for name, value in found.items() if value == value
        },
    }


def value(one: dict[str, Any], measure: str) -> float:
    return float(one["measures"][measure]["mean"])


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Items against seconds and memory, and processes against speed-up."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.4), layout="constrained")
    seconds, memory, shared = figure.subplots(1, 3)
    names = {"memory": "in memory", "file": "from the file", "assign": "assigning, from the file"}
    names["command"] = "the whole command"
    for mode, marker in (("memory", "s"), ("file", "o"), ("assign", "^"), ("command", "D")):
        found = sorted((r for r in rows if r["variant"] == mode), key=lambda r: int(r["items"]))
        x = [r["items"] for r in found]
        seconds.loglog(x, [value(r, "cpu_seconds") for r in found], marker=marker, label=names[mode])
        memory.loglog(x, [value(r, "peak_mb") for r in found], marker=marker, label=names[mode])
    x = np.array(sorted({r["items"] for r in rows}))
    memory.loglog(x, x * WIDTH * 4 / 2**20, "k:", label="the items themselves")
    seconds.set(xlabel="items", ylabel="seconds of a processor", title=f"{PASSES} passes, 400 units")
    memory.set(xlabel="items", ylabel="MB", title="peak of resident memory")
    found = sorted((r for r in rows if r["variant"] == "processes"), key=lambda r: int(r["processes"]))
    if found:
        p = [r["processes"] for r in found]
        shared.plot(p, p, "k:", label="all of it")
        shared.plot(p, [value(r, "speed_up") for r in found], "o-", label="measured")
        shared.set(xlabel="processes", ylabel="speed-up", title="work of the busiest process", xticks=p)
    memory.set_ylim(top=memory.get_ylim()[1] ** 2 / memory.get_ylim()[0])  # room for the legend
    for axes in (seconds, memory, shared):
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--items", type=int, nargs="+", default=[1_000_000, 5_000_000, 20_000_000])
    parser.add_argument("--in-memory", type=int, default=5_000_000)
    parser.add_argument("--shared", type=int, default=2_000_000)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--out", type=Path, default=Path("results/scale.json"))
    parser.add_argument("--figure", type=Path, default=Path("docs/images/scale.png"))
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        found = child(Path(options.child[0]), options.child[1], int(options.child[2]))
        sys.stdout.write(json.dumps(found) + "\n")
        return
    path = options.folder / "scale.npy"
    began, load = time.perf_counter(), os.getloadavg()[0]
    rows: list[dict[str, Any]] = []
    try:
        write_items(path, max(*options.items, options.shared))
        for n_items in options.items:
            modes = ["memory"] if n_items <= options.in_memory else []
            for mode in [*modes, "file", "assign"]:
                rows.append(row(mode, n_items, measured(path, mode, n_items)))
                keep(options.out, rows, began, load)
        n_items = max(*options.items, options.shared)
        rows.append(row("command", n_items, measured(path, "command", n_items)))
        keep(options.out, rows, began, load)
        alone = 0.0
        for processes in (1, 2, 4):
            found = measured(path, "file", options.shared, processes)
            alone = found["cpu_seconds"] if processes == 1 else alone
            found["speed_up"] = alone / found["cpu_seconds"]
            rows.append(row("processes", options.shared, found, processes))
            keep(options.out, rows, began, load)
        draw(rows, options.figure)
    finally:
        path.unlink(missing_ok=True)


def keep(path: Path, rows: list[dict[str, Any]], began: float, load: float) -> None:
    """Write what there is so far."""
    device = f"cpu ({platform.machine()}), 1 thread a process, {os.cpu_count()} processors"
    write_report(path, "scale", rows, began, device, load=load)


if __name__ == "__main__":
    main()
