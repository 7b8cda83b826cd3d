"""A map on disk: back bit for bit; broken, edited and hostile files end in one clear error and run no code."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest
from safetensors.numpy import load, save
from sklearn.datasets import load_digits

from somscope.errors import InputError, RunError
from somscope.maps.som import SOM
from somscope.maps.storage import split_parameters


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0]


@pytest.fixture(scope="module")
def saved(tmp_path_factory, digits):
    folder = tmp_path_factory.mktemp("map")
    SOM(grid=(4, 5), lattice="hexagonal", n_clusters=3, random_state=0).fit(digits).save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"lattice": "hexagonal", "toroidal": True, "grid": (4, 6), "n_clusters": 4},
        {"metric": "cosine", "feature_weights": np.linspace(0, 1, 64)},
        {"feature_weights": [1.0] * 64, "grid": "6x5"},
        {"algorithm": "online", "grid": 20, "learning_rate": (0.3, 0.05)},
        {"init": np.random.default_rng(0).random((12, 64)), "grid": (3, 4), "radius": (2.0, 0.4)},
    ],
    ids=["default", "torus", "weights", "list of weights", "online chain", "given start"],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_saved_map_comes_back_bit_for_bit(tmp_path, digits, options, dtype):
    som = SOM(random_state=0, **options).fit(digits.astype(dtype))
    assert som.save(tmp_path / "new" / "map") == tmp_path / "new" / "map"
    again = SOM.load(tmp_path / "new" / "map")
    assert set(vars(again)) == set(vars(som))
    for name, value in vars(som).items():
        np.testing.assert_equal(getattr(again, name), value, err_msg=name)
        if isinstance(value, np.ndarray):
            assert getattr(again, name).dtype == value.dtype
    np.testing.assert_array_equal(again.transform(digits), som.transform(digits))


def test_names_of_features_and_unfinished_numbers_are_kept(tmp_path, digits):
    import pandas as pd

    frame = pd.DataFrame(digits, columns=[f"pixel {i}" for i in range(64)])
    som = SOM(grid=(3, 3), algorithm="online", n_passes=2, random_state=np.random.RandomState(0)).fit(frame)
    som.save(tmp_path)
    again = SOM.load(tmp_path)
    assert again.feature_names_in_.tolist() == list(frame.columns)
    np.testing.assert_equal(again.history_, som.history_)
    assert again.random_state is None
    json.loads(
        (tmp_path / "model.json").read_text(), parse_constant=lambda name: pytest.fail(f"{name} is not JSON")
    )


def test_saving_again_replaces_the_map_and_leaves_no_other_files(tmp_path, digits):
    for n in (3, 4):
        som = SOM(grid=(n, n), random_state=0).fit(digits)
        som.save(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.json", "model.safetensors"]
    assert SOM.load(tmp_path).lattice_.n_units == 16


class Frame:
    """What a data frame is to NumPy: something with __array__."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values, dtype=dtype)


@pytest.mark.parametrize("frame", ["pandas", "other"])
def test_what_numpy_takes_for_an_array_is_saved_as_one(tmp_path, digits, frame):
    start, weights = np.random.default_rng(0).random((12, 64)), np.linspace(0.5, 1, 64)
    if frame == "pandas":
        pandas = pytest.importorskip("pandas", reason="pandas is not a dependency")
        given = {"init": pandas.DataFrame(start), "feature_weights": pandas.Series(weights)}
    else:
        given = {"init": Frame(start), "feature_weights": Frame(weights)}
    som = SOM(grid=(3, 4), n_passes=1, random_state=0, **given).fit(digits)
    again = SOM.load(som.save(tmp_path / "map"))
    np.testing.assert_array_equal(again.init, start)
    np.testing.assert_array_equal(again.feature_weights, weights)
    np.testing.assert_array_equal(again.transform(digits), som.transform(digits))
    rows = SOM(grid=(3, 4), n_passes=1, init=list(start), random_state=0).fit(digits)
    np.testing.assert_array_equal(SOM.load(rows.save(tmp_path / "rows")).init, start)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"init": np.array([["x", 1]], dtype=object)},
            "init is an array of object, which a file cannot hold",
        ),
        ({"n_passes": {1, 2}}, "n_passes cannot be saved .*set.*allowed: plain values"),
    ],
)
def test_what_files_cannot_hold_is_told_by_name(parameters, message):
    with pytest.raises(InputError, match=message):
        split_parameters(parameters)


def test_a_function_cannot_be_saved(tmp_path, digits):
    som = SOM(grid=(3, 3), radius=(2, 1), radius_decay=lambda t, a, b: a + (b - a) * t, random_state=0).fit(
        digits
    )
    with pytest.raises(InputError, match="radius_decay is a function, which a file cannot hold"):
        som.save(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_missing_empty_and_truncated_files(folder, name):
    content = (folder / name).read_bytes()
    for cut in (0, 1, 8, 100, len(content) // 2, len(content) - 1):
        (folder / name).write_bytes(content[:cut])
        with pytest.raises(RunError, match=str(folder)):
            SOM.load(folder)
    (folder / name).unlink()
    with pytest.raises(RunError, match=rf"{name} is missing: .* holds no saved map"):
        SOM.load(folder)


def test_a_folder_that_is_none(tmp_path):
    with pytest.raises(RunError, match="is missing"):
        SOM.load(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError):
        SOM.load(tmp_path / "file")


def test_arrays_that_were_edited_are_found_by_the_check_sum(folder):
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(RunError, match="were not written together, or one was edited"):
        SOM.load(folder)


def rewrite(folder, change_arrays=None, change_json=None):
    """Edit a saved map and make its check sum right again."""
    import hashlib

    arrays = load((folder / "model.safetensors").read_bytes())
    described = json.loads((folder / "model.json").read_text())
    if change_arrays:
        change_arrays(arrays)
    if change_json:
        change_json(described)
    content = save(arrays)
    described["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "model.safetensors").write_bytes(content)
    (folder / "model.json").write_text(json.dumps(described))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("prototypes_", np.zeros((19, 64))),
        ("prototypes_", np.zeros((20, 63))),
        ("prototypes_", np.zeros((20, 64), np.int64)),
        ("prototypes_", np.full((20, 64), np.nan)),
        ("hits_", np.zeros(19, np.int64)),
        ("hits_", np.zeros(20)),
        ("_held", np.zeros((20, 1))),
        ("labels_", np.zeros((5, 5), np.int64)),
        ("unit_clusters_", np.zeros(3, np.int64)),
        ("predict", np.zeros(3)),
        ("__class__", np.zeros(3)),
    ],
    ids=str,
)
def test_arrays_that_do_not_fit(folder, name, array):
    rewrite(folder, lambda arrays: arrays.update({name: array}))
    with pytest.raises(RunError, match="not a whole description of a map"):
        SOM.load(folder)


@pytest.mark.parametrize("name", ["prototypes_", "hits_", "_held"])
def test_arrays_that_are_missing(folder, name):
    rewrite(folder, lambda arrays: arrays.pop(name))
    with pytest.raises(RunError, match=f"the array {name} is missing"):
        SOM.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(lattice={"rows": 4.0, "columns": 5.0, "shape": "hexagonal", "toroidal": False}),
        lambda d: d.update(
            lattice={"rows": 10**9, "columns": 10**9, "shape": "hexagonal", "toroidal": False}
        ),
        lambda d: d["lattice"].update(shape="round"),
        lambda d: d["lattice"].update(surprise=1),
        lambda d: d.update(parameters=[]),
        lambda d: d["parameters"].update(surprise=1),
        lambda d: d["parameters"].update(metric="hamming"),
        lambda d: d["parameters"].update(n_clusters="many"),
        lambda d: d.update(radius=[1]),
        lambda d: d.update(radius="1"),
        lambda d: d.update(fitted={}),
        lambda d: d["fitted"].update(n_features_in_="64"),
        lambda d: d.pop("feature_names"),
        lambda d: d["fitted"].update(history_=[1, 2]),
    ],
)
def test_descriptions_that_make_no_map(folder, change):
    rewrite(folder, change_json=change)
    with pytest.raises(RunError, match="not a whole description of a map"):
        SOM.load(folder)


@pytest.mark.parametrize(
    "change",
    [lambda d: d.update(model="desom"), lambda d: d.update(format=2), lambda d: d.pop("format")],
)
def test_descriptions_of_something_else(folder, change):
    rewrite(folder, change_json=change)
    with pytest.raises(RunError, match="does not describe a map of format 1"):
        SOM.load(folder)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "[1, 2]", "null", "{" * 5000, '{"a": ' * 50_000, "\ufffe", "9" * 10_000]
)
def test_json_that_describes_nothing(folder, text):
    (folder / "model.json").write_text(text)
    with pytest.raises(RunError):
        SOM.load(folder)


def test_json_of_a_size_that_no_map_has(folder, monkeypatch):
    monkeypatch.setattr("somscope.maps.storage._LARGEST_JSON", 1000)
    with pytest.raises(RunError, match="larger than 1000 bytes"):
        SOM.load(folder)


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("loading a map ran code",))


def test_a_pickle_in_place_of_the_arrays_is_not_run(folder):
    for content in (pickle.dumps(Evil()), b"\x80\x04", b"PK\x03\x04" + b"\0" * 100):
        (folder / "model.safetensors").write_bytes(content)
        with pytest.raises(RunError, match="holds no readable map"):
            SOM.load(folder)


def test_saved_clusters_are_kept_and_not_made_again(tmp_path, monkeypatch):
    x = load_digits(return_X_y=True)[0]
    som = SOM(grid=(5, 5), n_clusters=3, random_state=0).fit(x)
    som.unit_clusters_ = (som.unit_clusters_ + 1) % 3  # as another release of scikit-learn may number them
    som.save(tmp_path / "map")
    monkeypatch.setattr("somscope.maps.fitting.cluster_units", lambda *_: pytest.fail("clustered again"))
    again = SOM.load(tmp_path / "map")
    np.testing.assert_array_equal(again.unit_clusters_, som.unit_clusters_)
    np.testing.assert_array_equal(again.predict(x), som.predict(x))
    for clusters in (np.zeros(25, np.int64), np.arange(25), np.arange(25) % 3 - 1):
        rewrite(tmp_path / "map", lambda arrays, clusters=clusters: arrays.update(unit_clusters_=clusters))
        with pytest.raises(RunError, match="unit_clusters_ are not 3 clusters of units"):
            SOM.load(tmp_path / "map")
    rewrite(tmp_path / "map", lambda arrays: arrays.pop("unit_clusters_"))
    with pytest.raises(RunError, match="not a whole description of a map"):
        SOM.load(tmp_path / "map")
