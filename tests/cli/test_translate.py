"""From images to pairs, to a translator, to translations and their audit, on the command line."""

from __future__ import annotations

import json
import logging
import re
import shutil
import signal

import numpy as np
import pytest
import torch
from PIL import Image

from cli.samples import invoke
from somscope import Pix2Pix
from somscope.audit import read_pix2pix
from somscope.models.pix2pix_module import Pix2PixTask
from somscope.nets.generators import Architecture
from somscope.nets.official import write_generator

QUICK = ["--filters", 2, "--layers", 1, "--epochs", 1, "--decay", 1, "--batch-size", 8, "--device", "cpu"]


def disks(folder, n=30, side=16):
    """Bright disks on black, in colour."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side]
    folder.mkdir(parents=True)
    for i in range(n):
        away = np.hypot(y - side / 2 - rng.normal(), x - side / 2 - rng.normal())
        pixels = (away < rng.uniform(3, 6))[..., None] * rng.integers(150, 256, 3)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"d{i:02}.png")
    return folder


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with images, pairs of edges and disks, and a run."""
    folder = tmp_path_factory.mktemp("translate")
    disks(folder / "images")
    made = invoke("pairs", "edges", folder / "images", "-o", folder / "pairs", "--test", 0.4)
    assert made.exit_code == 0, made.output
    trained = invoke(
        "translate", "train", folder / "pairs", "-o", folder / "run", "--names", "edges,disks", *QUICK
    )
    assert trained.exit_code == 0, trained.output
    assert "reading" in trained.stderr
    return folder


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_pairs_are_halves_of_files(work):
    train, test = names(work / "pairs" / "train"), names(work / "pairs" / "test")
    assert (len(train), len(test)) == (18, 12)
    assert sorted(train + test) == [f"d{i:02}.png" for i in range(30)]
    whole = pixels(work / "pairs" / "train" / train[0])
    assert whole.shape == (16, 32, 3)
    assert np.array_equal(whole[:, 16:], pixels(work / "images" / train[0]))
    assert set(np.unique(whole[:, :16])) == {0, 255}


@pytest.mark.parametrize("kind", ["grey", "inpaint", "downsample"])
def test_other_pairs(work, tmp_path, kind):
    shutil.copytree(work / "images", tmp_path / "images")
    (tmp_path / "images" / "d99.png").write_bytes(b"no image")
    result = invoke("pairs", kind, tmp_path / "images", "-o", tmp_path / "p", "--test", 0)
    assert result.exit_code == 0, result.output
    assert "1 files cannot be used, such as d99.png: not an image" in result.stderr
    assert names(tmp_path / "p") == ["config.json", "train"]
    assert len(names(tmp_path / "p" / "train")) == 30


def test_a_run_is_whole(work):
    assert names(work / "run") == [
        "config.json", "domains.json", "figures", "history.parquet", "metrics.jsonl", "model.json", "model.safetensors",
        "report.html",
    ]  # fmt: skip
    assert names(work / "run" / "figures") == ["training-pairs.png", "training.png"]
    assert not (work / "run.checkpoints").exists()
    config = json.loads((work / "run" / "config.json").read_text())
    assert config["stop_reason"] == "completed"
    assert config["model"]["parameters"]["domain_names"] == ["edges", "disks"]
    assert config["architecture"]["name"] == "unet_16"
    assert config["image_size"] == [16, 16]
    assert config["pairs"]["n"] == 18
    assert config["command"][:3] == ["somscope", "translate", "train"]
    assert config["left_out"] == []


def test_the_report_of_a_run(work):
    page = (work / "run" / "report.html").read_text()
    assert "<h1>From edges to disks</h1>" in page
    assert "trained AtoB on 18 pairs of" in page
    assert page.count("<figcaption>") == 6  # loss, gan, l1, two of the discriminator, learning rate
    assert "L1 distance to the target (the range is 2)" in page
    assert "both log 2 = 0.69" in page
    domains = json.loads((work / "run" / "domains.json").read_text())
    row = re.search(r"contrast \(deviation of grey\)</th>(.*?)</tr>", page)[1]
    medians = [f"{np.median(domains[part]['contrast']):.3f}" for part in ("source", "target")]
    assert re.findall(r">([\d.]+)</td>", row) == medians
    assert medians[0] != medians[1]
    assert "unet_16, batch norm, 2 filters, 3 to 3 channels, with dropout" in page
    assert page.count("data:image/png;base64,") == 1
    assert not re.search(r"<script|src=.http|href=.http", page)


def test_the_report_is_written_again(work, tmp_path):
    shutil.copytree(work / "run", tmp_path / "run")
    (tmp_path / "run" / "report.html").unlink()
    result = invoke("report", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "report.html").read_text() == (work / "run" / "report.html").read_text()
    (tmp_path / "run" / "figures" / "training-pairs.png").unlink()
    result = invoke("report", tmp_path / "run")
    assert result.exit_code == 2
    assert "is not a whole run of a translator: FileNotFoundError" in result.stderr


def test_names_cannot_become_markup(work, tmp_path):
    bad = "<script>alert(1)</script>"
    result = invoke(
        "translate", "train", work / "pairs", "-o", tmp_path / "run", "--names", f"{bad},b", *QUICK
    )
    assert result.exit_code == 0, result.output
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_translations_in_the_official_layout(work, tmp_path):
    result = invoke(
        "translate", "apply", work / "run", work / "pairs" / "test", "--aligned", "-o", tmp_path / "out"
    )
    assert result.exit_code == 0, result.output
    assert "12 images" in result.stdout
    images = tmp_path / "out" / "images"
    assert len(names(images)) == 36
    model = Pix2Pix.load(work / "run")
    for name in names(work / "pairs" / "test"):
        whole, stem = pixels(work / "pairs" / "test" / name), name.removesuffix(".png")
        assert np.array_equal(pixels(images / f"{stem}_real_A.png"), whole[:, :16])
        assert np.array_equal(pixels(images / f"{stem}_real_B.png"), whole[:, 16:])
        found = pixels(images / f"{stem}_fake_B.png").astype(int)
        assert np.abs(found - model.transform(whole[None, :, :16])[0]).max() <= 1
    assert read_pix2pix(tmp_path / "out").n_pairs == 12
    assert pixels(tmp_path / "out" / "contact-sheet.png").shape[1] > 300
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert (config["mode"], config["warning"], config["n_images"]) == ("deterministic", None, 12)


def test_images_whose_names_differ_in_the_extension_keep_files_of_their_own(work, tmp_path):
    disks(tmp_path / "images", 4)
    for number, name in enumerate(["a.png", "a.bmp", "a.png.png", "b.png"]):
        with Image.open(tmp_path / "images" / f"d{number:02}.png") as image:
            image.save(tmp_path / "images" / name)
        (tmp_path / "images" / f"d{number:02}.png").unlink()
    result = invoke("translate", "apply", work / "run", tmp_path / "images", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    made = [name.removesuffix("_fake_B.png") for name in names(tmp_path / "out" / "images") if "fake" in name]
    assert sorted(made) == ["a.bmp", "a.png", "a.png.png", "b"]


def test_pairs_that_are_given_as_images_are_noticed(work, tmp_path):
    result = invoke("translate", "apply", work / "run", work / "pairs" / "test", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "are twice as wide as those that it takes: if they are pairs, give --aligned" in result.stderr
    result = invoke("translate", "apply", work / "run", work / "images", "-o", tmp_path / "more")
    assert "twice as wide" not in result.stderr


def test_images_of_the_target_domain_are_noticed(work, tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        result = invoke("translate", "apply", work / "run", work / "images", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    said = [r.getMessage() for r in caplog.records if "look like" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(
        "these images look like the disks that the generator makes, not like the edges that it takes: 100% of them"
    )
    assert json.loads((tmp_path / "out" / "config.json").read_text())["warning"] == said[0]
    assert "trained AtoB" in said[0]


def test_a_file_of_the_authors_code(work, tmp_path):
    Pix2Pix.load(work / "run").export_official(tmp_path / "latest_net_G.pth")
    arguments = ["translate", "apply", tmp_path / "latest_net_G.pth", work / "pairs" / "test", "--aligned"]
    result = invoke(
        *arguments, "-o", tmp_path / "out", "--arch", "unet_16", "--mode", "official", "--seed", 3
    )
    assert result.exit_code == 0, result.output
    assert "latest_net_G.pth: inferred from the keys: unet_16, batch norm, 2 filters" in result.stderr
    assert len(names(tmp_path / "out" / "images")) == 36
    result = invoke(*arguments, "-o", tmp_path / "turned", "--direction", "BtoA")
    assert result.exit_code == 0, result.output
    first = names(tmp_path / "turned" / "images")[0].replace("fake_B", "real_A")
    whole = pixels(work / "pairs" / "test" / first.replace("_real_A", ""))
    assert np.array_equal(pixels(tmp_path / "turned" / "images" / first), whole[:, 16:])
    result = invoke(*arguments, "-o", tmp_path / "other", "--arch", "unet_256")
    assert result.exit_code == 2
    assert "holds unet_16, batch norm, 2 filters, 3 to 3 channels, not unet_256" in result.stderr


def test_images_of_two_channels_are_no_files(work, tmp_path):
    net = Architecture("unet_16", out_channels=2, filters=2).build()
    write_generator(tmp_path / "latest_net_G.pth", net.state_dict())
    result = invoke(
        "translate", "apply", tmp_path / "latest_net_G.pth", work / "images", "-o", tmp_path / "out"
    )
    assert result.exit_code == 2, result.output
    assert "latest_net_G makes images of 2 channels; allowed: 1 (grey) or 3 (colour)" in result.stderr
    assert names(tmp_path) == ["latest_net_G.pth"]


def test_a_malicious_file_is_refused(work, tmp_path):
    class Malicious:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    torch.save({"model.model.0.weight": Malicious()}, tmp_path / "latest_net_G.pth")
    result = invoke(
        "translate", "apply", tmp_path / "latest_net_G.pth", work / "images", "-o", tmp_path / "out"
    )
    assert result.exit_code == 2
    assert "is refused: it holds more than weights, and could execute code" in result.stderr
    assert names(tmp_path) == ["latest_net_G.pth"]


def test_apply_and_audit_in_one_go(work, tmp_path):
    result = invoke("translate", "audit", work / "run", work / "pairs", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert names(tmp_path / "out") == ["audit", "config.json", "contact-sheet.png", "images"]
    assert (tmp_path / "out" / "audit" / "report.html").is_file()
    assert json.loads((tmp_path / "out" / "audit" / "audit.json").read_text())["name"] == "run"
    assert "Can outputs be told from real images?" in result.stdout


def test_two_folders_and_the_other_direction(work, tmp_path):
    for side in ("a", "b"):
        (tmp_path / side).mkdir()
    for name in names(work / "pairs" / "train"):
        whole = pixels(work / "pairs" / "train" / name)
        Image.fromarray(whole[:, :16]).save(tmp_path / "a" / name)
        Image.fromarray(whole[:, 16:]).save(tmp_path / "b" / name)
    disks(tmp_path / "more", 31)
    (tmp_path / "more" / "d30.png").rename(tmp_path / "b" / "alone.png")
    sides = ["--source", tmp_path / "a", "--target", tmp_path / "b"]
    result = invoke(
        "translate", "train", *sides, "-o", tmp_path / "run", "--direction", "BtoA", "--limit", 6, *QUICK
    )
    assert result.exit_code == 0, result.output
    assert "1 of b without a partner (alone.png)" in result.stderr
    model = Pix2Pix.load(tmp_path / "run")
    assert model.direction == "BtoA"
    result = invoke(
        "translate", "apply", tmp_path / "run", tmp_path / "b", "-o", tmp_path / "o", "--direction", "AtoB"
    )
    assert result.exit_code == 2
    assert "was trained with 'BtoA'; a trained model goes one way: train another one" in result.stderr


def test_an_interrupted_training_is_gone_on_with(work, tmp_path, monkeypatch):
    update = Pix2PixTask.update

    def interrupted(self, batch, step, engine):
        if step == 3:
            raise KeyboardInterrupt
        return update(self, batch, step, engine)

    arguments = [
        "translate",
        "train",
        work / "pairs",
        "-o",
        tmp_path / "run",
        "--names",
        "edges,disks",
        *QUICK,
    ]
    monkeypatch.setattr(Pix2PixTask, "update", interrupted)
    monkeypatch.setattr("somscope.training.saver.Saver.due", lambda *_, **__: True)
    assert invoke(*arguments).exit_code == 130
    assert not (tmp_path / "run").exists()
    monkeypatch.undo()
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert "--resume goes on with it, --overwrite begins anew" in result.stderr
    result = invoke(*arguments, "--resume")
    assert result.exit_code == 0, result.output
    wanted, found = (Pix2Pix.load(run).module_.state_dict() for run in (work / "run", tmp_path / "run"))
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_ctrl_c_keeps_what_was_learned_and_resume_comes_to_the_same_bits(work, tmp_path, monkeypatch):
    update = Pix2PixTask.update

    def pressed(self, batch, step, engine):
        if step == 3:
            signal.raise_signal(signal.SIGINT)
        return update(self, batch, step, engine)

    arguments = ["translate", "train", work / "pairs", "-o", tmp_path / "run", "--names", "edges,disks"]
    monkeypatch.setattr(Pix2PixTask, "update", pressed)
    result = invoke(*arguments, *QUICK)
    monkeypatch.undo()
    assert result.exit_code == 0, result.output
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["stop_reason"] == "interrupted"
    assert 0 < config["steps"] < json.loads((work / "run" / "config.json").read_text())["steps"]
    result = invoke(*arguments, *QUICK)
    assert result.exit_code == 2
    assert "--resume goes on with it, --overwrite begins anew" in result.stderr
    result = invoke(*arguments, *QUICK, "--resume")
    assert result.exit_code == 0, result.output
    wanted, found = (Pix2Pix.load(run).module_.state_dict() for run in (work / "run", tmp_path / "run"))
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "give a folder of pairs, or --source and --target"),
        (["train", "{work}/pairs", "--names", "one"], "--names=('one',); allowed: two names"),
        (["train", "{work}/pairs", "--epochs", "0", "--decay", "0"], "--epochs and --decay are both 0"),
        (["train", "{work}/pairs", "--layers", "3"], "with --layers=3, which needs 24; give fewer"),
        (["train", "{work}/pairs", "--image-size", "x"], "--image-size='x': give pixels"),
        (["train", "{work}/pairs", "--pool", "1", "--batch-size", "2"], "--pool=1; allowed: 0, or at least"),
        (["train", "{work}/pairs", "--generator", "vae"], "generator 'vae' is not known"),
        (["train", "{work}/empty"], "is an empty folder; images are files ending in"),
        (["train", "{work}/nothing"], "nothing is not a folder of images"),
        (["apply", "{work}/pairs", "{work}/images", "-o", "{out}/o"], "holds no translator: give a run of"),
        (["apply", "{work}/run", "{work}/empty", "-o", "{out}/o"], "is an empty folder"),
        (
            ["apply", "{work}/run", "{work}/images", "-o", "{work}/pairs"],
            "pairs exists: choose another output folder",
        ),
        (["apply", "{work}/none.pth", "{work}/images", "-o", "{out}/o"], "none.pth is missing"),
        (
            ["apply", "{work}/run", "{work}/images", "-o", "{work}/run", "--overwrite"],
            "run holds what is read",
        ),
        (
            ["audit", "{work}/run", "{work}/pairs/test", "-o", "{work}/pairs", "--overwrite"],
            "pairs/test: choose another output folder",
        ),
        (["train", "{work}/pairs/train", "--overwrite"], "pairs holds what is read"),
        (["audit", "{work}/run"], "give a folder of pairs, or --source and --target"),
    ],
    ids=str,
)
def test_what_is_refused(work, tmp_path, arguments, message):
    (work / "empty").mkdir(exist_ok=True)
    filled = [argument.format(work=work, out=tmp_path) for argument in arguments]
    if filled[0] == "train":
        filled += ["-o", str(work / "pairs" if "--overwrite" in filled else tmp_path / "run")]
    result = invoke("translate", *filled)
    assert result.exit_code == 2, result.output
    assert message in " ".join(result.stderr.split())
    assert not names(tmp_path)


def test_statistics_that_were_edited(work, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(work / "run", run)
    for text in ('{"source": 1}', '{"source": {}, "target": {}}', "nonsense"):
        (run / "domains.json").write_text(text)
        result = invoke("translate", "apply", run, work / "images", "-o", tmp_path / "out")
        assert result.exit_code == 2
        assert "domains.json" in result.stderr


def test_vectors_make_no_pairs(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    result = invoke("pairs", "edges", tmp_path / "t.csv", "-o", tmp_path / "p")
    assert result.exit_code == 2
    assert "holds vectors, not images; pairs are made of images" in result.stderr
