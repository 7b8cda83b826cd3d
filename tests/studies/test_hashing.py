"""The study of binary codes on small images, and its result file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from somscope.cli.main import app
from somscope.codes import LSH
from somscope.data import Collection
from somscope.errors import RunError
from somscope.models.contrastive_hash import ContrastiveHash
from somscope.studies import hashing_cifar10 as study
from somscope.studies.hashing_cells import how_far
from somscope.studies.hashing_tables import BITS, CLASSICAL, METHODS
from somscope.studies.table import markdown

RESULT = Path(__file__).parents[2] / "results" / "hashing-cifar10.json"


def small() -> study.Images:
    """Images of four classes, each with stripes of its own, and noise."""
    random = np.random.default_rng(0)
    parts = []
    for name, n in (("train", 120), ("test", 30)):
        labels = random.integers(4, size=n)
        y, x = np.mgrid[:12, :12]
        waves = np.stack([np.sin(x), np.sin(y), np.sin(x + y), np.sin(x / 3)])[labels]
        pixels = 127 + 60 * waves[..., None] + random.normal(0, 25, size=(n, 12, 12, 3))
        parts.append(Collection(name, "images", pixels.clip(0, 255).astype(np.uint8), labels=labels))
    return study.Images(*parts)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    patches = study.KMeansPatches
    monkeypatch.setattr(
        study, "KMeansPatches", lambda random_state: patches(8, n_patches=200, random_state=0)
    )
    monkeypatch.setattr(study, "read_images", small)


def test_methods_are_every_coder_on_its_features_with_all_bits() -> None:
    assert len(study.methods()) == sum(len(features) for features in METHODS.values()) * len(BITS)
    assert [m.bits for m in study.methods(["itq"], ["gist"])] == [16, 32, 64]
    assert study.methods(["itq"], ["images"]) == []


def test_every_row_beats_chance_and_stays_in_the_file(tmp_path: Path, quick: None) -> None:
    said: list[str] = []
    asked = study.methods(features=CLASSICAL, bits=[16])  # networks have tests of their own
    *_, content = study.hashing_cifar10(range(2), asked, tmp_path, said.append, read=small)
    assert [(row["model"], row["features"], row["bits"]) for row in content["rows"]] == [
        (m.model, m.features, m.bits) for m in asked
    ]
    for row in content["rows"]:
        assert row["measures"]["map_at_all"]["mean"] > 0.3  # a quarter by chance
        assert row["measures"]["effective_bits"]["mean"] > 8
        assert row["seeds"] == [0, 1]
    assert any(line.startswith("itq on pixels, 16 bits: mAP@1000") for line in said)
    assert len(list(tmp_path.glob("*.npy"))) == 4  # two features of two parts
    assert len(list(tmp_path.glob("*.json"))) == 2 * len(asked)
    again = list(
        study.hashing_cifar10(
            range(1), study.methods(["itq"], ["gist"], [32]), tmp_path, said.append, content, small
        )
    )[-1]
    assert len(again["rows"]) == len(content["rows"]) + 1
    assert all(row in again["rows"] for row in content["rows"])
    text = markdown(json.loads(json.dumps(again)))
    assert "| dbd-mq, published |  | 21.53 | 26.50 | 31.85 |" in text
    assert "JPEG copy" in text


def test_finished_cells_are_read_and_more_seeds_add_to_them(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []
    lsh = study.coder_class("lsh")

    class Counting(lsh):  # type: ignore[misc, valid-type]
        def fit(self, X, y=None):  # type: ignore[no-untyped-def]
            fitted.append(self.random_state)
            return super().fit(X, y)

    monkeypatch.setattr(study, "coder_class", lambda name: Counting)
    asked = study.methods(["lsh"], ["pixels"], [16])

    def run(seeds: range, previous: dict | None = None) -> dict:
        return list(study.hashing_cifar10(seeds, asked, tmp_path, lambda text: None, previous, small))[-1]

    one = run(range(1))
    three = run(range(3), one)
    assert fitted == [0, 1, 2]
    assert three["rows"][0]["seeds"] == [0, 1, 2]
    assert three["rows"][0]["measures"]["map_at_all"]["std"] > 0
    assert run(range(1), three)["rows"] == three["rows"]
    for path in tmp_path.glob("*~2.json"):
        path.unlink()
    assert run(range(1), three)["rows"] == three["rows"]  # over more seeds than are here
    path = tmp_path / "lsh~default~pixels~16~0.json"
    path.write_text("{}")
    with pytest.raises(RunError, match="move it away"):
        run(range(1))


def test_how_far_a_network_was_trained_is_told() -> None:
    images = np.random.default_rng(0).integers(256, size=(40, 16, 16, 3), dtype=np.uint8)
    coder = ContrastiveHash(16, n_epochs=3, batch_size=20, latent_dim=4, device="cpu", verbose=False).fit(
        images
    )
    assert {name: how_far(coder)[name] for name in ("steps", "epochs", "stop_reason")} == {
        "steps": 6, "epochs": 3, "stop_reason": "completed",
    }  # fmt: skip
    assert how_far(LSH(16)) == {}
    row = json.loads(RESULT.read_text())["rows"][0]
    for reason, said in (("completed", False), ("interrupted", True)):
        trained = {"steps": 1225, "stop_reason": reason}
        (line,) = study._table("map_at_all", "mAP@all", [{**row, "trained": trained}])["lines"]
        assert ("(stopped after 1,225 steps)" in " ".join(line)) == said


def test_networks_have_variants_of_their_epochs() -> None:
    (bingan,) = study.methods(["bingan"], ["images"], [16], epochs=3, precision="bf16")
    assert bingan.key == ("bingan", "3 epochs", "images", 16)
    assert bingan.options == {"precision": "bf16", "n_epochs": 3}
    assert study.methods(["itq"], ["gist"], [16], epochs=3)[0].variant == "default"


def test_labels_do_not_reach_a_coder(quick: None) -> None:
    images = small()
    assert study._features("images", images, Path(), print)[0].labels is None


def test_the_command_writes_the_file_row_by_row(
    tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study.hashing_cifar10, "__defaults__", (None, small))
    out = tmp_path / "hashing-cifar10.json"
    options = ["study", "hashing-cifar10", "--features", "pixels", "--seeds", "1", "-o", str(out)]
    done = CliRunner().invoke(app, [*options, "--models", "itq,lsh", "--bits", "16"])
    assert done.exit_code == 0, done.output
    assert "CIFAR-10 (JPEG copy), mAP@1000 in percent" in done.output
    assert [(row["model"], row["bits"]) for row in json.loads(out.read_text())["rows"]] == [
        ("lsh", 16),
        ("itq", 16),
    ]
    wrong = CliRunner().invoke(app, [*options, "--models", "kmh"])
    assert wrong.exit_code == 2
    assert "allowed: lsh, pcah, spectral, itq" in wrong.output


# Measured before this code was written, by other code, with one seed: mAP@1000 in percent at 16, 32 and 64 bits.
EARLIER = {
    ("itq", "pixels"): (18.7, 20.4, 21.6),
    ("itq", "gist"): (24.3, 26.4, 28.6),
    ("itq", "kmeans"): (24.2, 27.0, 28.9),
    ("lsh", "pixels"): (15.0, 17.2, 19.5),
    ("lsh", "gist"): (17.2, 20.9, 23.0),
    ("lsh", "kmeans"): (18.9, 21.4, 24.7),
}


@pytest.mark.skipif(not RESULT.is_file(), reason="the study has not been run on this tree")
@pytest.mark.parametrize(
    ("model", "features"),
    [
        pytest.param(
            *key,
            marks=pytest.mark.xfail(
                key == ("itq", "kmeans"),
                reason="0.4 to 0.7 points above what was measured before",
                strict=True,
            ),
        )
        for key in EARLIER
    ],
)
def test_the_committed_rows_are_those_that_were_measured_before(model: str, features: str) -> None:
    rows = json.loads(RESULT.read_text())["rows"]
    found = {
        row["bits"]: 100 * row["measures"]["map_at_1000"]["mean"]
        for row in rows
        if (row["model"], row["features"]) == (model, features)
    }
    assert sorted(found) == list(BITS)
    near = {"itq": 0.5, "lsh": 1.0}[model]
    assert [found[bits] for bits in BITS] == pytest.approx(EARLIER[model, features], abs=near)
