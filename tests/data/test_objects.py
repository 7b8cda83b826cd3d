"""Data sets in the memory of other libraries: scikit-learn, torch, Hugging Face."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from scipy import sparse

from somscope.data import open_collection
from somscope.errors import DataError, InputError


def test_scikit_learn_bunches():
    from sklearn.datasets import load_diabetes, load_digits, load_iris

    iris = open_collection(load_iris())
    assert iris.features.shape == (150, 4)
    assert iris.label_names == ("setosa", "versicolor", "virginica")
    assert iris.feature_names[0] == "sepal length (cm)"
    frame = pytest.importorskip("pandas", reason="as_frame needs pandas") and load_iris(as_frame=True)
    assert open_collection(frame).fingerprint == iris.fingerprint
    assert open_collection(load_digits()).features.shape == (1797, 64)
    assert open_collection(load_diabetes()).labels is None, "a measured target is no class"
    assert len(open_collection(load_iris(), limit=7, seed=0)) == 7


def test_a_bunch_without_data():
    from sklearn.utils import Bunch

    with pytest.raises(InputError, match="no data; its fields: target"):
        open_collection(Bunch(target=[1]))


def test_pairs_of_arrays_and_sparse_matrices():
    x, y = np.eye(3), ["a", "b", "a"]
    assert open_collection((x, y)).labels.tolist() == [0, 1, 0]
    assert open_collection(sparse.coo_matrix(x)).features.format == "csr"
    assert open_collection(x, labels=y).label_names == ("a", "b")
    with pytest.raises(InputError, match="2 labels for 3 items"):
        open_collection(x, labels=[0, 1])


def test_torch_tensors():
    import torch

    vectors = open_collection(torch.ones(5, 3, dtype=torch.float64, requires_grad=True))
    assert (vectors.features.shape, vectors.features.dtype) == ((5, 3), np.float64)
    assert open_collection(torch.ones(5, 3, dtype=torch.bfloat16)).features.dtype == np.float32
    images = torch.arange(2 * 3 * 4 * 5, dtype=torch.uint8).reshape(2, 3, 4, 5)
    collection = open_collection(images)
    assert collection.image_shape == (4, 5, 3)
    np.testing.assert_array_equal(collection.features[1, 2, 3], images[1, :, 2, 3])
    floats = open_collection(images.float() / 255)
    np.testing.assert_array_equal(floats.features, collection.features)
    with pytest.raises(InputError, match=r"must lie in 0\.\.1"):
        open_collection(torch.randn(2, 3, 4, 4))


def test_torch_datasets():
    import torch
    from torch.utils.data import Dataset, IterableDataset, TensorDataset

    x, y = torch.rand(6, 4), torch.tensor([0, 1, 0, 1, 0, 1])
    collection = open_collection(TensorDataset(x, y))
    np.testing.assert_array_equal(collection.features, x)
    assert collection.labels.tolist() == y.tolist()
    assert open_collection(TensorDataset(x)).labels is None

    class Pictures(Dataset):
        classes = ("cat", "dog")

        def __len__(self):
            return 3

        def __getitem__(self, i):
            return Image.new("RGB", (4 + 4 * (i == self.odd), 5), (i, 0, 0)), i % 2

        odd = -1

    pictures = open_collection(Pictures(), limit=2)
    assert pictures.image_shape == (5, 4, 3)
    assert pictures.label_names == ("cat", "dog")
    assert pictures.features[1, 0, 0].tolist() == [1, 0, 0]
    uneven = Pictures()
    uneven.odd = 2
    with pytest.raises(InputError, match="item 2 has shape"):
        open_collection(uneven)

    class Stream(IterableDataset):
        def __iter__(self):
            yield 1

    with pytest.raises(InputError, match="without a length"):
        open_collection(Stream())


class _StandIn:
    """What we use of `datasets.Dataset`."""

    def __init__(self, table, names):
        self.data, self.column_names, self.builder_name = table, table.column_names, "standin"
        label = type("ClassLabel", (), {"names": names})()
        self.features = {name: label if name == "kind" else object() for name in table.column_names}

    def with_format(self, kind):
        assert kind == "arrow"
        return self

    def __getitem__(self, rows):
        return self.data[rows]

    def select(self, rows): ...


def test_hugging_face_stand_in():
    dataset = _StandIn(pa.table({"x": [1.0, 2.0], "kind": [1, 0]}), ["cat", "dog"])
    collection = open_collection(dataset)
    assert (collection.label_names, collection.labels.tolist()) == (("cat", "dog"), [1, 0])
    assert collection.feature_names == ("x",)
    with pytest.raises(InputError, match=r"several splits \(train, test\)"):
        open_collection({"train": dataset, "test": dataset})


def test_hugging_face_library(tmp_path):
    datasets = pytest.importorskip("datasets", reason="the extra `huggingface` is not installed")
    pictures = [Image.new("RGB", (6, 4), (i, 0, 0)) for i in range(4)]
    dataset = datasets.Dataset.from_dict(
        {"image": pictures, "label": [0, 1, 1, 0], "year": [1, 2, 3, 4]},
        features=datasets.Features(
            image=datasets.Image(),
            label=datasets.ClassLabel(names=["cat", "dog"]),
            year=datasets.Value("int64"),
        ),
    )
    collection = open_collection(dataset.select([3, 1, 0]))
    assert collection.image_shape == (4, 6, 3)
    assert collection.features[:, 0, 0, 0].tolist() == [3, 1, 0]
    assert collection.labels.tolist() == [0, 1, 0]
    assert collection.label_names == ("cat", "dog")
    assert collection.metadata["year"].to_pylist() == [4, 2, 1]


def test_hub_without_the_extra(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "datasets", None)
    with pytest.raises(DataError, match=r"somscope\[huggingface\]"):
        open_collection("hf:owner/name")


def test_other_objects():
    with pytest.raises(InputError, match=r"cannot read a builtins\.int; allowed: the name of a data set"):
        open_collection(7)
