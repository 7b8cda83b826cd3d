"""Settings for all tests: one thread per process, no screen, no network of their own making."""

from __future__ import annotations

import os

# Before NumPy, SciPy and torch are loaded: the tests run in as many processes as there are processors, and a
# process that started its own pool of threads on top would only slow the others down.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ["MPLBACKEND"] = "Agg"
os.environ["NO_COLOR"] = "1"
os.environ["COLUMNS"] = "120"

from hypothesis import settings

# The first call of a property may import torch or SciPy, which takes longer than any sensible deadline.
settings.register_profile("somscope", deadline=None, max_examples=50, derandomize=True)
settings.load_profile("somscope")


def pytest_make_parametrize_id(val: object) -> str | None:
    """Bytes are named by their length: compressed ones hold the time, and parallel processes must agree on names."""
    return f"{len(val)} bytes" if isinstance(val, bytes) else None
