"""Which map is made where no model is named, what is said about it, and how long it is said to take."""

from __future__ import annotations

import re
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from cli.samples import invoke, make_photos, make_table, make_texts
from somscope import ContrastiveSOM
from somscope.choosing import default_map, likely_duration
from somscope.data import Collection, open_collection
from somscope.errors import InputError
from somscope.explorer.shown import Shown
from somscope.explorer.unit_layers import _layers
from somscope.models import contrastive_module, duration
from somscope.models.similar import Similar
from somscope.runs import Run

SHORT = ("--steps", 3, "--latent-dim", 4)


def words(output: str) -> str:
    return " ".join(output.split())


def test_more_clusters_than_units_are_refused_before_the_time_is_estimated(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (500, 6, 6, 3), np.uint8))
    result = invoke("map", tmp_path / "images.npy", "-o", tmp_path / "run", "--clusters", 65)
    assert result.exit_code == 2
    assert "--clusters=65; allowed: 1 to 64, the number of units" in words(result.stderr)
    assert "which takes about" not in words(result.output)


def test_images_that_can_be_learned_from_get_a_contrastive_map(tmp_path: Path) -> None:
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (500, 6, 6, 3), np.uint8))
    arguments = (
        "map",
        tmp_path / "images.npy",
        "-o",
        tmp_path / "run",
        *SHORT,
        "--clusters",
        2,
        "--radius",
        0.6,
    )
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    said = words(result.output)
    assert re.search(
        r"500 images: contrastive-som, which takes about \d+ (seconds|minutes) here; --model som", said
    )
    run = Run.open(tmp_path / "run")
    assert run.config["model"]["name"] == "contrastive-som"
    assert run.config["model"]["parameters"]["final_radius"] == 0.6
    assert run.model().network_ == "small"
    assert run.lattice.n_units == 64


def test_few_images_are_mapped_by_their_gradients(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos")
    result = invoke("map", photos, "-o", tmp_path / "run", *SHORT)
    assert result.exit_code == 0, result.output
    assert "24 images, too few to learn from: contrastive-som takes histograms" in words(result.output)
    run = Run.open(tmp_path / "run")
    assert run.model().network_ == "gradients"
    assert run.lattice.n_units < 24
    assert run.metrics["purity"] > 0.9
    uncertain = run.assignments()["uncertainty"].to_numpy()
    np.testing.assert_allclose(uncertain, run.model().uncertainty(open_collection(photos)), atol=1e-6)
    assert "might as well lie elsewhere" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    (layer,) = [one for one in _layers(Shown(run)) if one["title"] == "uncertainty"]
    held = run.assignments()["unit"].to_numpy() == 0
    assert layer["values"][0] == pytest.approx(uncertain[held].mean(), rel=0.01)
    result = invoke("assign", tmp_path / "run", photos, "-o", tmp_path / "where.csv")
    assert result.exit_code == 0, result.output
    assert "uncertainty" in (tmp_path / "where.csv").read_text().splitlines()[0]
    assert (tmp_path / "run" / "figures" / "prototypes.png").is_file()


def test_two_images_are_a_map_of_two_units(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", 2)
    result = invoke("map", photos, "-o", tmp_path / "run", *SHORT)
    assert result.exit_code == 0, result.output
    assert sorted(Run.open(tmp_path / "run").assignments()["unit"].to_pylist()) == [0, 1]


def test_few_texts_are_mapped_in_their_latent_semantics(tmp_path: Path) -> None:
    make_texts(tmp_path / "lines.txt")
    result = invoke("map", tmp_path / "lines.txt", "-o", tmp_path / "run", *SHORT)
    assert result.exit_code == 0, result.output
    assert "texts, too few to learn from: contrastive-som takes latent semantic analysis" in words(
        result.output
    )
    assert Run.open(tmp_path / "run").model().network_ == "lsa"


def test_an_encoder_of_texts_is_trained(tmp_path: Path) -> None:
    make_texts(tmp_path / "lines.txt", 500)
    result = invoke("map", tmp_path / "lines.txt", "-o", tmp_path / "run", *SHORT)
    assert result.exit_code == 0, result.output
    assert "500 texts: contrastive-som, which takes about" in words(result.output)
    assert "--model som makes a plain map of their words" in words(result.output)
    assert Run.open(tmp_path / "run").model().network_ == "dense"


def test_tables_get_the_plain_map(tmp_path: Path) -> None:
    table = make_table(tmp_path / "table.csv")
    result = invoke("map", table, "--columns", "a,b", "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert Run.open(tmp_path / "run").config["model"]["name"] == "som"
    assert "contrastive" not in result.output


@pytest.mark.parametrize(
    "options",
    [
        ("--passes", 2),
        ("--metric", "cosine"),
        ("--scale", "none"),
        ("--algorithm", "online"),
        ("--radius", "2:0.5"),
    ],
)
def test_options_of_som_alone_ask_for_it(tmp_path: Path, options: tuple[object, ...]) -> None:
    photos = make_photos(tmp_path / "photos", 6)
    result = invoke("map", photos, "--grid", "1x2", "-o", tmp_path / "run", *options)
    assert result.exit_code == 0, result.output
    assert Run.open(tmp_path / "run").config["model"]["name"] == "som"
    assert "contrastive" not in result.output


def test_options_that_no_default_has_are_refused(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", 6)
    for options, message in (
        (("--gamma", 1), "--gamma does not apply to --model contrastive-som; allowed: --grid"),
        (("--threshold", 0.9), "(--model somrl, larfdssom, dc-somrl have it)"),
        (("--passes", 2, "--steps", 3), "--steps does not apply to --model som"),
    ):
        result = invoke("map", photos, "-o", tmp_path / "run", *options)
        assert result.exit_code == 2
        assert message in words(result.output.replace("│", " "))


def test_large_texts_are_not_made_dense() -> None:
    def texts(n: int, n_words: int) -> Collection:
        return Collection(
            name="news", kind="text", features=sparse.csr_matrix((n, n_words), dtype=np.float32)
        )

    assert default_map(texts(20_000, 10_000)).model == "contrastive-som"
    assert default_map(texts(30_000, 10_000)).model == "som"


@pytest.mark.parametrize(
    ("changed", "model"),
    [
        ({}, "contrastive-som"),
        ({"features": np.ones((499, 16), np.float32)}, "som"),
        ({"features": np.ones((500, 15), np.float32)}, "som"),
        ({"features": np.where(np.eye(500, 16) > 0, np.nan, 1.0)}, "som"),
        ({"features": sparse.csr_matrix((500, 16), dtype=np.float32)}, "som"),
        ({"feature_names": tuple("abcdefghijklmnop")}, "som"),
    ],
)
def test_long_vectors_without_names_are_learned_from(changed: dict[str, Any], model: str) -> None:
    usual = {"name": "vectors", "kind": "vectors", "features": np.ones((500, 16), np.float32)}
    assert default_map(Collection(**{**usual, **changed})).model == model


def noise(n: int = 600) -> Collection:
    images = np.random.default_rng(0).integers(0, 256, (n, 12, 12, 3), np.uint8)
    return Collection(name="noise", kind="images", features=images)


QUICK: dict[str, Any] = {"n_steps": 10, "device": "cpu", "verbose": False}


def test_the_expected_time_is_that_of_all_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duration, "seconds_of_a_step", lambda *_: 2.0)
    model = ContrastiveSOM((2, 2), 4, batch_size=100, **QUICK)
    before = model.get_params()
    # 10 of the encoder, 4 of both, and 600 images are encoded three times: each costs a third of one of 200 views.
    assert duration.expected_seconds(model, noise()) == pytest.approx(2 * (10 + 4 + 3))
    assert model.get_params() == before
    assert not hasattr(model, "module_")
    model.set_params(n_steps=20, joint_steps=0)
    assert duration.expected_seconds(model, noise()) == pytest.approx(2 * (20 + 3))
    assert duration.expected_seconds(model.set_params(network="gradients"), noise()) == 0.0


def test_the_steps_that_are_timed_say_nothing_of_a_collapse(caplog: pytest.LogCaptureFixture) -> None:
    collection = noise()
    same = np.zeros_like(collection.features)
    same[0] = 255
    model = ContrastiveSOM((2, 2), 4, augmentation="photos", **QUICK)
    assert duration.expected_seconds(model, replace(collection, features=same)) > 0.0
    assert not caplog.records


def test_ctrl_c_ends_the_steps_that_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(contrastive_module, "nt_xent_loss", pressed)
    with pytest.raises(KeyboardInterrupt):
        duration.expected_seconds(ContrastiveSOM((2, 2), 4, **QUICK), noise())


def test_similar_items_are_looked_for_among_as_many_as_in_the_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    among: list[int] = []
    beside = Similar.beside

    def noted(self: Similar, *arguments: Any) -> Any:
        among.append(len(self.known))
        return beside(self, *arguments)

    monkeypatch.setattr(Similar, "beside", noted)
    rows = np.random.default_rng(0).normal(size=(11_000, 16)).astype(np.float32)
    model = ContrastiveSOM((2, 2), 4, hidden=(8,), **QUICK)
    for n in (11_000, 3000):
        some = Collection(name="rows", kind="vectors", features=rows[:n])
        assert duration.expected_seconds(model, some) > 0.0
    assert among == [10_000] * 3 + [3000] * 3
    model.set_params(neighbours=0)
    assert duration.expected_seconds(model, some) > 0.0
    assert len(among) == 6


def test_clusters_without_units_are_refused_before_steps_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(duration, "seconds_of_a_step")
    with pytest.raises(InputError, match="n_clusters=5; allowed: 1 to 4, the number of units"):
        duration.expected_seconds(ContrastiveSOM((2, 2), 4, n_clusters=5, **QUICK), noise())


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3, "10 seconds"), (44, "40 seconds"), (100, "2 minutes"), (5399, "90 minutes"), (9000, "2.5 hours")],
)
def test_durations_are_round(seconds: float, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duration, "expected_seconds", lambda *_: seconds)
    images = np.random.default_rng(0).integers(0, 256, (600, 2, 2, 3), np.uint8)
    line = likely_duration(Collection(name="noise", kind="images", features=images), {})
    assert f"takes about {said} here" in line
