"""The common quality function against plain loops, and against what a map can be told to have."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.som.quality import grid_positions, map_quality
from hypothesis import given, settings
from hypothesis import strategies as st


def by_loops(items: np.ndarray, prototypes: np.ndarray, columns: int) -> dict[str, float]:
    """A transcription of the definitions, one item at a time."""
    distances, apart_8, apart_4 = [], 0, 0
    for x in items:
        d = [float(np.sqrt(((x.astype(float) - w.astype(float)) ** 2).sum())) for w in prototypes]
        first, second = sorted(range(len(d)), key=lambda unit: (d[unit], unit))[:2]
        distances.append(d[first])
        rows = abs(first // columns - second // columns)
        across = abs(first % columns - second % columns)
        apart_8 += max(rows, across) > 1
        apart_4 += rows + across > 1
    n = len(items)
    return {
        "quantization_error": sum(distances) / n,
        "topographic_error_8": apart_8 / n,
        "topographic_error_4": apart_4 / n,
    }


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**31),
    st.integers(1, 60),
    st.integers(1, 9),
    st.integers(1, 5),
    st.integers(2, 5),
    st.integers(1, 40),
)
def test_equals_plain_loops(seed: int, n: int, d: int, rows: int, columns: int, block: int) -> None:
    rng = np.random.default_rng(seed)
    items = rng.normal(5, 1, (n, d)).astype(np.float32)
    prototypes = rng.normal(5, 1, (rows * columns, d)).astype(np.float32)
    found = map_quality(items, prototypes, grid_positions(rows, columns), block=block)
    assert found == pytest.approx(by_loops(items, prototypes, columns), rel=1e-9, abs=1e-12)


def test_far_from_the_origin_is_no_harder() -> None:
    """The expansion of the distance is centred: float32 values around 10,000 keep their neighbours."""
    rng = np.random.default_rng(0)
    items = (10_000 + rng.normal(0, 1, (200, 4))).astype(np.float32)
    prototypes = (10_000 + rng.normal(0, 1, (12, 4))).astype(np.float32)
    expected = by_loops(items, prototypes, 4)
    assert map_quality(items, prototypes, grid_positions(3, 4)) == pytest.approx(expected, rel=1e-9)


def test_an_ordered_chain_is_perfect_and_a_shuffled_one_is_not() -> None:
    line = np.linspace(0, 1, 50, dtype=np.float32)[:, None]
    prototypes = np.linspace(0, 1, 10, dtype=np.float32)[:, None]
    places = grid_positions(1, 10)
    assert map_quality(line, prototypes, places)["topographic_error_8"] == 0.0
    shuffled = places[np.array([0, 5, 1, 6, 2, 7, 3, 8, 4, 9])]
    assert map_quality(line, prototypes, shuffled)["topographic_error_8"] > 0.5


def test_a_diverged_map_has_no_quality() -> None:
    prototypes = np.full((4, 2), np.nan, dtype=np.float32)
    with pytest.raises(ValueError, match="4 of 4 prototypes are not finite"):
        map_quality(np.zeros((3, 2), dtype=np.float32), prototypes, grid_positions(2, 2))
