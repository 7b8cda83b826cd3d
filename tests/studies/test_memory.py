"""The memory of a training is what it takes beyond what was held before it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from somscope.studies.memory import MemoryPeak


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say")
def test_the_peak_is_of_what_was_taken_since() -> None:
    before = np.ones(60_000_000 // 8)
    peak = MemoryPeak("cpu")
    least = peak.megabytes()
    taken = np.ones(200_000_000 // 8)
    del taken
    most = peak.megabytes()
    assert least is not None
    assert most is not None
    assert least < 50
    assert 190 < most < 260
    assert len(before)
