"""Does faults to real processes, counts what was lost, and writes results/faults.json.

    python -m benchmarks.faults [--times 20] [--only training run ...] [--out results/faults.json]

The work runs in forked processes on small data. Moments are drawn at random from --seed over the time that the same
work takes undisturbed. Faults that are not tried now keep their rows in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.faults.mounts import can_mount, unshared

FAULTS = {  # name: module and function; they are imported where mounts are possible
    "training": "killed.training",
    "passes": "killed.passes",
    "command": "resumed.mapped",
    "run": "killed.run",
    "index": "killed.index",
    "full-map": "disk.full_map",
    "full-deep": "disk.full_deep",
    "full-codes": "disk.full_codes",
    "full-index": "disk.full_index",
    "read-only": "disk.read_only",
    "two-writers": "rivals.two_writers",
    "clock": "rivals.clock",
    "images": "corrupt.images",
    "files": "hostile.files",
}
_MOUNTING = {"full-map", "full-deep", "full-codes", "full-index", "read-only"}


def main() -> None:
    """Try, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(FAULTS), default=list(FAULTS))
    parser.add_argument("--times", type=int, default=20, help="how often each fault is tried")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/faults.json"))
    parser.add_argument("--images", type=int, default=50_000, help="in the folder with broken ones")
    parser.add_argument("--clock-worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.clock_worker:
        _prepare()
        from benchmarks.faults import rivals

        print(json.dumps(rivals.clock_worker(options.clock_worker, options.times)))  # noqa: T201
        return
    if _MOUNTING & set(options.only) and "SOMSCOPE_UNSHARED" not in os.environ:
        if can_mount():  # in a place of its own, where mounts end with the process
            os.environ["SOMSCOPE_UNSHARED"] = "1"
            again = [sys.executable, "-m", "benchmarks.faults", *sys.argv[1:]]
            os.execvp("unshare", ["unshare", *unshared(), *again])
        print(f"not tried, for nothing can be mounted here: {', '.join(sorted(_MOUNTING))}")  # noqa: T201
        options.only = [name for name in options.only if name not in _MOUNTING]
    _prepare()
    import numpy as np
    from benchmarks.faults.rows import Row, as_json, table
    from benchmarks.som.machine import cpu_model

    import somscope

    before = json.loads(options.out.read_text(encoding="utf-8"))["rows"] if options.out.exists() else []
    rows = {row["kind"]: row["rows"] for row in before}
    for kind in options.only:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            found: list[Row] = _fault(kind, options)(
                Path(folder), options.times, np.random.default_rng(options.seed)
            )
        rows[kind] = [as_json(row) for row in found]
        print(f"{kind}, {time.monotonic() - started:.0f} s", *map(str, found), sep="\n", flush=True)  # noqa: T201
    commit = subprocess.run(["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True)
    content = {
        "study": "faults",
        "somscope": somscope.__version__,
        "commit": commit.stdout.strip() or None,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": f"cpu ({cpu_model()}), 1 thread",
        "rows": [{"kind": kind, "rows": rows[kind]} for kind in FAULTS if kind in rows],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(table([row for entry in content["rows"] for row in entry["rows"]]))  # noqa: T201


def _fault(kind: str, options: argparse.Namespace) -> Any:
    module, name = FAULTS[kind].split(".")
    found = getattr(import_module(f"benchmarks.faults.{module}"), name)
    return partial(found, n=options.images) if kind == "images" else found


def _prepare() -> None:
    """What all the forks need, once."""
    import torch

    torch.set_num_threads(1)
    for slow in (
        "faiss", "lightning_fabric", "matplotlib.backends.backend_agg", "numba.typed", "pandas", "pyarrow.dataset",
        "safetensors.torch", "somscope.cli.main", "somscope.cli.map", "typer",
    ):  # fmt: skip
        import_module(slow)


if __name__ == "__main__":
    main()
