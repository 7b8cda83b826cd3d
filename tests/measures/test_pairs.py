"""Distances between all items in blocks: each pair is computed once, and kept for the rows that come later."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from somscope.measures import _arrays, _pairs
from somscope.measures._pairs import PairDistances
from somscope.measures._threads import row_threads


def _items(kind, n, d=7):
    x = np.random.default_rng(0).normal(size=(n, d))
    if kind == "missing":
        x[::3, 1] = np.nan
    return sparse.csr_array(np.where(np.abs(x) < 0.7, 0, x)) if kind == "sparse" else x


def _plain(x):
    x = x.toarray() if sparse.issparse(x) else x
    squared = (x[:, None, :] - x[None, :, :]) ** 2
    both = ~np.isnan(squared)
    return np.where(both, squared, 0).sum(axis=2) * x.shape[1] / both.sum(axis=2)


@pytest.mark.parametrize("single", [False, True], ids=["float64", "float32"])
@pytest.mark.parametrize("held_tiles", [0, 1, 5, 10**6])
@pytest.mark.parametrize("kind", ["dense", "sparse", "missing"])
@pytest.mark.parametrize(("n", "rows"), [(41, 6), (40, 8), (5, 9), (9, 1)])
def test_blocks_are_all_distances_in_order(monkeypatch, kind, n, rows, held_tiles, single):
    if single:
        monkeypatch.setattr(_pairs, "_EXACT_ITEMS", 0)
    size = 4 if single else 8
    monkeypatch.setattr(_arrays, "_BLOCK_BYTES", n * size * rows)
    monkeypatch.setattr(_pairs, "_HELD_BYTES", rows * rows * size * held_tiles)
    x = _items(kind, n)
    found = np.full((n, n), -1.0)
    with row_threads() as spread:
        for start, block in PairDistances(x).blocks(spread):
            assert (found[start : start + len(block)] == -1).all()
            found[start : start + len(block)] = block
    np.testing.assert_allclose(found, _plain(x), rtol=1e-4 if single else 1e-9, atol=1e-5 if single else 1e-9)


@pytest.mark.parametrize("blocks", [2, 12, 13])
def test_no_more_is_held_than_allowed(monkeypatch, blocks):
    for tiles in (0, 1, 2, 3, 7, 20, 36, 42, 43):
        monkeypatch.setattr(_pairs, "_HELD_BYTES", 200 * tiles)
        ahead = _pairs._tiles_ahead(blocks, 200)
        held = [
            sum(1 for before in range(now + 1) for later in range(now + 1, blocks) if later - before <= ahead)
            for now in range(blocks)
        ]
        assert max(held) <= tiles
        assert (ahead == 0) == (tiles == 0)


def test_each_pair_is_multiplied_once(monkeypatch):
    monkeypatch.setattr(_arrays, "_BLOCK_BYTES", 60 * 8 * 5)
    distances, products = PairDistances(_items("dense", 60)), []
    multiply = distances._products
    monkeypatch.setattr(
        distances,
        "_products",
        lambda rows, columns: products.append((rows, columns)) or multiply(rows, columns),
    )
    with row_threads() as spread:
        for _ in distances.blocks(spread):
            pass
    assert [(rows.start, columns.start) for rows, columns in products] == [(s, s) for s in range(0, 60, 5)]
