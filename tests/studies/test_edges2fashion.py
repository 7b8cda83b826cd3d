"""The study edges2fashion on squares and disks: its baselines, its measures, its rows, and going on with it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from somscope.auditing import audit_images
from somscope.data.derive import edges
from somscope.errors import DataError
from somscope.studies import edges2fashion as study
from somscope.studies.table import markdown

QUICK = {"generator": "unet_32", "filters": 4, "discriminator_filters": 4, "n_layers": 2, "batch_size": 8,
         "n_epochs": 12, "n_decay_epochs": 0, "learning_rate": 4e-3, "flip": False, "enlarge": 1.0}  # fmt: skip


def shapes(n, seed):
    """Disks, and squares twice as bright."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n)
    y, x = np.mgrid[:32, :32]
    centre, radius = rng.uniform(13, 19, (n, 2, 1, 1)), rng.uniform(6, 10, (n, 1, 1))
    dy, dx = np.abs(y - centre[:, 0]), np.abs(x - centre[:, 1])
    inside = np.where(labels[:, None, None] == 1, np.maximum(dy, dx) < radius, np.hypot(dy, dx) < radius)
    images = (inside * np.where(labels, 220, 110)[:, None, None]).astype(np.uint8)[..., None]
    return edges(images), images, labels


def small(name):
    if name == "cifar10":
        raise DataError("cifar10 is away")
    return study.Task(name, *shapes(96, 0), *shapes(40, 1))


def test_the_study(tmp_path, monkeypatch):
    audits, said = [], []

    def quick(images):
        audits.append(images.name)
        return audit_images(images, n_seeds=2, permutations=19)

    def linear(task):
        return LogisticRegression().fit(study._flat(task.images), task.labels)

    monkeypatch.setattr(study, "audit_images", quick)
    monkeypatch.setattr(study, "_classifier", linear)  # ninety images are too few for the one of the study
    options = {"read": small, "recipe": QUICK, "device": "cpu"}
    content = study.edges2fashion(["fashion-mnist", "cifar10"], [0], tmp_path, said.append, **options)
    rows = {row["model"]: row for row in content["rows"] if row["variant"] == "default"}
    (other,) = (row for row in content["rows"] if row["variant"] != "default")
    assert (other["model"], other["mode"], rows["pix2pix"]["mode"]) == ("pix2pix", "deterministic", "eval")
    assert other["measures"]["l1"] != rows["pix2pix"]["measures"]["l1"]
    assert f"| fashion-mnist | pix2pix (deterministic) | {other['measures']['l1']['mean']:.3f} |" in markdown(
        content
    )
    assert list(rows) == list(study.MODELS)
    mean, nearest, made = (rows[name]["measures"] for name in ("mean-target", "nearest-neighbour", "pix2pix"))
    assert made["l1"]["mean"] < mean["l1"]["mean"]
    assert nearest["l1"]["mean"] < mean["l1"]["mean"]
    assert nearest["agreement"]["mean"] > mean["agreement"]["mean"]
    assert nearest["ssim"]["mean"] > mean["ssim"]["mean"]
    assert 0.4 < mean["agreement"]["mean"] < 0.6  # one label for all
    assert rows["pix2pix"]["classifier"] > 0.9
    audit = rows["pix2pix"]["audit"]
    assert audit["numbers"]
    assert audit["n"] == 40
    told = content["notes"][-1]
    assert told.startswith("Audit of 40 test pairs of fashion-mnist, seed 0: ")
    assert all(c["answer"] in told for c in audit["conclusions"])
    with Image.open(tmp_path / "fashion-mnist~0.png") as sheet:
        assert sheet.width > 900  # five columns of examples
    assert {row["model"] for row in content["absent"]} == set(study.MODELS)
    assert "cifar10 is left out: cifar10 is away" in said
    assert "| fashion-mnist | pix2pix | 0." in markdown(content)
    assert (
        f"| fashion-mnist | the targets | 0.000 | 1.000 | {rows['pix2pix']['classifier']:.3f} |  |"
        in markdown(content)
    )
    json.dumps(content, allow_nan=False)
    again = study.edges2fashion(["fashion-mnist"], [0], tmp_path, said.append, **options)
    assert again["rows"] == content["rows"]
    assert audits == ["fashion-mnist"]  # read, not trained anew


def test_the_nearest_neighbour_of_a_training_pair_is_itself():
    images = shapes(30, 0)
    task = study.Task("x", *images, *images)
    assert np.array_equal(study._nearest_neighbour(task), task.images)
    assert np.array_equal(study._mean_target(task)[3], np.rint(task.images.mean(0)))


def test_measures_by_hand():
    task = small("x")
    classifier = DummyClassifier(strategy="constant", constant=1).fit(np.zeros((2, 1024)), [0, 1])
    same = study.measure(task, task.test_images, classifier)
    assert (same["l1"], same["ssim"]) == (0.0, 1.0)
    assert same["agreement"] == np.mean(task.test_labels == 1)
    other = study.measure(task, 255 - task.test_images, classifier)
    wanted = np.abs(255 - 2 * task.test_images.astype(float)).mean() / 255
    assert other["l1"] == pytest.approx(wanted)
    assert other["ssim"] < 0


@pytest.mark.skipif(
    "SOMSCOPE_DATA" not in os.environ, reason="SOMSCOPE_DATA does not say where fashion-mnist is"
)
def test_pairs_of_the_study():
    task = study.read_task("fashion-mnist-shoes", 600, 100)
    assert task.images.shape == (600, 32, 32, 1)
    assert not task.images[:, :2].any()
    assert task.images[:, 2:30, 2:30].any(axis=(1, 2, 3)).all()
    assert set(task.labels.tolist()) <= {5, 7, 9}
    assert set(np.unique(task.test_edges)) == {0, 255}
    classifier = study._classifier(task)
    assert classifier.score(study._flat(task.test_images), task.test_labels) > 0.7


@pytest.mark.parametrize("data", ["fashion-mnist-shoes", "fashion-mnist"])
def test_in_the_committed_result_the_translator_is_better_than_both(data):
    content = json.loads(
        (Path(__file__).parents[2] / "results" / "edges2fashion.json").read_text(encoding="utf-8")
    )
    rows = {
        r["model"]: r["measures"] for r in content["rows"] if (r["data"], r["variant"]) == (data, "default")
    }
    assert set(rows) == set(study.MODELS)
    for other in study.MODELS[1:]:
        assert rows["pix2pix"]["l1"]["mean"] < rows[other]["l1"]["mean"]
        assert rows["pix2pix"]["agreement"]["mean"] > rows[other]["agreement"]["mean"]
        assert rows["pix2pix"]["ssim"]["mean"] > rows[other]["ssim"]["mean"]
