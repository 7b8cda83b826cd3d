"""IDX: round trips, and every way in which a file can be broken."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from somscope.data import open_collection
from somscope.data.idx import idx_labels_path, is_idx, read_idx, write_idx
from somscope.errors import DataError

DTYPES = [np.uint8, np.int8, np.int16, np.int32, np.float32, np.float64]


@settings(max_examples=60, deadline=None)
@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=4, max_side=5))
    ),
    suffix=st.sampled_from([".idx", ".idx.gz"]),
)
def test_round_trip(tmp_path_factory, array, suffix):
    path = tmp_path_factory.mktemp("idx") / f"a{suffix}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


def test_same_array_same_bytes(tmp_path):
    for name in ("a.gz", "b.gz"):
        write_idx(tmp_path / name, np.arange(5, dtype=np.uint8))
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()


def _idx(shape, content, code=8):
    return bytes([0, 0, code, len(shape)]) + struct.pack(f">{len(shape)}I", *shape) + content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing"),
        (b"\x89PNG\r\n\x1a\n", "not an IDX file"),
        (bytes([0, 0, 7, 1]) + b"\0\0\0\1\0", "not an IDX file"),
        (bytes([0, 0, 8, 0]), "not an IDX file"),
        (bytes([0, 0, 8, 9]) + bytes(40), "not an IDX file"),
        (bytes([0, 0, 8, 3, 0, 0]), "inside its header"),
        (_idx((3, 4), bytes(11)), "truncated: it declares .*12 bytes, and holds only 11"),
        (_idx((3, 4), bytes(13)), "trailing"),
        (_idx((2**32 - 1, 2**32 - 1), bytes(9)), "the limit is"),
        (_idx((2**31, 2**31, 2**31, 2**31, 2**31), b""), "the limit is"),
        (_idx((60000, 28, 28), bytes(100)), "truncated"),
        (gzip.compress(_idx((3, 4), bytes(12)))[:-9], "cannot be read|truncated"),
        (gzip.compress(_idx((3, 4), bytes(12)))[:-2] + b"xx", "cannot be read"),
        (b"\x1f\x8b" + b"junk" * 9, "cannot be read"),
    ],
)
def test_broken_files(tmp_path, content, message):
    path = tmp_path / "broken-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        open_collection(path)
    assert "broken-images-idx3-ubyte" in str(caught.value)


def test_a_small_file_that_declares_much_takes_little_memory(tmp_path):
    path = tmp_path / "liar.idx"
    path.write_bytes(_idx((1, 2**32 - 1), bytes(10)))
    tracemalloc.start()
    with pytest.raises(DataError):
        read_idx(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10e6


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match="neither a file"):
        open_collection(tmp_path / "none.idx")


def test_labels_beside(tmp_path):
    write_idx(tmp_path / "t10k-images-idx3-ubyte.gz", np.zeros((3, 4, 5), np.uint8))
    write_idx(tmp_path / "t10k-labels-idx1-ubyte", np.array([2, 0, 2], np.uint8))
    collection = open_collection(tmp_path / "t10k-images-idx3-ubyte.gz")
    assert collection.image_shape == (4, 5, 1)
    assert collection.labels.tolist() == [1, 0, 1]
    assert collection.label_names == ("0", "2")
    assert collection.source["labels_from"] == "t10k-labels-idx1-ubyte"
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.array([2, 0], np.uint8))
    with pytest.raises(ValueError, match="2 labels for 3 items"):
        open_collection(tmp_path / "t10k-images-idx3-ubyte.gz")


def test_names(tmp_path):
    assert is_idx(tmp_path / "x.idx.gz")
    assert is_idx(tmp_path / "train-images-idx3-ubyte")
    assert not is_idx(tmp_path / "x.csv.gz")
    assert idx_labels_path(tmp_path / "train-images-idx3-ubyte") is None


def test_dtype_that_idx_does_not_have(tmp_path):
    with pytest.raises(DataError, match="int64"):
        write_idx(tmp_path / "a.idx", np.arange(3, dtype=np.int64))


def test_no_values_of_sizes_beyond_counting_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.idx"
    path.write_bytes(b"\0\0\x08\x03" + b"\0" * 4 + b"\xff" * 8)
    with pytest.raises(DataError, match="declares"):
        read_idx(path)
