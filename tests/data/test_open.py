"""open_collection: which reader is chosen, options, labels, and how a reading is repeated."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from somscope.data import Collection, open_collection, reopen
from somscope.data.idx import write_idx
from somscope.errors import DataError, InputError


def test_unknown_places_and_kinds(tmp_path):
    with pytest.raises(
        DataError, match=r"neither a file, nor a folder, nor the name of a data set \(mnist, "
    ):
        open_collection(str(tmp_path / "nothing"))
    with pytest.raises(DataError, match=r"reuters-21578\); did you mean 'fashion-mnist'\?"):
        open_collection("fashion_mnist:test")
    (tmp_path / "a.xls").write_bytes(b"x")
    with pytest.raises(DataError, match=r"files ending in \.xls are not known; allowed: \.csv"):
        open_collection(tmp_path / "a.xls")
    (tmp_path / "a.png").write_bytes(b"x")
    with pytest.raises(DataError, match="is one image: give the folder"):
        open_collection(tmp_path / "a.png")


@pytest.mark.parametrize("source", ["digits", np.eye(3), (np.eye(3), [0, 1, 2]), pa.table({"a": [1.0]})])
def test_unknown_options_list_the_allowed(source):
    with pytest.raises(InputError, match=r"unknown option colour.*allowed: .*limit, seed"):
        open_collection(source, colour="red")


def test_misspelt_options_say_which_is_closest():
    with pytest.raises(InputError, match=r"unknown option colums .*did you mean 'columns'\?"):
        open_collection(pa.table({"a": [1.0]}), colums="a")


def test_unknown_options_of_torch_and_scikit_learn():
    import torch
    from sklearn.datasets import load_iris
    from torch.utils.data import TensorDataset

    for source in (load_iris(), torch.eye(3), TensorDataset(torch.eye(3))):
        with pytest.raises(InputError, match="unknown option columns; allowed: label_names"):
            open_collection(source, columns="a")


def test_a_folder_named_like_a_set_needs_a_path(tmp_path, monkeypatch):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "a.txt").write_text("red fox")
    monkeypatch.chdir(tmp_path)
    assert open_collection("digits").kind == "images"
    assert open_collection("./digits").kind == "text"


def test_labels_from_files(tmp_path):
    x = np.eye(3)
    write_idx(tmp_path / "y.idx.gz", np.array([3, 1, 3], np.uint8))
    np.save(tmp_path / "y.npy", np.array([3, 1, 3]))
    (tmp_path / "y.txt").write_text("3\n1\n3\n")
    for name in ("y.idx.gz", "y.npy", "y.txt"):
        collection = open_collection(x, labels=tmp_path / name)
        assert (collection.labels.tolist(), collection.label_names) == ([1, 0, 1], ("1", "3"))
    (tmp_path / "y.npy").write_bytes(b"junk")
    with pytest.raises(DataError, match="cannot be read as npy"):
        open_collection(x, labels=tmp_path / "y.npy")
    with pytest.raises(DataError, match="labels in"):
        open_collection(x, labels=tmp_path / "none.txt")


def test_reopen(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.random.default_rng(0).normal(size=(9, 2)), y=np.arange(9))
    np.save(tmp_path / "y.npy", np.arange(9) % 2)
    first = open_collection(tmp_path / "a.npz", labels=tmp_path / "y.npy", limit=5, seed=2, name="n")
    again = reopen(json.loads(json.dumps(first.source)))
    assert (again.fingerprint, again.name) == (first.fingerprint, "n")
    for source, labels in ((np.eye(2), None), (tmp_path / "a.npz", [0] * 9)):
        with pytest.raises(DataError, match="came from memory"):
            reopen(open_collection(source, labels=labels).source)


def test_a_collection_passes_through():
    collection = Collection(name="c", kind="vectors", features=np.eye(4))
    assert open_collection(collection).fingerprint == collection.fingerprint
    assert len(open_collection(collection, limit=2)) == 2


@pytest.mark.parametrize("limit", [0, -1, True])
def test_limits(limit):
    with pytest.raises(InputError, match="at least 1 item"):
        open_collection(np.eye(3), limit=limit)


def test_one_item_and_equal_items_are_collections():
    assert len(open_collection(np.zeros((1, 3)))) == 1
    assert len(open_collection(np.zeros((5, 3)))) == 5


def test_sources_hold_only_json():
    json.dumps(open_collection("digits", limit=np.int64(2)).source)
    source = open_collection(
        np.eye(3), ids=np.array(["a", "b", "c"]), label_names=("p",), labels=[0, 0, 0]
    ).source
    assert json.loads(json.dumps(source))["options"] == {"ids": ["a", "b", "c"], "label_names": ["p"]}


@pytest.mark.parametrize("limit", ["3", 2.5, [1]])
def test_limits_and_seeds_are_whole_numbers(limit):
    with pytest.raises(InputError, match="whole number of at least 1 item"):
        open_collection(np.eye(3), limit=limit)
    with pytest.raises(InputError, match=r"seed=.*: it must be a whole number"):
        open_collection(np.eye(3), limit=2, seed=limit)
    with pytest.raises(InputError, match="seed=-1"):
        open_collection(np.eye(3), limit=2, seed=-1)


@pytest.mark.parametrize("source", ["", "  "])
def test_an_empty_source_is_not_this_folder(source):
    with pytest.raises(InputError, match="the source is an empty text"):
        open_collection(source)


@pytest.mark.parametrize("source", ["a\0b", "x" * 5000])
def test_text_that_cannot_be_a_path(source):
    with pytest.raises(DataError, match="cannot be a path"):
        open_collection(source)


def test_a_link_to_itself(tmp_path):
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(DataError, match=r"neither a file|cannot be a path"):
        open_collection(tmp_path / "a")
