"""The one answer to how many threads to use."""

from __future__ import annotations

import os
import sys

import pytest

from somscope.threads import n_threads


def test_torch_decides_where_it_is_loaded():
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert n_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("asked", "expected"), [("1", 1), ("", 4), ("0", 4), ("99", 4), ("many", 4), (None, 4)]
)
def test_without_torch_the_variable_lowers_the_number_of_cores(monkeypatch, asked, expected):
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if asked is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert n_threads() == expected
