"""Collection: what it refuses, its fingerprint, thumbnails, subsets."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from somscope.data import Collection
from somscope.data.arrays import collection_from_array
from somscope.data.labels import encode_labels
from somscope.errors import InputError


@pytest.fixture
def vectors() -> Collection:
    x = np.arange(12, dtype=np.float32).reshape(4, 3)
    return Collection(
        name="v",
        kind="vectors",
        features=x,
        labels=np.array([0, 1, -1, 1]),
        label_names=("a", "b"),
        metadata=pa.table({"k": [1, 2, 3, 4]}),
        feature_names=("x", "y", "z"),
        texts=np.array(list("pqrs")),
        paths=np.array(list("1234")),
    )


def test_defaults_and_sizes(vectors):
    assert vectors.ids.tolist() == ["0", "1", "2", "3"]
    assert (len(vectors), vectors.n_items, vectors.n_features, vectors.image_shape) == (4, 4, 3, None)
    assert vectors.matrix() is vectors.features
    assert vectors.matrix(np.float64).dtype == np.float64


def test_images_become_pixels_over_255():
    pixels = np.arange(2 * 4 * 5 * 3, dtype=np.uint8).reshape(2, 4, 5, 3)
    images = Collection(name="i", kind="images", features=pixels)
    assert images.image_shape == (4, 5, 3)
    for dtype in (np.float32, np.float64):
        matrix = images.matrix(dtype)
        assert matrix.dtype == dtype
        np.testing.assert_allclose(matrix, pixels.reshape(2, 60) / 255, rtol=1e-7)


def test_take_keeps_rows_together(vectors):
    part = vectors.take([3, 0])
    assert part.ids.tolist() == ["3", "0"]
    assert part.labels.tolist() == [1, 0]
    assert part.texts.tolist() == ["s", "p"]
    assert part.paths.tolist() == ["4", "1"]
    assert part.metadata["k"].to_pylist() == [4, 1]
    np.testing.assert_array_equal(part.features, vectors.features[[3, 0]])
    assert part.source["taken"] == {"n_items": 2, "of": 4}
    assert vectors.take(np.array([True, False, True, False])).ids.tolist() == ["0", "2"]


@pytest.mark.parametrize("indices", [[4], [-1], [0.5], [[0]], [True]])
def test_take_refuses_what_is_outside(vectors, indices):
    with pytest.raises(InputError):
        vectors.take(indices)


def test_fingerprint_depends_on_ids_features_and_labels_only(vectors):
    def with_(**changes):
        fields = {name: getattr(vectors, name) for name in ("name", "kind", "features", "ids", "labels")}
        return Collection(**{**fields, **changes}).fingerprint

    same = with_()
    assert same == with_(name="other") == vectors.fingerprint
    assert same == with_(features=np.asfortranarray(vectors.features))
    changed = vectors.features.copy()
    changed[2, 1] += 1
    others = {
        with_(features=changed),
        with_(features=vectors.features.astype(np.float64)),
        with_(labels=None),
        with_(labels=np.array([1, 1, -1, 1])),
        with_(ids=np.array(["0", "1", "2", "x"])),
    }
    assert len(others) == 5
    assert same not in others


def test_fingerprint_of_csr_ignores_the_order_of_entries():
    a = sparse.csr_matrix(np.array([[0, 1.5, 2], [3, 0, 0]], dtype=np.float32))
    b = sparse.csr_matrix((a.data[[1, 0, 2]], a.indices[[1, 0, 2]], a.indptr), shape=a.shape)
    prints = {Collection(name="s", kind="vectors", features=m).fingerprint for m in (a, b)}
    assert len(prints) == 1
    assert b.indices.tolist() == [2, 1, 0], "the given matrix must stay as it is"


def test_thumbnail_never_enlarges():
    images = Collection(name="i", kind="images", features=np.zeros((1, 40, 80, 3), np.uint8))
    assert images.thumbnail(0, 20).size == (20, 10)
    assert images.thumbnail(0, 200).size == (80, 40)
    grey = Collection(name="i", kind="images", features=np.full((1, 8, 8, 1), 7, np.uint8)).thumbnail(0)
    assert (grey.mode, grey.getpixel((3, 3))) == ("L", 7)


def test_only_images_have_thumbnails(vectors):
    with pytest.raises(InputError, match="only images"):
        vectors.thumbnail(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "sounds"}, "images, vectors, text"),
        ({"features": np.zeros((0, 3))}, "no items"),
        ({"features": np.zeros((3, 0))}, "no features"),
        ({"features": np.zeros((2, 3), dtype=np.int64)}, "float32 or float64"),
        ({"features": [[1.0]]}, "list"),
        ({"kind": "images", "features": np.zeros((2, 3, 3, 2), np.uint8)}, "images must be"),
        ({"features": sparse.csc_matrix(np.eye(2))}, "CSC"),
        ({"ids": np.array(["a"])}, "ids has 1 entries for 2 items"),
        ({"ids": np.array(["a", "a"])}, "'a'"),
        ({"labels": np.array([0])}, "labels has 1 entries"),
        ({"labels": np.array([0.0, 1.0])}, "integers"),
        ({"labels": np.array([0, 5]), "label_names": ("a", "b")}, r"label 5 of item 1 is outside 0\.\.1"),
        ({"feature_names": ("a",)}, "1 feature names for 2 features"),
        ({"metadata": pa.table({"k": [1]})}, "metadata has 1 entries"),
        ({"features": np.array([[1.0, np.inf], [0, 1]])}, "item 0 column 1"),
        ({"features": sparse.csr_matrix(np.array([[0, 1], [-np.inf, 0]]))}, "item 1 column 0"),
    ],
)
def test_refusals_name_the_place(changes, message):
    fields = {"name": "c", "kind": "vectors", "features": np.eye(2)}
    with pytest.raises(InputError, match=message):
        Collection(**{**fields, **changes})


def test_nan_is_a_missing_value_and_stays():
    x = np.array([[1.0, np.nan]])
    assert np.isnan(Collection(name="c", kind="vectors", features=x).matrix()[0, 1])


def test_infinity_far_down_is_named():
    x = np.zeros((300_000, 20), dtype=np.float32)
    x[299_999, 7] = -np.inf
    with pytest.raises(InputError, match="item 299999 column 7"):
        Collection(name="c", kind="vectors", features=x)


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("f2", "f4"),
        ("f4", "f4"),
        ("f8", "f8"),
        ("u1", "f4"),
        ("i2", "f4"),
        ("i4", "f8"),
        ("?", "f4"),
        ("i8", "f8"),
    ],
)
def test_arrays_of_any_number_become_floats(dtype, expected):
    assert collection_from_array(np.ones((3, 2), dtype=dtype)).features.dtype == np.dtype(expected)


def test_uint8_of_three_dimensions_is_images():
    assert collection_from_array(np.zeros((3, 5, 4), np.uint8)).image_shape == (5, 4, 1)
    assert collection_from_array(np.zeros((3, 5, 4, 3), np.uint8)).image_shape == (5, 4, 3)
    assert collection_from_array(np.zeros(3)).features.shape == (3, 1)


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3, 4)),
        np.zeros((2, 3, 3, 5), np.uint8),
        np.array([[1, "a"]], dtype=object),
        np.array([["a"]]),
        np.zeros((2, 2), dtype=complex),
        np.array(3.0),
    ],
)
def test_arrays_that_cannot_be_read(array):
    with pytest.raises(InputError):
        collection_from_array(array)


@pytest.mark.parametrize(
    ("values", "labels", "names"),
    [
        (["b", "a", "b"], [1, 0, 1], ("a", "b")),
        ([7, 3, 7], [1, 0, 1], ("3", "7")),
        ([10, 9, None], [1, 0, -1], ("9", "10")),
        (np.array([2.0, np.nan, 5.0]), [0, -1, 1], ("2", "5")),
        ([1, "x", 1], [0, 1, 0], ("1", "x")),
        ([b"u", "", "v"], [0, -1, 1], ("u", "v")),
        ([-1, 0, 0], [-1, 0, 0], ("0",)),
        ([True, False, True], [1, 0, 1], ("False", "True")),
    ],
)
def test_encode_labels(values, labels, names):
    got = encode_labels(values, 3)
    assert (got[0].tolist(), got[1]) == (labels, names)
    assert got[0].dtype == np.int64


def test_encode_labels_with_given_names():
    assert encode_labels([1, 0, "cat"], 3, ["cat", "dog"])[0].tolist() == [1, 0, 0]
    with pytest.raises(InputError, match="'cow' of item 1 is none of the 2 classes: cat, dog"):
        encode_labels(["cat", "cow"], 2, ["cat", "dog"])


@pytest.mark.parametrize(
    ("values", "message"),
    [([1], "1 labels for 2 items"), ([0.5, 1], "measured"), ([[1], [2]], "neither"), (np.eye(2), "one row")],
)
def test_encode_labels_refuses(values, message):
    with pytest.raises(InputError, match=message):
        encode_labels(values, 2)


def test_idf_is_one_number_for_each_feature():
    with pytest.raises(InputError, match=r"idf has shape \(3,\) for 2 features"):
        Collection("x", "text", np.ones((4, 2), np.float32), idf=np.ones(3))


def test_infinite_values_are_told_by_name():
    x = np.array([[1.0, 2.0], [np.inf, -np.inf]])
    with pytest.raises(
        InputError, match=r"item bob column 'height', item bob column 'width' \(numbers count from 0\)"
    ):
        Collection("c", "vectors", x, ids=["ann", "bob"], feature_names=("height", "width"))


def test_an_id_longer_than_any_path_is_refused():
    with pytest.raises(InputError, match="an id has 5,000 characters"):
        Collection("c", "vectors", np.eye(2), ids=["a", "b" * 5000])
    with pytest.raises(InputError, match="one row of strings"):
        Collection("c", "vectors", np.eye(2), ids=np.array([["a"], ["b"]]))
