"""Collections larger than memory: the same map from blocks, from a memory-mapped array and from an iterator."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_digits

from somscope.errors import InputError
from somscope.maps import som as module
from somscope.maps.blocks import MappedBlocks, block_sample, random_rows
from somscope.maps.items import DenseItems
from somscope.maps.sample import SAMPLE, sample_rows, smallest_keys
from somscope.maps.search import Recall
from somscope.maps.som import SOM


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0].astype(np.float32)


# No organising phase: from blocks it draws on a sample, from an array on all items.
CLASSIC = {"radius": (3.0, 0.5), "random_state": 0}


def cut(x, size):
    return [x[i : i + size] for i in range(0, len(x), size)]


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
@pytest.mark.parametrize("size", [100, 700, 5000])
def test_blocks_give_the_map_of_the_whole(digits, metric, size):
    whole = SOM(grid=(5, 6), metric=metric, lattice="hexagonal", **CLASSIC).fit(digits)
    parts = SOM(grid=(5, 6), metric=metric, lattice="hexagonal", **CLASSIC).fit_blocks(cut(digits, size))
    np.testing.assert_allclose(parts.prototypes_, whole.prototypes_, atol=1e-4)
    np.testing.assert_array_equal(parts.hits_, whole.hits_)
    np.testing.assert_allclose(parts.inertia_, whole.inertia_, rtol=1e-6)
    np.testing.assert_allclose(
        parts.history_["quantization_error"], whole.history_["quantization_error"], rtol=1e-6
    )
    assert not hasattr(parts, "labels_")


def test_blocks_with_gaps_give_the_map_of_the_whole(digits):
    x = np.where(np.random.default_rng(0).random(digits.shape) < 0.1, np.nan, digits).astype(np.float64)
    x[:400] = digits[:400]  # the first blocks have none
    whole, parts = SOM(grid=(5, 5), **CLASSIC).fit(x), SOM(grid=(5, 5), **CLASSIC).fit_blocks(cut(x, 200))
    np.testing.assert_allclose(parts.prototypes_, whole.prototypes_, atol=1e-9)


def test_blocks_keep_the_sample_of_the_whole():
    for n in (2, 2048, 2049, 5000, 20001):
        x = np.arange(n, dtype=np.float64)[:, None]
        sample, counted = block_sample(cut(x, 777))
        assert counted == n
        np.testing.assert_array_equal(sample[:, 0], sample_rows(n, 1))
        assert SAMPLE <= len(sample) <= SAMPLE + 2 or n == len(sample)


def test_the_sample_resonates_with_no_period_and_is_the_same_each_time():
    rows = smallest_keys(np.arange(2**17))
    assert len(set(rows)) == SAMPLE
    np.testing.assert_array_equal(rows, np.sort(rows))
    np.testing.assert_array_equal(rows, smallest_keys(np.arange(2**17)))
    for period in (2, 3, 7, 16, 24, 64, 365, 1024):
        counts = np.bincount(rows % period, minlength=period)
        expected = SAMPLE / period
        chi_squared = np.sum((counts - expected) ** 2 / expected)
        assert chi_squared < period + 5 * np.sqrt(2 * period)
    np.testing.assert_allclose(
        np.bincount(rows // 2**14) / SAMPLE, 1 / 8, atol=0.03
    )  # and even from end to end


def test_periodic_items_are_seen_in_all_their_phases(digits):
    x = np.tile(
        np.concatenate([np.zeros((15, 64), np.float32), digits[:1]]), (4096, 1)
    )  # every 16th is a digit
    x[:, :8] += np.random.default_rng(0).normal(size=(len(x), 8)).astype(np.float32)
    sample, _ = block_sample(cut(x, 9999))
    assert np.mean(sample.sum(axis=1) > 100) == pytest.approx(1 / 16, abs=0.02)


def test_a_column_and_items_that_are_only_dull_in_the_sample_are_mapped(tmp_path, monkeypatch, digits):
    n = 20_000
    x = np.zeros((n, 3), np.float32)
    dull = np.setdiff1d(np.arange(n), sample_rows(n))
    x[dull[:50]] = 1.0  # all items of the sample are equal
    x[:, 2] = np.nan
    x[dull[30:50], 2] = 5.0  # and nothing is known of their last feature
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    for som in (
        SOM(grid=(1, 2), radius=(0.5, 0.1)).fit(x),
        SOM(grid=(1, 2), radius=(0.5, 0.1)).fit_blocks(cut(x, 3000)),
        SOM(grid=(1, 2), radius=(0.5, 0.1)).fit(np.load(tmp_path / "x.npy", mmap_mode="r")),
    ):
        assert sorted(som.hits_) == [50, n - 50]
        assert som.prototypes_[som.hits_.argmin()] == pytest.approx([1, 1, 5])
    x[:, 2] = np.nan
    for fit in (SOM().fit, lambda x: SOM().fit_blocks(cut(x, 3000))):
        with pytest.raises(InputError, match="column 2 holds nothing but NaN"):
            fit(x)


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.tolist(),
        lambda x: x.astype(np.float16),
        lambda x: x.astype(np.uint8),
        lambda x: torch.as_tensor(x).to(torch.bfloat16),
        lambda x: np.asfortranarray(x),
    ],
    ids=["lists", "float16", "uint8", "bfloat16", "fortran"],
)
def test_blocks_may_be_all_that_fit_takes(digits, form):
    expected = SOM(grid=(4, 4), **CLASSIC).fit_blocks(cut(digits, 500))
    som = SOM(grid=(4, 4), **CLASSIC).fit_blocks([form(block) for block in cut(digits, 500)])
    np.testing.assert_allclose(som.prototypes_, expected.prototypes_, atol=1e-4)
    once = SOM(grid=(4, 4), **CLASSIC).fit_blocks(form(block) for block in cut(digits, 900))
    np.testing.assert_allclose(
        once.prototypes_,
        SOM(grid=(4, 4), **CLASSIC).fit_blocks(iter(cut(digits, 900))).prototypes_,
        atol=1e-4,
    )


def test_empty_blocks_are_passed_over(digits):
    blocks = [digits[:0], digits[:900], digits[:0], digits[900:]]
    one = SOM(grid=(4, 4), **CLASSIC).fit_blocks(blocks)
    np.testing.assert_array_equal(
        one.prototypes_, SOM(grid=(4, 4), **CLASSIC).fit_blocks(blocks[1::2]).prototypes_
    )
    assert SOM(grid=(4, 4), **CLASSIC).fit_blocks(iter(blocks)).hits_.sum() == len(digits)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_a_memory_mapped_array_gives_the_map_of_the_array(tmp_path, monkeypatch, digits, dtype):
    np.save(tmp_path / "x.npy", digits.astype(dtype))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    monkeypatch.setattr("somscope.maps.blocks.BLOCK_BYTES", 500 * 64 * 4)
    streamed = SOM(grid=(5, 6), **CLASSIC).fit(mapped)
    whole = SOM(grid=(5, 6), **CLASSIC).fit(digits.astype(dtype))
    assert streamed.prototypes_.dtype == whole.prototypes_.dtype
    np.testing.assert_allclose(streamed.prototypes_, whole.prototypes_, atol=1e-4)
    np.testing.assert_array_equal(streamed.labels_, whole.labels_)
    np.testing.assert_array_equal(streamed.labels_, streamed.predict(mapped))
    for k in (1, 2, 3):
        units, distances = streamed.best_units(mapped, k)
        wanted = streamed.best_units(np.array(mapped), k)
        np.testing.assert_array_equal(units, wanted[0])
        np.testing.assert_allclose(distances, wanted[1], rtol=1e-6, atol=1e-6)


def test_mapped_blocks_are_copies_of_all_rows(tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", np.arange(70, dtype=np.float32).reshape(10, 7))
    monkeypatch.setattr("somscope.maps.blocks.BLOCK_BYTES", 3 * 7 * 4)
    blocks = MappedBlocks(np.load(tmp_path / "x.npy", mmap_mode="r"))
    for _ in range(2):  # they can be read again
        parts = list(blocks)
        assert [len(p) for p in parts] == [3, 3, 3, 1]
        assert not any(isinstance(p, np.memmap) for p in parts)
        np.testing.assert_array_equal(np.concatenate(parts).ravel(), np.arange(70))


def test_an_iterator_is_read_once_and_refines(digits):
    read = []

    def stream():
        for i, block in enumerate(cut(digits, 300)):
            read.append(i)
            yield block

    som = SOM(grid=(6, 6), random_state=0).fit_blocks(stream())
    assert read == [0, 1, 2, 3, 4, 5]
    assert som.hits_.sum() == len(digits)
    assert not hasattr(som, "labels_")
    whole = SOM(grid=(6, 6), random_state=0).fit(digits)
    assert som.quantization_error(digits) < 1.1 * whole.quantization_error(digits)


def test_blocks_that_make_no_collection_are_refused(digits):
    with pytest.raises(InputError, match="hold no items"):
        SOM().fit_blocks([])
    with pytest.raises(InputError, match="iterator is empty"):
        SOM().fit_blocks(iter([]))
    with pytest.raises(InputError, match="block 1 has 60 features, those before it have 64"):
        SOM().fit_blocks([digits[:100], digits[100:200, :60]])
    with pytest.raises(InputError, match="block 1: "):
        SOM().fit_blocks([digits[:100], digits[0]])
    for blocks in ([sparse.csr_matrix(digits)], iter([sparse.csr_matrix(digits)])):
        with pytest.raises(InputError, match=r"block 0 is sparse; blocks must be dense"):
            SOM().fit_blocks(blocks)
    with pytest.raises(InputError, match="block 1: "):
        SOM().fit_blocks(iter([digits[:100], [["a", "b"]]]))
    with pytest.raises(InputError, match="algorithm='batch'"):
        SOM(algorithm="online").fit_blocks([digits])
    bad = digits[200:300].copy()
    bad[7, 5] = np.inf
    with pytest.raises(InputError, match=r"block 2 contains inf: 1 infinite values, one in row 7, column 5"):
        SOM().fit_blocks([digits[:100], digits[100:200], bad])


MEMORY = """
import re
import sys
import threading
from pathlib import Path
import numpy as np
import torch  # a large map asks it for a GPU
from somscope.maps.som import SOM

def held():
    # MB of this process; how many pages of a file the system maps beyond what was asked for is its own affair
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

def watch():
    while not over.wait(0.005):
        most.append(held())

small = np.random.default_rng(0).standard_normal((500, 256)).astype(np.float32)
SOM(grid=(4, 4), n_passes=1).fit(small)  # everything is imported and compiled
x = np.load(sys.argv[1], mmap_mode="r")
before, most, over = held(), [0.0], threading.Event()
watching = threading.Thread(target=watch)
watching.start()
som = SOM(grid=(8, 8), n_passes=2).fit(x)
same = (som.predict(x) == som.labels_).all()
over.set()
watching.join()
print(x.nbytes / 2**20, max(most) - before, som.hits_.sum(), float(same))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not say")
def test_a_large_memory_mapped_array_is_trained_and_assigned_in_bounded_memory(tmp_path):
    rows = 300 * 2**20 // (256 * 4)
    x = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(rows, 256))
    rng = np.random.default_rng(0)
    for start in range(0, rows, 50_000):
        x[start : start + 50_000] = rng.random((min(50_000, rows - start), 256), dtype=np.float32)
    x.flush()
    del x
    answer = subprocess.run(
        [sys.executable, "-c", MEMORY, str(tmp_path / "x.npy")],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    size, peak, hits, same = map(float, answer.stdout.split())
    assert size == pytest.approx(300, rel=0.01)
    assert 0 < peak < 200
    assert (hits, same) == (rows, 1)


def test_a_search_goes_on_from_what_one_of_the_same_items_knows(digits):
    rng = np.random.default_rng(0)
    x = digits[rng.integers(150, size=9000)] + rng.normal(scale=0.1, size=(9000, 64)).astype(np.float32)
    basis = DenseItems(x).find_basis(200)
    recall, guessed = None, 0
    for step in range(12):
        prototypes = digits[:200] + np.float32(0.03 * step)
        items = DenseItems(x, basis=basis)
        items.recall = recall
        units, distances = items.nearest(prototypes, second=step == 7)
        wanted = DenseItems(x).nearest(prototypes, second=step == 7)
        np.testing.assert_array_equal(units, wanted[0])
        np.testing.assert_allclose(distances, wanted[1], rtol=1e-12)
        recall = items.recall
        assert recall.calls == step + 1
        guessed += recall.guesses
    assert 0 < guessed < 12  # both roads were gone


def test_what_is_known_of_other_items_is_forgotten(digits):
    items = DenseItems(digits)
    items.recall = Recall(calls=5, width=16, last=np.zeros(3, np.int32), guesses=True)
    units, _ = items.nearest(digits[:30])
    np.testing.assert_array_equal(units, DenseItems(digits).nearest(digits[:30])[0])
    assert len(items.recall.last) == len(digits)


def test_random_rows_come_from_everywhere_and_once(tmp_path, digits):
    x = np.arange(10_000, dtype=np.float32)[:, None] + np.zeros(3, np.float32)
    np.save(tmp_path / "x.npy", x)
    blocks = MappedBlocks(np.load(tmp_path / "x.npy", mmap_mode="r"))
    rows = random_rows(blocks, 1600)[:, 0].astype(int)
    assert len(set(rows)) == len(rows) > 1200
    np.testing.assert_allclose(np.bincount(rows // 2000) / len(rows), 0.2, atol=0.05)
    np.testing.assert_array_equal(random_rows(blocks, 20_000), x)


def test_a_map_from_a_file_is_as_good_as_one_in_memory(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 24))[rng.integers(40, size=40_000)] + 0.2 * rng.normal(size=(40_000, 24))
    x = x.astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr(module, "BLOCK_BYTES", 1000)
    how = {"grid": (12, 12), "n_passes": 3, "random_state": 0}
    whole, streamed = SOM(**how).fit(x), SOM(**how).fit(np.load(tmp_path / "x.npy", mmap_mode="r"))
    assert streamed.chosen_["organising"].startswith("23 steps on 512 random items")
    assert streamed.inertia_ == pytest.approx(whole.inertia_, rel=0.03)
    assert whole.inertia_ < 0.7 * SOM(**{**how, "grid": (1, 5)}).fit(x).inertia_
