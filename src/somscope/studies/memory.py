"""How much memory a training takes beyond what the process held before it."""

from __future__ import annotations

import re
from pathlib import Path

__all__ = ["MemoryPeak"]

_MB = 1e6


class MemoryPeak:
    """The most memory since this was made, beyond what was held then: on a GPU its own, otherwise the process's.

    A process's peak is the kernel's VmHWM, which Linux alone has.
    """

    def __init__(self, device: str) -> None:
        import torch

        self._gpu = device.startswith("cuda") and torch.cuda.device_count() > 0
        if self._gpu:
            torch.cuda.reset_peak_memory_stats(device)
            self._held: float | None = float(torch.cuda.memory_allocated(device))
            self._device = device
            return
        try:
            Path("/proc/self/clear_refs").write_text("5")  # forgets earlier peaks
            self._held = _status("VmRSS")
        except OSError:
            self._held = None

    def megabytes(self) -> float | None:
        """In 10^6 bytes; None where the system does not say."""
        if self._held is None:
            return None
        if self._gpu:
            import torch

            return (float(torch.cuda.max_memory_allocated(self._device)) - self._held) / _MB
        peak = _status("VmHWM")
        return None if peak is None else max(0.0, peak - self._held) / _MB


def _status(key: str) -> float | None:  # bytes
    found = re.search(rf"^{key}:\s*(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return float(found.group(1)) * 1024 if found else None
