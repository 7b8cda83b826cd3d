"""One measurement in a process of its own: `python -m benchmarks.som.worker JOB.json`, answer in JOB's `answer` file.

Order of things, so that memory is clean: import the library, warm up on a few items (code is compiled, threads start),
load the data, note the memory, train, note the peak, assign, and only then the matrix product (whose output is large),
between the further trainings.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import io
import json
import sys
import time
import traceback
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.som.adapters import Tool, Trained
from benchmarks.som.machine import MatrixProduct, memory_peak_mb, start_memory_peak, threads

__all__ = ["find_tool", "main", "measure"]

_MODULES = {
    "somscope": "somscope.maps.som",
    "minisom-batch-offline": "minisom",
    "python-som": "numpy",  # its adapter decides about numba before the import
    "sparse-som": "sparse_som",
    "quicksom": "quicksom.som",
    "dbgsom": "dbgsom.SomVQ",
    "popsom7": "popsom7.maputils",
}


_SETTLE = (
    0.3  # seconds until the threads of the product have stopped spinning, so that no training pays for them
)


def find_tool(name: str) -> Tool:
    if name == "somscope":
        from benchmarks.som.ours import SOMSCOPE

        return SOMSCOPE
    from benchmarks.som.peers import PEERS

    return PEERS[name]


def _quiet(call: Any, *arguments: Any) -> Any:
    """Run without the libraries' own printing, which would cost time on a terminal."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return call(*arguments)


def _train(tool: Tool, X: Any, job: dict[str, Any], seed: int, passes: int) -> tuple[Trained, float, float]:
    """The trained map, the seconds of the training, and the passes that it made."""
    start = time.perf_counter()
    trained = _quiet(tool.train, X, job["rows"], job["columns"], passes, dict(job["options"]), seed)
    seconds = time.perf_counter() - start
    if trained.seconds is not None:
        seconds = trained.seconds
    return trained, seconds, trained.passes or passes


def measure(job: dict[str, Any]) -> dict[str, Any]:
    """Carry out one job (see plan.Job) and return its answer: lists over seeds, and prototypes saved beside it."""
    tool = find_tool(job["tool"])
    with contextlib.suppress(ImportError):
        _quiet(importlib.import_module, _MODULES.get(tool.name, tool.package))
    import torch  # before the memory is noted: the product needs it later

    torch.set_num_threads(threads())
    started = start_memory_peak()
    n_warm = (
        200 if tool.online else max(500, job["rows"] * job["columns"] + 100)
    )  # a batch map wants items > units
    few = _quiet(tool.prepare, np.array(np.load(job["data"], mmap_mode="r")[:n_warm]))
    warm, _, _ = _train(
        tool, few, job, job["seeds"][0], max(1, tool.minimum_passes)
    )  # compilers, threads, caches
    if tool.assign is not None:
        _quiet(tool.assign, warm.model, few)
    del warm, few
    gc.collect()

    before = start_memory_peak()
    items = np.load(job["data"])
    n_full = len(items)
    part = items[: job["items"]]
    held = start_memory_peak()
    X = _quiet(tool.prepare, part)

    answer: dict[str, Any] = {
        "version": None,
        "items": len(part),
        "extrapolated": len(part) < n_full or bool(job["extrapolated"]),
        "seconds_total": [],
        "passes": [],
        "units": [],
        "growing": tool.growing,
        "prototypes": [],
        "positions": [],
        "assign_seconds": [],
        "facts": {},
        "code_mb": max(0.0, before - started),
    }
    with contextlib.suppress(PackageNotFoundError):
        answer["version"] = version(tool.package)
    product: MatrixProduct | None = None
    folder = Path(job["answer"]).parent
    for index, seed in enumerate(job["seeds"]):
        trained, seconds, passes = _train(tool, X, job, seed, job["passes"])
        if index == 0:
            answer["peak_mb"] = max(0.0, memory_peak_mb() - held)
            answer["facts"] = trained.facts
        answer["seconds_total"].append(seconds * n_full / len(part))
        answer["passes"].append(passes)
        answer["units"].append(len(trained.prototypes))
        stem = f"{Path(job['answer']).stem}-{seed}"
        np.save(folder / f"{stem}-prototypes.npy", trained.prototypes)
        answer["prototypes"].append(f"{stem}-prototypes.npy")
        if trained.positions is not None:
            np.save(folder / f"{stem}-positions.npy", trained.positions)
            answer["positions"].append(f"{stem}-positions.npy")
        if tool.assign is not None and job["assign_items"]:
            some = _quiet(tool.prepare, items[: job["assign_items"]])
            start = time.perf_counter()
            _quiet(tool.assign, trained.model, some)
            took = time.perf_counter() - start
            answer["assign_seconds"].append(took * n_full / job["assign_items"])
            del some
        del trained
        if product is None:
            product = MatrixProduct(part if job["quick"] else items, job["rows"] * job["columns"], n_full)
        product.measure(2 if job["extrapolated"] else 3)
        time.sleep(_SETTLE)
    assert product is not None
    answer["product_seconds"] = product.rounds  # one round after each training: also the one before the next
    answer["product_flops"] = product.flops
    answer["assign_extrapolated"] = 0 < job["assign_items"] < n_full
    answer["versions"] = {
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "torch": torch.__version__,
    }
    answer["threads"] = torch.get_num_threads()
    return answer


def main() -> int:
    warnings.simplefilter("ignore")
    job = json.loads(Path(sys.argv[1]).read_text())
    try:
        answer = measure(job)
    except Exception as error:  # the parent reports it as the tool's failure
        answer = {
            "failed": f"{type(error).__name__}: {error}"[:300],
            "traceback": traceback.format_exc()[-2000:],
        }
    Path(job["answer"]).write_text(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
