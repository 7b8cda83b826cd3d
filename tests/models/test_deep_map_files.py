"""Files of deep maps: those that are missing, cut short, edited, of another model, or a pickle are refused."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import pytest

from models.zoo import ZOO
from somscope.errors import RunError


@pytest.fixture(scope="module")
def saved(blobs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("map")
    ZOO["desom"](grid=(2, 3), batch_norm=True).fit(blobs[0]).save(folder)
    return folder


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_files_that_are_missing_or_cut_short(folder, name):
    from somscope.models.desom import DESOM

    content = (folder / name).read_bytes()
    for cut in (0, 1, 8, 100, len(content) // 2, len(content) - 1):
        (folder / name).write_bytes(content[:cut])
        with pytest.raises(RunError, match=str(folder)):
            DESOM.load(folder)
    (folder / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing"):
        DESOM.load(folder)


def test_edited_weights_are_found(folder):
    from somscope.models.desom import DESOM

    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-3] ^= 1
    (folder / "model.safetensors").write_bytes(bytes(content))
    with pytest.raises(RunError, match="or one was edited"):
        DESOM.load(folder)


def rewrite(folder, change_arrays=None, change_json=None):
    """Edit a saved model and make its check sum right again."""
    import hashlib

    from safetensors.numpy import load, save

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
    "change",
    [
        lambda a: a.update({"module.prototypes": np.zeros((5, 2), np.float32)}),
        lambda a: a.update({"module.prototypes": np.zeros((6, 3), np.float32)}),
        lambda a: a.update({"module.prototypes": np.zeros((6, 2), np.float64)}),
        lambda a: a.update({"module.prototypes": np.full((6, 2), np.nan, np.float32)}),
        lambda a: a.pop("module.prototypes"),
        lambda a: a.pop("module.net.encoder.0.weight"),
        lambda a: a.update({"module.net.extra": np.zeros(3, np.float32)}),
        lambda a: a.update({"module.net.encoder.0.weight": np.full((8, 20), np.inf, np.float32)}),
        lambda a: a.update({"hits_": np.zeros(5, np.int64)}),
        lambda a: a.update({"hits_": np.zeros(6, np.float32)}),
        lambda a: a.update({"labels_": np.zeros((3, 3), np.int64)}),
        lambda a: a.pop("labels_"),
        lambda a: a.update({"__class__": np.zeros(3, np.int64)}),
    ],
)
def test_arrays_that_do_not_fit(folder, change):
    from somscope.models.desom import DESOM

    rewrite(folder, change_arrays=change)
    with pytest.raises(RunError, match="not a whole description of a desom map"):
        DESOM.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["lattice"].update(rows=2.0),
        lambda d: d["lattice"].update(rows=10**9, columns=10**9),
        lambda d: d["lattice"].update(surprise=1),
        lambda d: d["lattice"].pop("rows"),
        lambda d: d["parameters"].update(hidden=[10**9, 8]),
        lambda d: d["parameters"].update(hidden=[10**9]),
        lambda d: d["parameters"].update(hidden=[9]),
        lambda d: d["parameters"].update(latent_dim="two"),
        lambda d: d["parameters"].update(latent_dim=10**12),
        lambda d: d["parameters"].update(surprise=1),
        lambda d: d.update(parameters=[]),
        lambda d: d["fitted"].update(n_features_in_=10**12),
        lambda d: d["fitted"].update(n_features_in_="20"),
        lambda d: d["fitted"].pop("history_"),
        lambda d: d["fitted"].update(history_=[1]),
        lambda d: d.update(image_shape=[2, 2, 1]),
        lambda d: d.update(image_shape=[2, 10]),
        lambda d: d.pop("feature_names"),
    ],
)
def test_descriptions_that_make_no_model(folder, change):
    from somscope.models.desom import DESOM

    rewrite(folder, change_json=change)
    with pytest.raises(RunError, match="not a whole description of a desom map"):
        DESOM.load(folder)


def test_another_model_is_named(folder, blobs, tmp_path):
    from somscope.maps.som import SOM
    from somscope.models.desom import DESOM

    with pytest.raises(RunError, match="as 'som', but a model 'desom'"):
        SOM.load(folder)
    SOM(grid=(2, 2)).fit(blobs[0]).save(tmp_path / "som")
    with pytest.raises(RunError, match="as 'desom', but a model 'som'"):
        DESOM.load(tmp_path / "som")


class Evil:
    def __reduce__(self):
        return (pytest.fail, ("loading a map ran code",))


def test_a_pickle_in_place_of_the_weights_is_not_run(folder):
    from somscope.models.desom import DESOM

    for content in (pickle.dumps(Evil()), b"\x80\x04", b"PK\x03\x04" + b"\0" * 100):
        (folder / "model.safetensors").write_bytes(content)
        with pytest.raises(RunError, match="holds no readable map"):
            DESOM.load(folder)
