"""Compiled functions where the machine code can be kept, and where no folder for it can be written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

MODULE = """
from somscope.maps.compiled import compiled

@compiled(nogil=True)
def double(x):
    return 2 * x

@compiled(fastmath={"contract"})
def triple(x):
    return 3 * x
"""

# Numba tries each folder by writing to it; permissions do not bind an administrator, who may run the tests.
READ_ONLY = """
from numba.core import caching

def refuse(self):
    raise PermissionError("read-only")

caching._CacheLocator.ensure_cache_path = refuse
"""

USE = """
import kept
print(kept.double(4), kept.triple(0.5), kept.double.targetoptions["nogil"])
"""


def run(folder: Path, program: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder), "HOME": str(folder / "home")}
    environment.pop("NUMBA_CACHE_DIR", None)
    return subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env=environment,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kept.py").write_text(MODULE)
    return tmp_path


def test_code_is_kept_beside_the_source(folder: Path) -> None:
    answer = run(folder, USE)
    assert answer.stdout == "8 1.5 True\n"
    assert answer.stderr == ""
    assert len(list((folder / "__pycache__").glob("kept.double*.nbc"))) == 1


def test_functions_compile_where_no_folder_can_be_written_and_one_warning_says_so(folder: Path) -> None:
    answer = run(folder, READ_ONLY + USE)
    assert answer.stdout == "8 1.5 True\n"
    assert answer.stderr.count("no folder to keep compiled code in") == 1
    assert "set NUMBA_CACHE_DIR" in answer.stderr
    assert not list(folder.rglob("*.nbc"))
