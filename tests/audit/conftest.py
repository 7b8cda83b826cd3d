"""The folder of real data for the tests of audits."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_DATA = os.environ.get("SOMSCOPE_DATA")


@pytest.fixture
def data_folder() -> Path:
    """SOMSCOPE_DATA; skips where it is not set, and never where it is."""
    if not _DATA:
        pytest.skip("SOMSCOPE_DATA is not set: no real data here")
    return Path(_DATA)
