"""Pages of memory-mapped arrays are given back, and nothing else is."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from somscope.mapped import blocks_of_rows, mapping_of, picked, release


@pytest.fixture
def file(tmp_path):
    """20 MB of numbers."""
    path = tmp_path / "x.npy"
    np.save(path, np.arange(5_000_000, dtype=np.float32).reshape(-1, 8))
    return path


def resident():
    """MB of this process that lie in mapped files."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssFile:\s+(\d+)", status)[1]) / 1024


def test_views_are_traced_to_their_mapping(file):
    x = np.load(file, mmap_mode="r")
    assert mapping_of(x) is x
    assert mapping_of(np.asarray(x)[3:].T) is x
    assert mapping_of(np.array(x)) is None
    assert mapping_of(x[[1, 2]]) is None
    assert mapping_of([1]) is None


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say")
def test_a_pass_in_blocks_takes_the_memory_of_one_block(file):
    x = np.load(file, mmap_mode="r")
    before, most, total = resident(), 0.0, 0.0
    for rows, block in blocks_of_rows(np.asarray(x), 2**20):
        np.testing.assert_array_equal(block[0], x[rows.start])
        total += float(block.sum(dtype=np.float64))
        most = max(most, resident())
    assert total == 4_999_999 * 5_000_000 / 2
    assert most - before < 6
    held = float(x.sum())  # all of it at once
    assert resident() - before > 15
    release(x[5:])
    assert resident() - before < 6
    assert float(x.sum()) == held


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say")
def test_rows_that_are_picked_from_everywhere_do_not_keep_the_file_in_memory(file):
    x = np.load(file, mmap_mode="r")
    rows = np.arange(0, len(x), 20)
    before = resident()
    np.testing.assert_array_equal(picked(x, rows), np.load(file)[rows])
    assert resident() - before < 2
    assert len(x[rows]) == len(rows)
    assert resident() - before > 15
    assert picked(x, rows[:0]).shape == (0, 8)


def test_what_was_changed_stays(file):
    private, shared = np.load(file, mmap_mode="c"), np.load(file, mmap_mode="r+")
    private[0], shared[1] = -1, -2
    release(private)
    release(shared)
    assert private[0, 0] == -1
    assert shared[1, 0] == -2
    release(np.zeros(3))


def test_blocks_hold_every_row_once(file):
    x = np.load(file, mmap_mode="r")[:1001]
    for size in (1, 100, 10**9):
        parts = list(blocks_of_rows(x, size))
        np.testing.assert_array_equal(np.concatenate([block for _, block in parts]), x)
        assert [rows.stop for rows, _ in parts[:-1]] == [rows.start for rows, _ in parts[1:]]
