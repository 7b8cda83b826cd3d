"""What machine this is, how much memory this process takes, and how fast it multiplies matrices."""

from __future__ import annotations

import os
import platform
import re
import resource
import sys
import time
from pathlib import Path

import numpy as np

__all__ = ["MatrixProduct", "cpu_model", "memory_peak_mb", "start_memory_peak", "threads"]

_MB = 1e6


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found.group(1).strip() if found else platform.processor() or platform.machine()


def threads() -> int:
    """How many threads the tools may use: OMP_NUM_THREADS, else the processors this process may run on."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() else len(os.sched_getaffinity(0))


def _status_kb(key: str) -> int | None:
    try:
        found = re.search(rf"^{key}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    except OSError:
        return None
    return int(found.group(1)) if found else None


def memory_peak_mb() -> float:
    """The most memory that this process has held since its start (or since `start_memory_peak`), in megabytes (1e6).

    The kernel's VmHWM where there is one: unlike ru_maxrss, it does not inherit the parent's peak.
    """
    peak = _status_kb("VmHWM")
    if peak is not None:
        return peak * 1024 / _MB
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / _MB


def start_memory_peak() -> float:
    """Forget earlier peaks where the kernel allows it; returns what the process holds now, in megabytes (1e6)."""
    try:
        Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM to VmRSS
    except OSError:
        return memory_peak_mb()
    held = _status_kb("VmRSS")
    return memory_peak_mb() if held is None else held * 1024 / _MB


class MatrixProduct:
    """Seconds of the pure float32 product X @ W.T of a workload's full size, into an output that is there already.

    W is K rows of X, so that the values are ordinary; creating it also allocates and warms up. With n_items, the time
    of X is scaled to so many items (only where a look at the tools is enough).
    """

    def __init__(self, X: np.ndarray, n_units: int, n_items: int | None = None) -> None:
        import torch

        self._mm = torch.mm
        self._x = torch.from_numpy(X)
        self._w = self._x[:n_units].clone() if len(X) >= n_units else torch.randn(n_units, X.shape[1])
        self._out = torch.empty(len(X), n_units)
        self._scale = (n_items or len(X)) / len(X)
        self.flops = 2.0 * len(X) * X.shape[1] * n_units * self._scale
        self.rounds: list[list[float]] = []  # seconds, one list per call of measure
        self._mm(self._x, self._w.T, out=self._out)  # touches the output's pages, starts the threads

    def measure(self, times: int = 3) -> None:
        """Add a round of `times` measurements; a product too short for the clock is repeated within one."""
        inner = max(1, min(20, int(2e10 / self.flops)))
        taken = []
        for _ in range(times):
            start = time.perf_counter()
            for _ in range(inner):
                self._mm(self._x, self._w.T, out=self._out)
            taken.append((time.perf_counter() - start) / inner * self._scale)
        self.rounds.append(taken)
