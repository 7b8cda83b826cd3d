"""somscope match, and codes of patches, run on images with a known homography between them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cli.samples import invoke
from scenery import HOMOGRAPHY, projected, scene, warped
from somscope.errors import DataError, InputError
from somscope.matching import descriptor, match_images, two_nearest
from somscope.runs.code_run import CodeRun


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes to learn from, and in `pair` another one before and after a homography."""
    folder = tmp_path_factory.mktemp("scenes")
    (folder / "learn").mkdir()
    for i in range(1, 4):
        Image.fromarray(scene(i)).save(folder / "learn" / f"{i}.png")
    Image.fromarray(scene(0)).save(folder / "a.png")
    Image.fromarray(warped(scene(0))).save(folder / "b.png")
    Image.new("L", (100, 100), 50).save(folder / "flat.png")
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Path:
    path = folder / "run"
    done = invoke("codes", folder / "learn", "--patches", 150, "--bits", 128, "--model", "itq", "-o", path)
    assert done.exit_code == 0, done.output
    assert "codes of 128 bits" in done.output
    return path


@pytest.mark.parametrize("name", ["run", "brief", "orb", "sift"])
def test_the_homography_is_found(name: str, run: Path) -> None:
    found = match_images(scene(0), warped(scene(0)), descriptor(name, CodeRun.open(run)), n_keypoints=300)
    assert len(found.pairs) >= 15
    assert found.homography is not None
    corners = np.array([[40.0, 40.0], [200.0, 40.0], [200.0, 160.0], [40.0, 160.0]])
    assert np.abs(projected(corners, found.homography) - projected(corners)).max() < 4
    there = projected(found.a.places[found.pairs[:, 0]])
    right = np.linalg.norm(there - found.b.places[found.pairs[:, 1]], axis=1) < 5
    assert right.mean() > 0.5
    assert right[found.inliers].all()


def test_without_a_common_scene_there_is_no_homography(run: Path) -> None:
    found = match_images(scene(0), scene(9), descriptor("orb"), n_keypoints=200, ratio=0.7)
    assert found.homography is None or found.inliers.sum() < 8


def test_the_command_writes_a_picture(folder: Path, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "matches.png"
    arguments = ("match", run, folder / "a.png", folder / "b.png", "-o", out, "--keypoints", 300)
    done = invoke(*arguments)
    assert done.exit_code == 0, done.output
    assert "agree on one homography" in done.output
    shown = [float(word) for line in done.output.splitlines()[1:4] for word in line.split()]
    np.testing.assert_allclose(
        projected(np.array([[130.0, 100.0]]), np.reshape(shown, (3, 3))),
        projected(np.array([[130.0, 100.0]]), HOMOGRAPHY),
        atol=3,
    )
    with Image.open(out) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    assert (pixels[..., 1] - pixels[..., 0] > 60).sum() > 500  # green lines
    again = invoke(*arguments)
    assert again.exit_code == 2
    assert "exists" in again.output
    assert invoke(*arguments, "--overwrite").exit_code == 0


@pytest.mark.parametrize(
    ("first", "options", "message"),
    [
        ("away.png", (), "does not exist"),
        ("flat.png", (), "0 keypoints"),
        ("a.png", ("--ratio", "1.5"), "above 0, up to 1"),
        ("a.png", ("--pixels", "0"), "above 0"),
        ("a.png", ("--descriptor", "surf"), "brief"),
    ],
)
def test_what_cannot_be_matched_is_named(
    folder: Path, run: Path, tmp_path: Path, first: str, options: tuple[str, ...], message: str
) -> None:
    done = invoke("match", run, folder / first, folder / "b.png", "-o", tmp_path / "out.png", *options)
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())
    assert not (tmp_path / "out.png").exists()


def test_runs_of_other_images_are_refused(folder: Path, tmp_path: Path) -> None:
    done = invoke("codes", folder / "learn", "--bits", 8, "--image-size", 16, "-o", tmp_path / "run")
    assert done.exit_code == 0, done.output
    with pytest.raises(InputError, match="images of 16x16 pixels; matching needs a run on patches of 32x32"):
        descriptor("run", CodeRun.open(tmp_path / "run"))
    with pytest.raises(InputError, match="needs a run folder"):
        descriptor("run")


def test_patches_have_a_size_of_their_own(folder: Path, tmp_path: Path) -> None:
    done = invoke("codes", folder / "learn", "--patches", 9, "--image-size", 16, "-o", tmp_path / "run")
    assert done.exit_code == 2
    assert "leave --image-size and --limit out" in " ".join(done.output.split())


def test_a_flat_image_is_named() -> None:
    with pytest.raises(DataError, match="the second image has 0 keypoints"):
        match_images(scene(0), np.zeros((90, 90), np.uint8), descriptor("orb"))


def test_the_two_nearest_of_bits_and_of_numbers() -> None:
    random = np.random.default_rng(0)
    bits = random.integers(2, size=(30, 64))
    packed = np.packbits(bits, axis=1)
    rows, distances = two_nearest(packed[:7], packed[7:])
    wanted = (bits[:7, None] != bits[7:]).sum(axis=2)
    assert np.array_equal(rows, np.argsort(wanted, axis=1, kind="stable")[:, :2])
    assert np.array_equal(distances, np.sort(wanted, axis=1)[:, :2])
    rows, distances = two_nearest(bits[:7] * 1.0, bits[7:] * 1.0)
    np.testing.assert_allclose(distances**2, np.sort(wanted, axis=1)[:, :2])


def test_bingan_gets_its_network_for_patches(folder: Path, tmp_path: Path) -> None:
    arguments = ("codes", folder / "learn", "--patches", 15, "--bits", 64, "--model", "bingan")
    done = invoke(*arguments, "-o", tmp_path / "run")
    assert done.exit_code == 0, done.output
    opened = CodeRun.open(tmp_path / "run")
    assert opened.config["model"]["parameters"]["task"] == "matching"
    codes = descriptor("run", opened)(np.zeros((3, 32, 32), np.uint8))
    assert codes.shape == (3, 8)
