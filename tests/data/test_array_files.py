"""npy and npz: round trips, keys, and files that are pickled, broken or lying about their size."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from somscope.data import open_collection
from somscope.data.array_files import npy_array, npz_arrays
from somscope.errors import DataError, InputError

FLOATS = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-1e6, 1e6, width=32) | st.just(float("nan")),
)
PIXELS = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5), st.sampled_from([1, 3]))
)


@settings(max_examples=40, deadline=None)
@given(array=FLOATS | PIXELS, compressed=st.booleans())
def test_round_trip(tmp_path_factory, array, compressed):
    folder = tmp_path_factory.mktemp("arrays")
    np.save(folder / "a.npy", array)
    labels = np.arange(len(array)) % 2
    (np.savez_compressed if compressed else np.savez)(folder / "a.npz", X=array, y=labels)
    single, archive = open_collection(folder / "a.npy"), open_collection(folder / "a.npz")
    for collection in (single, archive):
        assert collection.features.dtype == array.dtype
        np.testing.assert_array_equal(collection.features, array)
    assert archive.labels.tolist() == labels.tolist()


@pytest.mark.parametrize("key", ["X", "data", "features", "images", "anything"])
def test_npz_keys(tmp_path, key):
    np.savez(tmp_path / "a.npz", **{key: np.eye(3)})
    assert open_collection(tmp_path / "a.npz").source["key"] == key


def test_npz_needs_a_choice(tmp_path):
    np.savez(tmp_path / "a.npz", first=np.eye(3), second=np.ones((3, 2)), kinds=np.array(["u", "v", "u"]))
    with pytest.raises(InputError, match="its keys: first, second, kinds; choose one by key"):
        open_collection(tmp_path / "a.npz")
    chosen = open_collection(tmp_path / "a.npz", key="second", label_key="kinds")
    assert chosen.features.shape == (3, 2)
    assert chosen.label_names == ("u", "v")
    with pytest.raises(InputError, match="key='third' is not there"):
        open_collection(tmp_path / "a.npz", key="third")
    with pytest.raises(InputError, match="label_key='z'"):
        open_collection(tmp_path / "a.npz", key="first", label_key="z")


@pytest.mark.parametrize("kind", ["csr", "csc"])
def test_sparse_npz(tmp_path, kind):
    matrix = sparse.random(9, 7, 0.3, format=kind, random_state=0, dtype=np.float32)
    sparse.save_npz(tmp_path / "s.npz", matrix)
    collection = open_collection(tmp_path / "s.npz")
    np.testing.assert_array_equal(collection.features.toarray(), matrix.toarray())
    assert collection.features.format == "csr"


def test_sparse_npz_with_indices_outside(tmp_path):
    np.savez(
        tmp_path / "s.npz",
        data=np.ones(2),
        indices=np.array([0, 900]),
        indptr=np.array([0, 1, 2]),
        shape=np.array([2, 3]),
        format=np.array("csr"),
    )
    with pytest.raises(DataError, match="cannot be read as npz"):
        open_collection(tmp_path / "s.npz")


class _Bomb:
    def __reduce__(self):
        raise AssertionError("unpickled")


def test_objects_are_never_unpickled(tmp_path):
    rows = np.array([[1, "a"], [2, None]], dtype=object)
    np.save(tmp_path / "a.npy", rows, allow_pickle=True)
    np.savez(tmp_path / "a.npz", X=rows)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="Python objects, which are pickled"):
            open_collection(tmp_path / name)


def test_labels_of_the_wrong_length_or_kind(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.eye(3), y=np.array([0, 1]))
    with pytest.raises(InputError, match="2 labels for 3 items"):
        open_collection(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", X=np.eye(3), y=np.eye(3))
    with pytest.raises(InputError, match="one row of values"):
        open_collection(tmp_path / "b.npz")


def _header(shape, descr="<f8"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue()


def test_huge_declared_sizes(tmp_path):
    (tmp_path / "a.npy").write_bytes(_header((2**40, 2**20)) + bytes(80))
    with pytest.raises(DataError, match="truncated: it declares"):
        open_collection(tmp_path / "a.npy")
    for shape, message in (((2**40, 2), "the limit is"), ((2**20, 2), "truncated: it declares")):
        with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
            archive.writestr("X.npy", _header(shape) + bytes(80))
        with pytest.raises(DataError, match=message):
            open_collection(tmp_path / "a.npz")


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
@pytest.mark.parametrize("part", ["empty", "text", "cut", "middle"])
def test_broken_files(tmp_path, name, part):
    path = tmp_path / name
    array = np.random.default_rng(0).normal(size=(50, 4))
    np.save(path, array) if name == "a.npy" else np.savez_compressed(path, X=array)
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 3] ^= 255
    content = {"empty": b"", "text": b"hello" * 99, "cut": whole[:-300], "middle": bytes(flipped)}[part]
    path.write_bytes(content)
    if (name, part) == ("a.npy", "middle"):
        assert len(open_collection(path)) == 50  # plain numbers carry no checksum
        return
    with pytest.raises(DataError, match=r"cannot be read as np|truncated"):
        open_collection(path)


def test_npy_stays_on_disk(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((100, 4), np.float32))
    features = open_collection(tmp_path / "a.npy").features
    base = features
    while base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)


def test_infinite_values_are_named(tmp_path):
    x = np.eye(3)
    x[2, 1] = -np.inf
    np.save(tmp_path / "a.npy", x)
    with pytest.raises(InputError, match="a: infinite values at item 2 column 1"):
        open_collection(tmp_path / "a.npy")


def test_one_dimension_is_one_feature_and_says_so(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5.0))
    collection = open_collection(tmp_path / "a.npy")
    assert collection.features.tolist() == [[0], [1], [2], [3], [4]]
    assert collection.source["note"] == "the array has one dimension: each number is one item of one feature"
    assert "note" not in open_collection(np.ones((5, 1))).source


@pytest.mark.parametrize(
    "head", ["(" * 3000, "{'descr': '<f8'", "__import__('os')", "{'descr': 'nonsense'}", "-" * 9000]
)
def test_a_header_that_is_no_header(tmp_path, head):
    content = head.encode() + b"\n"
    raw = b"\x93NUMPY\x01\x00" + len(content).to_bytes(2, "little") + content
    (tmp_path / "a.npy").write_bytes(raw)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("X.npy", raw)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(DataError, match="the header cannot be read"):
            open_collection(tmp_path / name)


@pytest.mark.parametrize("part", ["indices", "indptr", "shape"])
def test_a_sparse_matrix_of_places_between_columns_is_refused(tmp_path, part):
    parts = {"data": np.ones(2), "indices": [0, 1], "indptr": [0, 1, 2], "shape": [2, 2], "format": b"csr"}
    np.savez(tmp_path / "a.npz", **parts)
    assert open_collection(tmp_path / "a.npz").features.toarray().tolist() == [[1, 0], [0, 1]]
    np.savez(tmp_path / "a.npz", **{**parts, part: np.array(parts[part]) + 0.5})
    with pytest.raises(DataError, match=f"key {part} holds float64, not whole numbers"):
        open_collection(tmp_path / "a.npz")


def test_an_archive_larger_than_memory(tmp_path, monkeypatch):
    np.savez(tmp_path / "a.npz", X=np.eye(3))

    def full(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr("numpy.lib.format.read_array", full)
    with pytest.raises(DataError, match="does not fit into memory"):
        open_collection(tmp_path / "a.npz")


def test_numbers_wider_than_64_bits_that_do_not_fit(tmp_path):
    if np.finfo(np.longdouble).max == np.finfo(np.float64).max:
        pytest.skip("long doubles are doubles on this machine")
    np.save(tmp_path / "a.npy", np.full((2, 2), np.longdouble("1e4000")))
    with pytest.raises(InputError, match="infinite values at item 0 column 0"):
        open_collection(tmp_path / "a.npy")


@pytest.mark.parametrize("number", [0xD800, 0xDFFF, 0x110000, 2**32 - 1])
@pytest.mark.parametrize("order", ["<", ">"])
def test_texts_with_what_is_no_character_are_refused(number: int, order: str, tmp_path: Path) -> None:
    words = np.array([["cell", "map"]], dtype=f"{order}U4")
    words.view(f"{order}u4")[0, 2] = number
    np.save(tmp_path / "words.npy", words)
    np.savez(tmp_path / "words.npz", words=words)
    for read in (lambda: npy_array(tmp_path / "words.npy"), lambda: npz_arrays(tmp_path / "words.npz")):
        with pytest.raises(DataError, match="no characters of Unicode"):
            read()


def test_texts_come_back_as_they_were(tmp_path: Path) -> None:
    for words in (np.array(["", "ä", "\U0010ffff"]), np.array("one"), np.array([""]), np.array(["x"], ">U1")):
        np.save(tmp_path / "words.npy", words)
        np.testing.assert_array_equal(npy_array(tmp_path / "words.npy"), words)
