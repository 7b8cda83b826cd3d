"""Similar items in the place of views: which ones may be drawn, and how several processes draw them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from somscope.models import similar
from somscope.models.similar import Similar
from somscope.parts import part_of, working_on
from somscope.training import Batch


def numbers(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def features(items: torch.Tensor) -> torch.Tensor:
    return items[:, :3] * 2.0  # of the last column nothing is known


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 30), step=st.integers(1, 3), k=st.integers(1, 8), seed=st.integers(0, 99))
def test_what_is_drawn_is_among_the_k_nearest_of_the_sample_by_angle(
    n: int, step: int, k: int, seed: int
) -> None:
    items = torch.randn(n, 4, generator=numbers(seed))
    rows = torch.arange(0, n, step)
    drawn = Similar(rows, items[rows], features, k).beside(Batch(items, torch.arange(n), 1.0), numbers(seed))
    for i in range(n):
        own = items[i, :3].numpy()
        angles = {}
        for j in rows.tolist():
            other = items[j, :3].numpy()
            if j != i or len(rows) == 1:
                angles[j] = own @ other / np.linalg.norm(own) / np.linalg.norm(other)
        nearest = sorted(angles, key=lambda j: -angles[j])[: min(k, max(1, len(rows) - 1))]
        assert any(torch.equal(drawn[i], items[j]) for j in nearest)


def test_all_of_the_k_are_drawn() -> None:
    items = torch.randn(40, 4, generator=numbers(0))
    five = Similar(torch.arange(40), items, features, 5)
    one = Batch(items[:1].repeat(500, 1), torch.zeros(500, dtype=torch.int64), 1.0)
    assert len(five.beside(one, numbers(1)).unique(dim=0)) == 5


def test_what_has_no_angle_stands_beside_itself() -> None:
    items = torch.randn(12, 4, generator=numbers(0))
    items[[3, 7], :3] = 0.0
    drawn = Similar(torch.arange(12), items, features, 2).beside(
        Batch(items, torch.arange(12), 1.0), numbers(1)
    )
    assert [i for i in range(12) if torch.equal(drawn[i], items[i])] == [3, 7]


def test_features_are_taken_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    items = torch.randn(40, 4, generator=numbers(0))
    whole = Similar(torch.arange(40), items, features, 5)
    monkeypatch.setattr(similar, "_BLOCK", 7)
    asked: list[int] = []

    def noted(some: torch.Tensor) -> torch.Tensor:
        asked.append(len(some))
        return features(some)

    assert torch.equal(Similar(torch.arange(40), items, noted, 5).known, whole.known)
    assert asked == [7, 7, 7, 7, 7, 5]


def test_processes_draw_together_what_one_draws() -> None:
    items = torch.randn(30, 4, generator=numbers(0))
    six = Similar(torch.arange(30), items, features, 6)
    indices = torch.arange(11, 24)
    alone = six.beside(Batch(items[indices], indices, 1.0), numbers(3))
    for rank in range(2):
        part = part_of(len(indices), rank, 2)
        own = indices[part.low : part.high]
        with working_on(part):
            drawn = six.beside(Batch(items[own], own, part.share), numbers(3))
        assert torch.equal(drawn, alone[part.low : part.high])
