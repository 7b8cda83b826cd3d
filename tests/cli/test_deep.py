"""Deep maps on the command line: whole runs, labels kept out, wrong options, broken files."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from cli.deep_samples import DESOM, assert_same, bars, refused
from cli.samples import invoke, make_photos, make_table, make_texts
from somscope.errors import RunError
from somscope.models.table import MODELS
from somscope.runs import Run


def test_a_run_holds_all_of_the_training(desom_run: Path) -> None:
    run = Run.open(desom_run)
    config = run.config
    assert config["model"]["name"] == "desom"
    assert config["model"]["parameters"]["latent_dim"] == 2
    assert not {"checkpoints", "resume", "training"} & config["model"]["parameters"].keys()
    assert (config["steps"], config["seed"], config["precision"], config["device"]) == (24, 0, "fp32", "cpu")
    assert "passes" not in config
    assert config["stop_reason"] == "completed"
    history = run.history()
    assert history["phase"].to_pylist() == ["joint", "finish"]
    assert {"loss", "reconstruction", "som", "temperature", "unit_perplexity"} <= set(history.column_names)
    rows = [json.loads(line) for line in (desom_run / "metrics.jsonl").read_text().splitlines()]
    assert [row["loss"] for row in rows] == history["loss"].to_pylist()
    assert not (desom_run.parent / "run.checkpoints").exists()
    assert {p.stem for p in (desom_run / "figures").iterdir()} >= {
        "prototypes",
        "training",
        "u_matrix",
        "p_matrix",
    }


def test_the_measures_are_those_of_the_codes(desom_run: Path) -> None:
    run, images = Run.open(desom_run), bars()
    model = run.model()
    codes = model.encode(images).astype(np.float64)
    apart = np.linalg.norm(codes[:, None] - model.prototypes_, axis=2)
    table = run.assignments()
    np.testing.assert_allclose(table["distance"].to_numpy(), apart.min(axis=1), rtol=1e-4, atol=1e-6)
    assert table["unit"].to_pylist() == apart.argmin(axis=1).tolist()
    assert run.metrics["quantization_error"] == pytest.approx(apart.min(axis=1).mean(), rel=1e-4)
    best, second = np.argsort(apart, axis=1)[:, :2].T
    torn = [max(abs(b // 3 - s // 3), abs(b % 3 - s % 3)) > 1 for b, s in zip(best, second, strict=True)]
    assert run.metrics["topographic_error_8"] == pytest.approx(np.mean(torn))
    pixels = images.reshape(96, -1) / 255
    wrong = np.mean((model.decode(model.encode(images)) - pixels) ** 2)
    assert run.metrics["reconstruction_error"] == pytest.approx(wrong, rel=1e-4)
    spread = np.linalg.norm(codes - codes.mean(axis=0), axis=1).mean()
    assert run.metrics["quantization_error"] < spread  # it has learned something


def test_the_report_says_what_the_model_is(desom_run: Path) -> None:
    page = (desom_run / "report.html").read_text(encoding="utf-8")
    text = " ".join(page.split())
    assert "an autoencoder and a map that learn together" in text
    assert "<dt>Reconstruction loss</dt>" in page
    assert "<dt>Order loss</dt>" in page
    assert "mean distance of the members to the prototype (between codes, no unit)" in page
    assert "the topographic errors are measured there" in text
    assert "24 steps of 256 items each" in text
    assert "joint (steps 1 to 20), finish (steps 21 to 24)" in text
    assert "pixels from 0 to 1, squared" in text
    result = invoke("report", desom_run)
    assert result.exit_code == 0, result.output


def test_how_to_repeat_it_repeats_it(
    desom_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from somscope.report.wording import repeat_command, repeat_python

    config = Run.open(desom_run).config
    monkeypatch.chdir(tmp_path)
    exec(repeat_python(config), {})
    assert_same(desom_run, tmp_path / "runs" / "again")
    command = shlex.split(repeat_command(config))
    assert invoke(*command[1:-1], tmp_path / "typed").exit_code == 0
    assert_same(desom_run, tmp_path / "typed")


def test_labels_reach_measures_but_never_the_training(desom_run: Path, folder: Path) -> None:
    (folder / "other.txt").write_text("\n".join("xyz"[i % 3] for i in range(96)))
    for name, labels in (("none", ()), ("other", ("--labels", folder / "other.txt"))):
        result = invoke("map", folder / "bars.npy", *labels, *DESOM, "-o", folder / name)
        assert result.exit_code == 0, result.output
        assert_same(desom_run, folder / name)
    assert "purity" not in Run.open(folder / "none").metrics
    assert Run.open(folder / "other").metrics["purity"] != Run.open(desom_run).metrics["purity"]


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("sgd-som", ("--steps", 30)),
        ("ae-som", ("--steps", 20, "--pretrain", 2, "--latent-dim", 2)),
        ("ae-som", ("--algorithm", "batch", "--radius", 0.5, "--pretrain", 2, "--latent-dim", 2)),
        ("conv-desom", ("--steps", 6, "--latent-dim", 2, "--gamma", 0.01, "--precision", "bf16")),
        ("dpsom", ("--epochs", 1, "--pretrain", 1, "--latent-dim", 2, "--no-toroidal")),
        ("contrastive-som", ("--steps", 3, "--clusters", 2, "--latent-dim", 4, "--precision", "bf16")),
    ],
)
def test_every_model_makes_a_run(folder: Path, model: str, options: tuple[object, ...]) -> None:
    result = invoke(
        "map", folder / "bars.npy", "--model", model, "--grid", "2x3", "--device", "cpu", *options,
        "-o", folder / "run",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    run = Run.open(folder / "run")
    assert run.config["left_out"] == []
    assert not run.lattice.toroidal
    assert ("reconstruction_error" in run.metrics) == (model != "sgd-som")
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    assert ("between codes" in page) == (model != "sgd-som")
    assert "The model" in page
    assert f"The model {model}." not in page
    result = invoke("assign", folder / "run", folder / "bars.npy", "-o", folder / "where.parquet")
    assert result.exit_code == 0, result.output
    table = pq.read_table(folder / "where.parquet")
    assert table["unit"].to_pylist() == run.assignments()["unit"].to_pylist()
    np.testing.assert_allclose(
        table["distance"].to_numpy(), run.assignments()["distance"].to_numpy(), atol=1e-5
    )


def test_new_images_are_brought_into_the_form_of_the_run(tmp_path: Path) -> None:
    """Grey pictures of another size on a map of colour pictures, as for a map of the pixels themselves."""
    photos = make_photos(tmp_path / "photos", 12)
    result = invoke("map", photos, *DESOM, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    from PIL import Image

    (tmp_path / "new").mkdir()
    for i, path in enumerate(sorted(photos.rglob("*.png"))):
        Image.open(path).convert("L").resize((40, 32)).save(tmp_path / "new" / f"{i}.png")
    result = invoke("assign", tmp_path / "run", tmp_path / "new", "-o", tmp_path / "where.csv")
    assert result.exit_code == 0, result.output
    assert len((tmp_path / "where.csv").read_text().splitlines()) == 13


def test_texts(tmp_path: Path) -> None:
    make_texts(tmp_path / "lines.txt")
    result = invoke("map", tmp_path / "lines.txt", *DESOM, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "run")
    assert run.config["left_out"] == []
    assert run.model().decoded_prototypes_.shape == (6, run.config["collection"]["n_features"])
    (tmp_path / "new.txt").write_text("cat sails east\nwind drives dog\n")
    result = invoke("assign", tmp_path / "run", tmp_path / "new.txt", "-o", tmp_path / "where.csv")
    assert result.exit_code == 0, result.output


def test_a_table_and_its_uneven_columns(tmp_path: Path) -> None:
    make_table(tmp_path / "table.csv")
    arguments = ("map", tmp_path / "table.csv", "--columns", "a,b,c", *DESOM)
    result = invoke(*arguments, "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    (warning,) = [w for w in Run.open(tmp_path / "run").config["warnings"] if "spread" in w]
    assert "c by" in warning
    assert warning in result.output
    assert "columns are used as they are" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "run" / "figures" / "component_planes.png").is_file()
    refused(*arguments, "--scale", "standard", "-o", tmp_path / "two", match="does not apply to desom")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            ("--model", "desom", "--algorithm", "online"),
            "--algorithm does not apply to --model desom; allowed: --grid",
        ),
        (("--model", "som", "--latent-dim", 3), "--latent-dim does not apply to --model som"),
        (("--model", "som-vae", "--gamma", 3), "--gamma does not apply to --model som-vae"),
        (
            ("--model", "dpsom", "--steps", 3, "--radius", 1),
            "--radius, --steps do not apply to --model dpsom",
        ),
        (("--model", "ae-som", "--radius", 1), "--radius of --model ae-som needs --algorithm batch"),
        (("--model", "ae-som", "--algorithm", "batch", "--steps", 5), "--steps does not apply"),
        (("--model", "ae-som", "--algorithm", "online"), "method='online' is not known; allowed: sgd, batch"),
        (("--model", "desmo"), "did you mean 'desom'?"),
        (("--model", "desom", "--latent-dim", 0), "--latent-dim=0; allowed: a whole number from 1"),
        (("--model", "desom", "--steps", 0), "--steps=0; allowed: a whole number from 1"),
        (("--model", "desom", "--gamma", -1), "gamma=-1.0; allowed: a number from 0"),
        (("--model", "desom", "--radius", "5:1"), "--radius=(5.0, 1.0); allowed: a number above 0"),
        (("--model", "desom", "--grid", "10x10"), "100 units for 96 items"),
        (("--model", "som", "--algorithm", "online", "--resume"), "som writes no checkpoints"),
    ],
)
def test_wrong_options(folder: Path, options: tuple[object, ...], match: str) -> None:
    refused("map", folder / "bars.npy", *options, "-o", folder / "run", match=match)
    assert sorted(p.name for p in folder.iterdir()) == ["bars.npy", "labels.txt"]


def test_sides_that_cannot_be_halved(folder: Path) -> None:
    np.save(folder / "ten.npy", np.tile(bars(), (1, 2, 2, 1))[:, :10, :10])
    arguments = ("map", folder / "ten.npy", "--model", "conv-desom", "--grid", "2x3", "-o", folder / "run")
    refused(*arguments, match="a side of 10 pixels cannot be halved 3 times")
    assert not (folder / "run.checkpoints").exists()


def test_constant_items(folder: Path) -> None:
    np.save(folder / "flat.npy", np.full((20, 8, 8, 1), 7, np.uint8))
    refused("map", folder / "flat.npy", *DESOM, "-o", folder / "run", match="all 20 items are equal")


def test_a_collapsed_map_is_a_warning_everywhere(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from somscope.training import loop

    monkeypatch.setattr(loop, "_COLLAPSED", 100.0)  # so that using all of six units is called one
    result = invoke("map", folder / "bars.npy", *DESOM, "-o", folder / "run")
    assert result.exit_code == 0, result.output
    warning = Run.open(folder / "run").config["warnings"][0]
    assert "the map has collapsed, it uses" in warning
    assert Run.open(folder / "run").model().warnings_[0] == warning
    assert f"warning: {warning}" in result.output
    assert "the map has collapsed, it uses" in (folder / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_broken_runs_are_named(desom_run: Path, tmp_path: Path, name: str) -> None:
    run = shutil.copytree(desom_run, tmp_path / "run")
    content = (run / name).read_bytes()
    (run / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match=str(run)):
        Run.open(run).model()
    refused("report", run, match="run")
    (run / name).unlink()
    with pytest.raises(RunError, match=f"{name} is missing"):
        Run.open(run)


def test_a_run_that_names_another_model_is_refused(desom_run: Path, tmp_path: Path) -> None:
    run = shutil.copytree(desom_run, tmp_path / "run")
    config = json.loads((run / "config.json").read_text())
    for model, match in (("som", "written by somscope as 'som'"), ("umap", ", ".join(MODELS))):
        config["model"]["name"] = model
        (run / "config.json").write_text(json.dumps(config))
        with pytest.raises(RunError, match=match):
            Run.open(run).model()
