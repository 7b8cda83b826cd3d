"""The index against brute force, with many ties; its files, whole and broken."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from somscope.codes import CodeIndex, hamming_distances
from somscope.codes.index import Nearest
from somscope.errors import DataError, InputError

KINDS = ["exact", "ivf", "hnsw", "multi-hash"]


def codes_of(n: int, width: int = 2, values: int = 256, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(values, size=(n, width), dtype=np.uint8)


def brute(codes: np.ndarray, ids: np.ndarray, queries: np.ndarray, k: int) -> Nearest:
    distances = hamming_distances(queries, codes)
    pairs = [sorted(zip(row.tolist(), ids.tolist(), strict=True))[:k] for row in distances]
    return Nearest(
        np.array([[i for _, i in row] for row in pairs]), np.array([[d for d, _ in row] for row in pairs])
    )


@given(st.integers(1, 60), st.integers(1, 5), st.integers(1, 4), st.integers(0, 10**6), st.data())
def test_exact_search_is_brute_force_with_ties_by_id(
    n: int, width: int, values: int, seed: int, data: st.DataObject
) -> None:
    codes, queries = codes_of(n, width, values, seed), codes_of(4, width, values, seed + 1)
    ids = np.random.default_rng(seed).permutation(3 * n)[:n]
    k = data.draw(st.integers(1, n))
    index = CodeIndex(8 * width)
    for part in np.array_split(np.arange(n), 3):  # in any order, and piece by piece
        index.add(codes[part], ids[part])
    found, expected = index.search(queries, k), brute(codes, ids, queries, k)
    assert found.ids.dtype == np.int64
    assert found.distances.dtype == np.int32
    assert np.array_equal(found.ids, expected.ids)
    assert np.array_equal(found.distances, expected.distances)
    radius = data.draw(st.integers(0, 8 * width + 1))
    within = index.range_search(queries, radius)
    everything = brute(codes, ids, queries, n)
    for q in range(4):
        here = slice(within.limits[q], within.limits[q + 1])
        near = everything.distances[q] <= radius
        assert np.array_equal(within.ids[here], everything.ids[q][near])
        assert np.array_equal(within.distances[here], everything.distances[q][near])


def test_ties_are_by_id_beyond_the_blocks_in_which_faiss_works() -> None:
    codes = codes_of(70_000, 13, 3)
    index = CodeIndex(104)
    index.add(codes)
    distances = hamming_distances(codes[:3], codes)
    for k in (10, 10_000, 65_000):  # sorted by counting, twice, and by a heap
        assert np.array_equal(
            index.search(codes[:3], k).ids, np.argsort(distances, axis=1, kind="stable")[:, :k]
        )


@given(st.integers(2, 40), st.integers(0, 10**6))
def test_what_is_removed_is_not_found_and_what_stays_is(n: int, seed: int) -> None:
    codes = codes_of(n, 1, 8, seed)
    gone = np.random.default_rng(seed).permutation(n)[: n // 2]
    index = CodeIndex(8)
    index.add(codes)
    index.remove(gone)
    stay = np.setdiff1d(np.arange(n), gone)
    assert np.array_equal(index.ids, stay)
    assert np.array_equal(index.search(codes, len(stay)).ids, brute(codes[stay], stay, codes, len(stay)).ids)
    index.add(codes[gone], gone)
    assert np.array_equal(index.codes, codes)


def test_ids_go_on_after_the_largest() -> None:
    index = CodeIndex(8)
    index.add(codes_of(2, 1), [4, 2])
    index.add(codes_of(2, 1))
    assert index.ids.tolist() == [2, 4, 5, 6]
    assert repr(index) == "CodeIndex(4 codes of 8 bits, exact)"


def near_copies(n: int = 600, bits: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Codes, and queries with three bits flipped: query i belongs to code i."""
    random = np.random.default_rng(0)
    codes = random.integers(256, size=(n, bits // 8), dtype=np.uint8)
    bits_ = np.unpackbits(codes[:100], axis=1)
    for row in bits_:
        row[random.permutation(bits)[:3]] ^= 1
    return codes, np.packbits(bits_, axis=1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_finds_near_copies(kind: str) -> None:
    codes, queries = near_copies()
    index = CodeIndex(64, kind)
    index.add(codes[:500], np.arange(500) * 2)
    first = index.search(queries, 3)
    assert (first.ids[:, 0] == 2 * np.arange(100)).mean() > 0.8
    index.add(codes[500:], np.arange(500, 600) * 2)  # into what was built
    assert (index.search(codes[500:], 1).distances == 0).mean() > 0.9
    index.add(codes_of(1, 8, seed=5), [1])  # before others: built anew
    index.remove([0])
    found = index.search(queries, 3)
    known = found.ids >= 0
    assert 0 not in found.ids
    assert (found.ids[1:, 0] == 2 * np.arange(1, 100)).mean() > 0.8
    by_id = dict(zip(index.ids.tolist(), index.codes, strict=True))
    for q, (ids, distances) in enumerate(zip(found.ids, found.distances, strict=True)):
        for i, d in zip(ids[known[q]].tolist(), distances[known[q]].tolist(), strict=True):
            assert d == hamming_distances(queries[q : q + 1], by_id[i][None])[0, 0]
        pairs = list(zip(distances, ids, strict=True))
        assert pairs == sorted(pairs)


@pytest.mark.parametrize("kind", KINDS)
def test_looking_further_finds_everything(kind: str) -> None:
    codes, queries = near_copies(300)
    options = {"ivf": {"lists": 4, "probes": 4}, "hnsw": {"beam": 300}, "multi-hash": {"key": 8, "flips": 8}}
    index = CodeIndex(64, kind, **options.get(kind, {}))
    index.add(codes)
    found, expected = index.search(queries, 10), brute(codes, np.arange(300), queries, 10)
    assert np.array_equal(found.distances, expected.distances)
    if kind != "hnsw":
        within = index.range_search(queries, 20)
        exact = CodeIndex(64)
        exact.add(codes)
        for a, b in zip(within, exact.range_search(queries, 20), strict=True):
            assert np.array_equal(a, b)


def test_a_code_that_no_table_holds_is_not_invented() -> None:
    index = CodeIndex(16, "multi-hash", flips=0)
    index.add(np.array([[0, 0], [255, 255]], np.uint8))
    found = index.search(np.array([[0, 0]], np.uint8), 2)
    assert found.ids.tolist() == [[0, -1]]
    assert found.distances.tolist() == [[0, 2**31 - 1]]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("memory_map", [False, True])
def test_a_saved_index_finds_the_same(kind: str, memory_map: bool, tmp_path: Path) -> None:
    codes, queries = near_copies()
    index = CodeIndex(64, kind, fingerprint="ab" * 32)
    index.add(codes, np.arange(600) * 3)
    expected = index.search(queries, 5)
    path = index.save(tmp_path / "codes.index")
    again = CodeIndex.load(path, memory_map=memory_map, fingerprint="ab" * 32)
    assert (again.bits, again.kind, again.options, again.fingerprint) == (64, kind, index.options, "ab" * 32)
    assert isinstance(again.codes, np.memmap) == memory_map
    for a, b in zip(again.search(queries, 5), expected, strict=True):
        assert np.array_equal(a, b)
    again.add(codes[:1], [1])
    again.remove([0])
    assert len(again) == 600
    assert again.search(codes[:1], 1).distances.tolist() == [[0]]


def test_an_empty_index_can_be_kept(tmp_path: Path) -> None:
    index = CodeIndex.load(CodeIndex(16).save(tmp_path / "codes.index"), memory_map=True)
    assert len(index) == 0
    assert index.range_search(codes_of(2), 3).limits.tolist() == [0, 0, 0]
    with pytest.raises(InputError, match="holds 0 codes"):
        index.search(codes_of(2), 1)


FILLED = CodeIndex(16, fingerprint="aa" * 32)
FILLED.add(codes_of(9))


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda: CodeIndex(12), "multiple of 8"),
        (lambda: CodeIndex(16, "flat"), "allowed: exact, ivf, hnsw, multi-hash"),
        (lambda: CodeIndex(16, lists=3), "no option lists; allowed: none"),
        (lambda: CodeIndex(16, "ivf", lists=0), "lists=0"),
        (lambda: CodeIndex(16, "hnsw", links=1), "links=1; allowed: whole numbers from 2"),  # FAISS crashes
        (lambda: CodeIndex(16, "multi-hash", key=4, flips=5), "flips=5; allowed: 0 to 4"),  # and hangs
        (lambda: CodeIndex(16, "multi-hash", flips=-1), "flips=-1; allowed: whole numbers from 0"),
        (lambda: FILLED.search(codes_of(1), 10), "k=10; the index holds 9 codes"),
        (lambda: FILLED.search(codes_of(1), 0), "k=0"),
        (lambda: FILLED.search(codes_of(1, 3), 1), r"queries have shape \(1, 3\)"),
        (lambda: FILLED.search(codes_of(1), 1, fingerprint="bb" * 32), "another coder"),
        (lambda: FILLED.range_search(codes_of(1), -1), "radius=-1"),
        (lambda: FILLED.range_search(codes_of(1), 1, fingerprint="bb" * 32), "another coder"),
        (lambda: FILLED.add(codes_of(1), fingerprint="bb" * 32), "another coder"),
        (lambda: FILLED.add(codes_of(2), [10, 10]), "1 id is given more than once: 10"),
        (lambda: FILLED.add(codes_of(2), [3, 10]), "1 id is in the index already: 3"),
        (lambda: FILLED.add(codes_of(1), [-1]), "id -1 is negative"),
        (lambda: FILLED.add(codes_of(1), [1.5]), "whole numbers"),
        (lambda: FILLED.add(codes_of(2), [10]), "1 ids for 2 codes"),
        (lambda: FILLED.remove([0, 20, 21]), "2 ids are not in the index: 20, 21"),
        (lambda: FILLED.remove([0, 0]), "given more than once"),
    ],
)
def test_what_makes_no_sense_is_refused(do: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        do()
    assert len(FILLED) == 9


def test_a_graph_has_no_range_search() -> None:
    index = CodeIndex(16, "hnsw")
    index.add(codes_of(3))
    with pytest.raises(InputError, match="no range_search"):
        index.range_search(codes_of(1), 1)


def _change(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-5], "no readable index"),
        (lambda b: b[:4], "no readable index"),
        (lambda b: b"", "no readable index"),
        (lambda b: b[:-1] + bytes([b[-1] ^ 1]), "is corrupted"),
        (lambda b: b.replace(b"code index", b"code_index"), "no index of codes written"),
        (lambda b: b.replace(b'format\\": 1', b'format\\": 7'), "format 7; this version reads 1"),
        (lambda b: b.replace(b'bits\\": 16', b'bits\\": 24'), "is corrupted"),
    ],
)
def test_broken_files_are_refused(change: Callable[[bytes], bytes], message: str, tmp_path: Path) -> None:
    path = FILLED.save(tmp_path / "codes.index")
    _change(path, change)
    with pytest.raises(DataError, match=message):
        CodeIndex.load(path)


def test_a_mapped_index_is_checked_for_what_it_says_it_is(tmp_path: Path) -> None:
    path = FILLED.save(tmp_path / "codes.index")
    _change(path, lambda b: b.replace(b'bits\\": 16', b'bits\\": 24'))
    with pytest.raises(DataError, match="not a whole index"):
        CodeIndex.load(path, memory_map=True)


def test_a_file_of_another_coder_is_refused(tmp_path: Path) -> None:
    path = FILLED.save(tmp_path / "codes.index")
    with pytest.raises(InputError, match="another coder"):
        CodeIndex.load(path, fingerprint="bb" * 32)
    with pytest.raises(DataError, match="does not exist"):
        CodeIndex.load(tmp_path / "other.index")


KILLED_WHILE_IT_WRITES = """
import resource, signal, sys
import numpy as np
from somscope.codes import CodeIndex

signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # a file beyond the limit ends the process where it is
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))
index = CodeIndex(64)
index.add(np.zeros((2**15, 8), np.uint8))
index.save(sys.argv[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_what_a_killed_process_left_of_an_index_is_removed_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "codes.index"
    done = subprocess.run([sys.executable, "-c", KILLED_WHILE_IT_WRITES, str(path)])
    assert done.returncode == -signal.SIGXFSZ
    (left,) = tmp_path.iterdir()
    assert left != path
    FILLED.save(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_an_index_may_be_read_by_whom_other_files_may(tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert FILLED.save(tmp_path / "codes.index").stat().st_mode == (tmp_path / "other").stat().st_mode


def test_the_file_of_an_index_is_safetensors(tmp_path: Path) -> None:
    index = CodeIndex(16, "ivf")
    index.add(codes_of(50))
    index.search(codes_of(1), 1)  # which builds it
    found = load_file(index.save(tmp_path / "codes.index"))
    assert sorted(found) == ["codes", "ids", "structure"]
    np.testing.assert_array_equal(found["codes"], index.codes)
    np.testing.assert_array_equal(found["ids"], index.ids)
