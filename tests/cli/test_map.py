"""somscope map: what it writes and says, and that bad input gets one clear message."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cli.samples import invoke, make_photos, make_table, make_texts
from somscope import measures
from somscope.runs import Run


def refused(*arguments: object, match: str) -> None:
    """The command ends with 2 and one message that says `match`, without a traceback."""
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    words = " ".join(result.output.replace("│", " ").split())
    assert match in words, result.output
    assert "Traceback" not in result.output


def contents(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_photos(photo_run: Path) -> None:
    run = Run.open(photo_run)
    assert (run.lattice.rows, run.lattice.columns) == (3, 4)
    assert run.config["collection"]["image_shape"] == [16, 20, 3]
    assert run.config["command"][:2] == ["somscope", "map"]
    assert run.config["command"][-4:] == ["--grid", "3x4", "--passes", "3"]
    assert run.config["seed"] == 0
    assert run.config["passes"] == 3
    assert run.history().num_rows == 3
    assert len(run.items()["thumbnail"]) == 24
    labels = run.assignments()["label"].to_pylist()
    assert sorted(set(labels)) == ["bright", "dark"]
    assert run.metrics["purity"] == 1.0  # nobody can confuse dark and bright pictures
    assert {"u_matrix.png", "hits.png", "prototypes.png", "class_map.png", "training.png"} <= set(
        contents(photo_run / "figures")
    )
    html = (photo_run / "report.html").read_text(encoding="utf-8")
    assert "photos" in html
    assert ".partial" not in html


def test_the_run_agrees_with_its_model(photo_run: Path) -> None:
    run = Run.open(photo_run)
    model = run.model()
    assert model.prototypes_.shape == (12, 16 * 20 * 3)
    np.testing.assert_array_equal(
        model.hits_, np.bincount(run.assignments()["unit"].to_numpy(), minlength=12)
    )
    distances = run.assignments()["distance"].to_numpy()
    assert run.metrics["quantization_error"] == pytest.approx(distances.mean(), rel=1e-5)


def test_table(table_run: Path) -> None:
    run = Run.open(table_run)
    assert run.lattice.shape == "hexagonal"
    assert run.config["collection"]["feature_names"] == ["a", "b", "c"]
    assert run.config["collection"]["label_names"] == ["x", "y", "z"]
    assert run.assignments()["id"].to_pylist()[:2] == ["row0", "row1"]
    assert "topographic_error_hexagonal" in run.metrics
    assert "clusters.png" in contents(table_run / "figures")
    groups = run.model().unit_clusters_
    assert len(set(groups.tolist())) == 3
    units = run.units()
    assert units is not None
    assert units["group"].to_pylist() == groups.tolist()
    placed = run.assignments()
    assert placed["group"].to_pylist() == groups[placed["unit"].to_numpy()].tolist()
    labels = np.unique(placed["label"].to_pylist(), return_inverse=True)[1]
    wanted = measures.accuracy(labels, placed["group"].to_numpy())
    assert run.metrics["group_accuracy"] == pytest.approx(wanted)


def test_columns_in_different_units_count_alike(tmp_path: Path, table_run: Path) -> None:
    """Column c is pure noise in units a thousand times larger: unscaled, the map sees nothing else."""
    scaled = Run.open(table_run)
    assert "scale" in scaled.config["chosen"]
    weights = scaled.config["model"]["parameters"]["feature_weights"]
    values = np.genfromtxt(table_run.parent / "table.csv", delimiter=",", skip_header=1, usecols=(1, 2, 3))
    np.testing.assert_allclose(weights, 1 / values.var(axis=0), rtol=1e-3)
    result = invoke(
        "map", table_run.parent / "table.csv", "-o", tmp_path / "run", "--grid", "4x5",
        "--columns", "a,b,c", "--label-column", "kind", "--scale", "none",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    plain = Run.open(tmp_path / "run")
    assert "scale" not in plain.config["chosen"]
    assert scaled.metrics["ami"] > plain.metrics["ami"] + 0.1
    # Prototypes stay in the units of the data.
    assert scaled.model().prototypes_[:, 2].mean() == pytest.approx(5000, abs=600)


def test_text(tmp_path: Path) -> None:
    make_texts(tmp_path / "lines.txt")
    result = invoke("map", tmp_path / "lines.txt", "--model", "som", "-o", tmp_path / "run", "--grid", "2x3")
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "run")
    assert run.items()["text"].to_pylist()[0] == "cat purrs softly"
    vocabulary = run.vocabulary()
    assert vocabulary is not None
    row = vocabulary["word"].to_pylist().index("captain")
    assert vocabulary["idf"].to_pylist()[row] == pytest.approx(np.log(41 / 11) + 1)


def test_array_of_vectors_without_names_is_not_scaled(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((30, 4)))
    result = invoke("map", tmp_path / "x.npy", "-o", tmp_path / "run", "--grid", "3x3", "--toroidal")
    assert result.exit_code == 0, result.output
    run = Run.open(tmp_path / "run")
    assert run.lattice.toroidal
    assert "scale" not in run.config["chosen"]
    assert run.config["model"]["parameters"]["feature_weights"] is None


def test_summary_names_what_matters(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos")
    (photos / "dark" / "broken.png").write_bytes(b"this is text")
    result = invoke("map", photos, "--model", "som", "-o", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert "24 images, 16x20 pixels, colour, 2 labels, 1 skipped" in result.output
    assert "broken.png" in result.output
    assert "Quantization error" in result.output
    assert "chosen" in result.output
    assert f"report: {tmp_path / 'run' / 'report.html'}" in result.output


def test_same_seed_same_map(tmp_path: Path, photo_run: Path) -> None:
    photos = photo_run.parent / "photos"
    for name, seed in (("one", 5), ("two", 5)):
        arguments = ("map", photos, "-o", tmp_path / name, "--grid", "3x4", "--passes", 3, "--seed", seed)
        assert invoke(*arguments).exit_code == 0
    one, two = (Run.open(tmp_path / name) for name in ("one", "two"))
    np.testing.assert_array_equal(one.model().prototypes_, two.model().prototypes_)
    assert one.metrics == two.metrics


def test_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_table(tmp_path / "my table.csv", 20)
    monkeypatch.chdir(tmp_path)
    assert invoke("map", "my table.csv", "--grid", "2x2", "--passes", 1).exit_code == 0
    assert (tmp_path / "runs" / "my-table" / "report.html").is_file()
    refused("map", "my table.csv", match="exists: choose another output folder, or replace it")
    arguments = ("map", "my table.csv", "--grid", "2x3", "--passes", 1, "--overwrite")
    assert invoke(*arguments).exit_code == 0
    assert Run.open(tmp_path / "runs" / "my-table").lattice.columns == 3
    assert contents(tmp_path / "runs") == ["my-table"]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (
            ("--grid", "axb"),
            "--grid 'axb': expected ROWSxCOLUMNS such as 20x20, a number of units for a chain, or auto",
        ),
        (("--grid", "2x3x4"), "--grid '2x3x4': expected ROWSxCOLUMNS"),
        (("--grid", "0x3"), "--grid '0x3': expected ROWSxCOLUMNS"),
        (("--radius", "five"), "--radius 'five': expected the last radius such as 0.5, START:END"),
        (("--radius", "-1:0.5"), "radius"),
        (("--lattice", "cubic"), "'rectangular', 'hexagonal'"),
        (("--metric", "chess"), "'euclidean', 'cosine', 'manhattan'"),
        (("--model", "none"), "model='none' is not known; allowed: som, sgd-som, ae-som, desom"),
        (("--passes", "0"), "Invalid value for '--passes'"),
        (("--seed", "-1"), "Invalid value for '--seed'"),
        (("--columns", "a,,b"), "expected names separated by commas"),
        (("--columns", "a,nothing"), "'nothing'"),
        (("--label-column", "nothing"), "--label-column names 'nothing'"),
        (("--columns", "a,kind"), "text in"),
        (("--device", "abacus"), "'auto', 'cpu', 'cuda'"),
        (("--clusters", "100"), "--clusters=100"),
        (("--grid", "3x3", "--lattice", "hexagonal", "--toroidal"), "even number of rows"),
    ],
)
def test_wrong_options(tmp_path: Path, options: tuple[str, ...], match: str) -> None:
    make_table(tmp_path / "table.csv", 20)
    refused("map", tmp_path / "table.csv", "-o", tmp_path / "run", *options, match=match)
    assert contents(tmp_path) == ["table.csv"]


def test_no_data() -> None:
    refused("map", match="Missing argument 'DATA'")
    refused("map", "no-such-thing", match="no-such-thing")


def test_what_is_spelt_nearly_right_is_offered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "holiday.csv").write_text("a\n1\n2\n")
    monkeypatch.chdir(tmp_path)
    refused("map", "fashion-mnst", match="did you mean 'fashion-mnist'?")
    refused("map", "holidays.csv", match="did you mean 'holiday.csv'?")
    refused("map", "../nowhere-at-all", match="'../nowhere-at-all' is neither")


def test_options_of_readers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "two.npz", first=rng.random((30, 3)), second=rng.random((30, 4)))
    (tmp_path / "labels.txt").write_text("\n".join("xy"[i % 2] for i in range(30)))
    refused("map", tmp_path / "two.npz", "-o", tmp_path / "run", match="choose one by --key")
    arguments = ("--grid", "2x2", "--passes", 1, "-o", tmp_path / "run", "--overwrite")
    result = invoke(
        "map", tmp_path / "two.npz", "--key", "second", "--labels", tmp_path / "labels.txt", *arguments
    )
    assert result.exit_code == 0, result.output
    assert Run.open(tmp_path / "run").config["collection"]["n_features"] == 4
    assert Run.open(tmp_path / "run").config["collection"]["label_names"] == ["x", "y"]
    make_texts(tmp_path / "lines.txt")
    assert invoke("map", tmp_path / "lines.txt", "--max-words", 5, *arguments).exit_code == 0
    assert Run.open(tmp_path / "run").config["collection"]["n_features"] == 5
    photos = make_photos(tmp_path / "photos", 8)
    assert invoke("map", photos, "--subfolders", "ignore", *arguments).exit_code == 0
    assert Run.open(tmp_path / "run").config["collection"]["label_names"] == []


def test_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    refused("map", tmp_path / "photos", "-o", tmp_path / "run", match="empty")


def test_only_broken_images(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("not a picture")
    refused("map", tmp_path, "-o", tmp_path / "run", match="a.jpg")


@pytest.mark.parametrize("grid", ["auto", "2x2"])
def test_one_item(tmp_path: Path, grid: str) -> None:
    """A map of one item is pointless, but it is either made whole or refused in words."""
    np.save(tmp_path / "x.npy", np.array([[1.0, 2.0]]))
    result = invoke("map", tmp_path / "x.npy", "-o", tmp_path / "run", "--grid", grid)
    if result.exit_code == 0:
        assert Run.open(tmp_path / "run").n_items == 1
        assert (tmp_path / "run" / "report.html").is_file()
    else:
        assert result.exit_code == 2
        assert "1" in result.output
        assert contents(tmp_path) == ["x.npy"]


def test_all_items_equal(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.ones((10, 3)))
    result = invoke("map", tmp_path / "x.npy", "-o", tmp_path / "run")
    assert result.exit_code in (0, 2), result.output
    if result.exit_code == 0:
        assert Run.open(tmp_path / "run").metrics["quantization_error"] == pytest.approx(0, abs=1e-6)


def test_constant_column(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "".join(f"{i * 0.37 % 1},12.3\n" for i in range(20)))
    result = invoke("map", tmp_path / "t.csv", "-o", tmp_path / "run", "--grid", "2x3")
    assert result.exit_code == 0, result.output
    weights = Run.open(tmp_path / "run").config["model"]["parameters"]["feature_weights"]
    assert weights[1] == 1.0


def test_grid_larger_than_the_data(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 3)))
    result = invoke("map", tmp_path / "x.npy", "-o", tmp_path / "run", "--grid", "6x6")
    assert result.exit_code in (0, 2), result.output
    if result.exit_code == 0:
        assert Run.open(tmp_path / "run").metrics["dead_units"] >= 31
        assert "36 units" in result.output


def test_missing_and_infinite_values(tmp_path: Path) -> None:
    (tmp_path / "gaps.csv").write_text(
        "a,b\n" + "".join(f"{i % 7},{'' if i == 3 else i % 5}\n" for i in range(30))
    )
    result = invoke("map", tmp_path / "gaps.csv", "-o", tmp_path / "run", "--grid", "2x3")
    assert result.exit_code == 0, result.output
    assert "30 vectors, 2 features, no labels, 1 missing values (1.7%)" in result.output
    assert "Missing values" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    (tmp_path / "inf.csv").write_text("a,b\n1,2\ninf,3\n")
    refused(
        "map", tmp_path / "inf.csv", "-o", tmp_path / "run2", match="infinite values at item 1 column 'a'"
    )
    (tmp_path / "one.csv").write_text("a,b\n1,2\n")
    refused(
        "map", tmp_path / "one.csv", "-o", tmp_path / "run2", match="one has 1 item: a map needs at least 2"
    )


def test_existing_folder_that_is_no_run_survives_overwrite(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", 4)
    refused("map", photos, "-o", photos, "--overwrite", match="not a run folder")
    assert len(list(photos.rglob("*.png"))) == 4


@pytest.mark.skipif(
    not Path("/sys").is_dir(), reason="/sys is a folder in which nobody can make files, on Linux"
)
def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((5, 3)))
    refused("map", tmp_path / "x.npy", "-o", "/sys/somscope-run", match="cannot write /sys/somscope-run")


def test_an_unexpected_error_after_the_training_keeps_the_map(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import somscope.mapping

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("a mistake of ours")

    monkeypatch.setattr(somscope.mapping, "measure_run", broken)
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((9, 3)))
    result = invoke("map", tmp_path / "x.npy", "-o", tmp_path / "run", "--grid", "2x2")
    assert result.exit_code == 1, result.output
    assert "left out: measures (ZeroDivisionError: a mistake of ours)" in result.output
    assert "--overwrite" in result.output
    assert "Traceback" in caplog.text  # of a mistake the log has everything
    assert Run.open(tmp_path / "run").model().prototypes_.shape == (4, 3)


def start(*arguments: object, cwd: Path, before: str = "") -> subprocess.Popen[str]:
    """The command in a process of its own; `before` is Python code that runs first in it."""
    code = f"import sys\n{before}\nfrom somscope.cli.main import main\nmain()"
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


CTRL_C_IN_PASS_4 = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal; a test runner may have blocked it
from somscope.maps import batch
real, calls = batch.sweep, []
def sweep(*arguments):
    calls.append(1)
    if len(calls) == 4:
        signal.raise_signal(signal.SIGINT)
    return real(*arguments)
batch.sweep = sweep
"""


def test_ctrl_c_during_the_training_keeps_the_map(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((500, 5)))
    process = start(
        "map", "x.npy", "-o", "run", "--grid", "5x5", "--passes", 50, cwd=tmp_path, before=CTRL_C_IN_PASS_4
    )
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "interrupted: the map was kept as it was after 3 passes" in output
    run = Run.open(tmp_path / "run")
    assert run.config["stop_reason"] == "interrupted"
    assert run.config["passes"] == 3
    assert run.history().num_rows == 3
    assert contents(tmp_path) == ["run", "run.checkpoints", "x.npy"]
    assert "to go on:" in output
    arguments = ("map", "x.npy", "--grid", "5x5", "--passes", 50)
    for more in (("-o", "run", "--resume"), ("-o", "whole")):
        process = start(*arguments, *more, cwd=tmp_path)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output
    assert contents(tmp_path) == ["run", "whole", "x.npy"]
    resumed, whole = Run.open(tmp_path / "run"), Run.open(tmp_path / "whole")
    np.testing.assert_array_equal(resumed.model().prototypes_, whole.model().prototypes_)
    assert resumed.assignments() == whole.assignments()
    assert resumed.config["model"]["parameters"] == whole.config["model"]["parameters"]


@pytest.mark.parametrize(
    ("broken", "lost"),
    [("best_units", "assignments"), ("measure_run", "measures"), ("write_report", "report")],
)
def test_ctrl_c_after_the_training_leaves_out_one_step(tmp_path: Path, broken: str, lost: str) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((100, 5)))
    before = (
        "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"import somscope.mapping\nsomscope.mapping.{broken} = lambda *_: signal.raise_signal(signal.SIGINT)"
    )
    process = start("map", "x.npy", "-o", "run", "--grid", "3x3", cwd=tmp_path, before=before)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert f"left out: {lost} (interrupted by Ctrl-C)" in output
    assert "run the same command again with --overwrite" in output
    run = Run.open(tmp_path / "run")
    assert run.model().prototypes_.shape == (9, 5)
    assert (tmp_path / "run" / "report.html").is_file() == (lost == "measures")
    assert contents(tmp_path) == ["run", "x.npy"]


def test_two_processes_cannot_write_one_run(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((2000, 10)))
    from somscope.runs import new_run

    with new_run(tmp_path / "run"):
        process = start("map", "x.npy", "-o", "run", "--grid", "3x3", cwd=tmp_path)
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 2, output
    assert "another process is writing" in output


@pytest.mark.parametrize(("size", "code"), [("60k", 2), ("8m", 0)])
def test_a_full_disk(tmp_path: Path, size: str, code: int) -> None:
    """The whole command on a tiny file system, in a mount namespace of its own where the system allows it.

    Where the map and the tables do not fit nothing is trained; where there is room for all there is all.
    """
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((3000, 20)))
    (tmp_path / "small").mkdir()
    script = (
        f"mount -t tmpfs -o size={size} none small || exit 77\n"
        f"{sys.executable} -m somscope.cli.main map x.npy -o small/run --grid 5x5 --passes 2\n"
        'code=$?; echo "left: [$(ls -A small)] [$(ls -A small/run)]"; exit $code'
    )
    unshare = ["unshare", "-m"] if os.geteuid() == 0 else ["unshare", "-rm"]
    done = subprocess.run(
        [*unshare, "sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    if done.returncode in (1, 77) and ("unshare" in done.stderr or "mount" in done.stderr):
        pytest.skip(f"this system allows no mount namespace: {done.stderr.strip()}")
    assert done.returncode == code, done.stdout + done.stderr
    if code == 2:
        assert "the disk is too full" in done.stderr
        assert "left: [] []" in done.stdout
    else:
        for name in ("config.json", "model.safetensors", "assignments.parquet", "report.html"):
            assert name in done.stdout


def test_settings_are_recorded_as_json(photo_run: Path) -> None:
    config = json.loads((photo_run / "config.json").read_text())
    assert config["model"]["parameters"]["grid"] == "3x4"
    assert config["model"]["name"] == "som"
    assert config["collection"]["source"]


def test_thumbnails_of_grey_pictures(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", 8, mode="L")
    assert invoke("map", photos, "-o", tmp_path / "run", "--grid", "2x2", "--passes", 1).exit_code == 0
    assert Run.open(tmp_path / "run").config["collection"]["image_shape"] == [16, 20, 1]
    first = Run.open(tmp_path / "run").items()["thumbnail"][0].as_py()
    assert Image.open(io.BytesIO(first)).mode == "L"
