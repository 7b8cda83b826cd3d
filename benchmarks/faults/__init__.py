"""Faults done to real processes, and what was lost: `python -m benchmarks.faults`."""

from __future__ import annotations

import os

# Before anything else is imported: forked processes have no threads of their parent, and messages stand in one line.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
for _name, _value in (("NO_COLOR", "1"), ("COLUMNS", "1000"), ("MPLBACKEND", "Agg")):
    os.environ.setdefault(_name, _value)
