"""somscope codes, search and duplicates, run on small images."""

from __future__ import annotations

import json
import signal
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cli.samples import invoke, make_table
from somscope import coding, duplicates
from somscope.codes import LSH, CodeIndex, KMeansPatches, hamming_distances
from somscope.codes import coder as coder_module
from somscope.coding import bit_correlation, code_collection
from somscope.data import Collection
from somscope.duplicates import duplicate_groups
from somscope.errors import DataError, InputError, RunError
from somscope.runs.code_run import CodeRun
from somscope.searching import search_image
from somscope.training import saver


def scenes(n: int, seed: int = 0, side: int = 48) -> np.ndarray:
    """(n, side, side, 3): soft spots at random places, no two alike."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    found = np.zeros((n, side, side, 3))
    for _ in range(12):
        cy, cx, size = random.random((3, n, 1, 1)) * [[[[1]]], [[[1]]], [[[0.15]]]] + [
            [[[0]]],
            [[[0]]],
            [[[0.04]]],
        ]
        spot = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / (2 * size**2))
        found += spot[..., None] * random.uniform(-130, 130, size=(n, 1, 1, 1)) + 0
    return (127 + found).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty scenes; of 03 a copy that is smaller and a JPEG, of 05 one that is darker."""
    folder = tmp_path_factory.mktemp("photos")
    for i, pixels in enumerate(scenes(30)):
        Image.fromarray(pixels).save(folder / f"{i:02}.png")
    image = Image.open(folder / "03.png")
    image.resize((40, 40)).save(folder / "copy.jpg", quality=80)
    Image.fromarray((np.asarray(Image.open(folder / "05.png")) * 0.8).astype(np.uint8)).save(
        folder / "darker.png"
    )
    return folder


@pytest.fixture(scope="module")
def run(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("codes") / "run"
    done = invoke("codes", photos, "--bits", 16, "--image-size", 24, "-o", path)
    assert done.exit_code == 0, done.output
    assert "32 codes of 16 bits (16 effective), 2 bytes each" in done.output
    return path


def test_a_run_of_codes_holds_all_that_is_needed(run: Path) -> None:
    assert {path.name for path in run.iterdir()} == {
        "config.json", "metrics.json", "model.json", "model.safetensors", "codes.index", "items.parquet", "figures",
        "report.html",
    }  # fmt: skip
    opened = CodeRun.open(run)
    assert len(opened.index) == 32
    assert opened.index.fingerprint == opened.encoder.fingerprint == opened.config["codes"]["fingerprint"]
    assert opened.config["command"][:2] == ["somscope", "codes"]
    assert opened.metrics()["effective_bits"] == 16
    page = (run / "report.html").read_text()
    assert page.count("<h2>") == 7  # the bits, and six examples
    assert "http" not in page.replace("http-equiv", "")


def test_search_finds_the_image_itself_and_then_its_copy(run: Path, photos: Path, tmp_path: Path) -> None:
    done = invoke("search", run, photos / "03.png", "-k", 3, "-o", tmp_path / "found.html")
    assert done.exit_code == 0, done.output
    hits = search_image(CodeRun.open(run), photos / "03.png", 32)
    assert {hit.id for hit in hits[:2]} == {"03.png", "copy.jpg"}
    assert hits[0].distance == 0
    assert hits[1].distance <= 2 < hits[-1].distance
    assert [hit.distance for hit in hits] == sorted(hit.distance for hit in hits)
    page = (tmp_path / "found.html").read_text()
    assert page.index("<h2>Query") < page.index("03.png<br>") < page.index("<h2>Nearest")
    assert page.count("<img") == 4
    assert invoke("search", run, photos / "03.png", "-o", tmp_path / "found.html").exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-k", "33"), "the index holds 32 codes"),
        (("-k", "0"), "allowed are whole numbers from 1"),
    ],
)
def test_a_search_that_makes_no_sense(
    run: Path, photos: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = invoke("search", run, photos / "03.png", *arguments)
    assert done.exit_code == 2
    assert message in done.output


def test_what_is_no_image_is_named(run: Path, tmp_path: Path) -> None:
    opened = CodeRun.open(run)
    with pytest.raises(DataError, match="does not exist"):
        search_image(opened, tmp_path / "away.png", 1)
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"broken\.png"):
        search_image(opened, tmp_path / "broken.png", 1)


def test_an_index_of_another_coder_is_refused(run: Path, photos: Path, tmp_path: Path) -> None:
    copy = tmp_path / "run"
    copy.mkdir()
    for path in run.iterdir():
        if path.is_file():
            (copy / path.name).write_bytes(path.read_bytes())
    other = CodeIndex(16, fingerprint="00" * 32)
    other.add(CodeRun.open(run).index.codes)
    other.save(copy / "codes.index")
    with pytest.raises(InputError, match="another coder"):
        search_image(CodeRun.open(copy), photos / "03.png", 1)


def test_a_run_of_a_map_is_no_run_of_codes(photo_run: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="not a run of codes"):
        CodeRun.open(photo_run)
    with pytest.raises(RunError, match=r"no config\.json"):
        CodeRun.open(tmp_path)


@pytest.mark.parametrize("features", ["gist", "kmeans"])
def test_features_are_kept_with_the_run(
    features: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = partial(KMeansPatches, 10, n_patches=500)
    monkeypatch.setattr("somscope.runs.code_run.KMeansPatches", fewer)
    collection = Collection("scenes", "images", scenes(40, side=12))
    run = code_collection(collection, tmp_path / "run", "lsh", 16, features)
    again = CodeRun.open(tmp_path / "run")
    assert np.array_equal(again.encoder.encode(collection), again.index.codes)
    assert (tmp_path / "run" / "features" / "model.json").is_file()
    assert run.config["codes"]["features"]["name"] == features


def test_the_network_of_a_run_can_stand_before_a_coder(photos: Path, tmp_path: Path) -> None:
    done = invoke(
        "map", photos, "-o", tmp_path / "map", "--model", "ae-som", "--grid", "2x2", "--pretrain", 2, "--steps", 10,
        "--image-size", 12,
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    done = invoke(
        "codes",
        photos,
        "-o",
        tmp_path / "codes",
        "--features",
        tmp_path / "map",
        "--bits",
        8,
        "--image-size",
        12,
    )
    assert done.exit_code == 0, done.output
    run = CodeRun.open(tmp_path / "codes")
    assert run.config["codes"]["features"]["model"] == "ae-som"
    assert search_image(run, photos / "07.png", 32)[0].distance == 0


def test_vectors_have_codes_but_no_pictures(tmp_path: Path) -> None:
    table = make_table(tmp_path / "table.csv")
    done = invoke("codes", table, "--bits", 8, "--model", "pcah", "-o", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert "bits are the same for all" in " ".join(done.output.split())
    with pytest.raises(InputError, match="only images can be looked up"):
        search_image(CodeRun.open(tmp_path / "run"), table, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--bits", "12"), "positive multiple of 8"),
        (("--model", "som"), "allowed: "),
        (("--features", "sift"), "allowed: pixels, gist, kmeans"),
        (("--model", "bingan", "--features", "gist"), "bingan learns from images as they are, not from gist"),
    ],
)
def test_wrong_options_leave_no_run(
    photos: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    done = invoke("codes", photos, "-o", tmp_path / "run", *options)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert not (tmp_path / "run").exists()


def test_duplicates_are_the_copies_and_nothing_else(photos: Path, tmp_path: Path) -> None:
    done = invoke("duplicates", photos, "-o", tmp_path / "sheet.html")
    assert done.exit_code == 0, done.output
    assert "2 groups with 4 of 32 images" in done.output
    assert "03.png (0), copy.jpg" in done.output
    assert "05.png (0), darker.png" in done.output
    assert (tmp_path / "sheet.html").read_text().count("<img") == 4


def test_duplicates_in_an_array(tmp_path: Path) -> None:
    images = scenes(6)
    np.save(tmp_path / "images.npy", np.concatenate([images, images[2:3]]))
    done = invoke("duplicates", tmp_path / "images.npy")
    assert done.exit_code == 0, done.output
    assert "1 group with 2 of 7 images" in done.output
    assert "2 (0), 6 (0)" in done.output
    np.save(tmp_path / "rows.npy", np.eye(9))
    refused = invoke("duplicates", tmp_path / "rows.npy")
    assert refused.exit_code == 2
    assert "rows holds vectors; duplicates are looked for among images" in refused.output
    refused = invoke("duplicates", tmp_path / "images.npy", "--image-size", 32)
    assert "unknown option --image-size for npy file" in refused.output


@given(st.integers(0, 10**6), st.integers(0, 5), st.integers(1, 4))
def test_groups_are_the_chains_of_near_codes(seed: int, radius: int, block: int) -> None:
    codes = np.random.default_rng(seed).integers(256, size=(24, 2), dtype=np.uint8)
    codes[12:18] = codes[:6]
    near = hamming_distances(codes, codes) <= radius
    for _ in range(5):  # paths of up to 32 steps
        near = near @ near
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "_LEAST_BLOCK", block)
        patch.setattr(duplicates, "_MOST_PAIRS", 1)
        group = duplicates._chained(codes, 16, radius)
    assert ((group[:, None] == group) == near).all()


def test_thousands_of_equal_images_take_no_memory_for_their_pairs() -> None:
    codes = np.zeros((4000, 8), dtype=np.uint8)
    codes[-1] = 255
    tracemalloc.start()
    group = duplicates._chained(codes, 64, 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.bincount(group).tolist() in ([3999, 1], [1, 3999])
    assert peak < 4e6  # 16 million pairs would be 200 MB


def test_names_with_brackets_are_printed_whole(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "in[").mkdir()
    for i in range(3):
        name = ("scan [copy].png", "in[/b].png", "02.png")[i]
        (tmp_path / name).write_bytes((photos / f"{i:02}.png").read_bytes())
    made = invoke(
        "codes", tmp_path, "--bits", 8, "--model", "lsh", "--image-size", 24, "-o", tmp_path / "run"
    )
    assert made.exit_code == 0, made.output
    done = invoke("search", tmp_path / "run", photos / "00.png")  # all three, of fewer than 20
    assert done.exit_code == 0, done.output
    assert "scan [copy].png" in done.output
    assert "in[/b].png" in done.output


@pytest.mark.parametrize("command", ["codes", "duplicates"])
def test_wrong_bits_are_refused_before_anything_is_read(command: str, tmp_path: Path) -> None:
    done = invoke(command, tmp_path / "away", "--bits", 12)
    assert done.exit_code == 2
    assert "positive multiple of 8" in " ".join(done.output.split())


def test_only_images_can_be_duplicates() -> None:
    with pytest.raises(InputError, match="holds vectors"):
        duplicate_groups(Collection("x", "vectors", np.zeros((3, 2), np.float32)))


def test_bit_correlation_is_that_of_numpy() -> None:
    codes = np.random.default_rng(0).integers(256, size=(50, 2), dtype=np.uint8)
    codes[:, 1] |= 1  # a constant bit
    bits = np.unpackbits(codes, axis=1).astype(float)
    found = bit_correlation(codes, 16)
    assert np.allclose(found[:15, :15], np.corrcoef(bits[:, :15], rowvar=False))
    assert found[15, :15].tolist() == [0.0] * 15
    assert found[15, 15] == 1


def test_labels_stay_out_of_the_coder_and_are_shown(tmp_path: Path) -> None:
    images, labels = scenes(20, side=16), np.arange(20) % 2
    with_labels = code_collection(Collection("a", "images", images, labels=labels), tmp_path / "a", bits=8)
    without = code_collection(Collection("a", "images", images), tmp_path / "b", bits=8)
    assert with_labels.encoder.fingerprint == without.encoder.fingerprint
    assert with_labels.items()["label"].to_pylist()[:2] == ["0", "1"]
    assert json.loads((tmp_path / "a" / "config.json").read_text())["codes"]["bits"] == 8


def interrupting(coder: type, when: str) -> type:
    """The same coder, with Ctrl-C while its bits are counted ("fit") or its items are encoded ("encode")."""

    class Interrupting(coder):  # type: ignore[misc, valid-type]
        def _fit(self, items):  # type: ignore[no-untyped-def]
            super()._fit(items)
            self.pressed = when == "fit"

        def _project(self, items):  # type: ignore[no-untyped-def]
            if self.pressed:
                self.pressed = False
                signal.raise_signal(signal.SIGINT)
            return super()._project(items)

        def encode(self, X):  # type: ignore[no-untyped-def]
            self.pressed = when == "encode"
            return super().encode(X)

    return Interrupting


@pytest.mark.parametrize("when", ["fit", "encode"])
def test_ctrl_c_after_the_training_does_not_lose_the_coder(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coding, "_BLOCK", 20)
    monkeypatch.setattr(coder_module, "_BLOCK", 20 * 8 * 48 * 48 * 3)
    monkeypatch.setattr(coding, "coder_class", lambda name: interrupting(LSH, when))
    collection = Collection("scenes", "images", scenes(50))
    run = code_collection(collection, tmp_path / "run", "lsh", 16)
    whole = LSH(16, random_state=0).fit(collection)
    assert LSH.load(tmp_path / "run").fingerprint == whole.fingerprint
    counted, encoded = (20, 50) if when == "fit" else (50, 20)
    assert np.array_equal(run.index.codes, whole.encode(collection)[:encoded])
    warned = " ".join(run.config["warnings"])
    assert ("bits are counted over 20 of 50" in warned) == (counted == 20)
    assert ("20 of 50 items are encoded" in warned) == (encoded == 20)
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_network_whose_training_died_goes_on_to_the_same_codes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = Collection("scenes", "images", scenes(24, side=32))
    how = {"n_epochs": 2, "batch_size": 8, "training": {"checkpoint_steps": 2}}

    def coded(name: str, **more: bool) -> CodeRun:
        return code_collection(collection, tmp_path / name, "contrastive-hash", 8, parameters=how, **more)

    whole = coded("whole")
    write, kept = saver.write_checkpoint, tmp_path / "run.checkpoints"

    def dying(*arguments: Any) -> None:
        write(*arguments)
        raise ZeroDivisionError

    monkeypatch.setattr(saver, "write_checkpoint", dying)
    with pytest.raises(ZeroDivisionError):
        coded("run")
    monkeypatch.undo()
    assert [path.name for path in kept.glob("step-*")] == ["step-000000002"]
    with pytest.raises(RunError, match="--resume goes on with it"):
        coded("run")
    run = coded("run", resume=True)
    assert np.array_equal(run.index.codes, whole.index.codes)
    assert run.config["model"] == whole.config["model"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "whole"]
    with pytest.raises(InputError, match="lsh learns in one process"):
        code_collection(collection, tmp_path / "lsh", "lsh", 8, resume=True)
