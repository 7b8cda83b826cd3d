"""Keypoints and the patches about them."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenery import HOMOGRAPHY, projected, scene, warped
from somscope.data.keypoints import (
    SIDE,
    Keypoints,
    cut_patches,
    even_light,
    find_keypoints,
    patch_collection,
    read_grey,
)
from somscope.errors import DataError, InputError, RunError


def at(x: float, y: float, scale: float = 1.0, angle: float = 0.0) -> Keypoints:
    return Keypoints(np.array([[x, y]]), np.array([scale]), np.array([angle]))


def test_a_patch_is_the_square_about_its_keypoint() -> None:
    image = scene()
    middle = (SIDE - 1) / 2
    assert np.array_equal(
        cut_patches(image, at(40 + middle, 60 + middle))[0], image[60 : 60 + SIDE, 40 : 40 + SIDE]
    )
    enlarged = cut_patches(
        np.kron(image, np.ones((2, 2), np.uint8)), at(2 * (40 + middle) + 0.5, 2 * (60 + middle) + 0.5, 2.0)
    )
    assert np.abs(enlarged[0].astype(int) - image[60 : 60 + SIDE, 40 : 40 + SIDE]).mean() < 6


def test_patches_turn_with_the_image() -> None:
    image = scene()
    turned = np.rot90(image)  # (x, y) -> (y, W - 1 - x), and angles a quarter turn less
    upright = cut_patches(image, at(100.0, 90.0, 1.0, 0.3))
    assert (
        np.abs(cut_patches(turned, at(90.0, 259.0 - 100.0, 1.0, 0.3 - np.pi / 2)).astype(int) - upright).max()
        <= 1
    )
    assert np.abs(cut_patches(turned, at(90.0, 259.0 - 100.0, 1.0, 0.3)).astype(int) - upright).mean() > 10


def test_orientations_follow_the_image() -> None:
    image = scene()
    first, second = find_keypoints(image, 60), find_keypoints(np.ascontiguousarray(np.rot90(image)), 60)
    moved = np.stack([first.places[:, 1], 259 - first.places[:, 0]], axis=1)
    apart = np.linalg.norm(moved[:, None] - second.places, axis=2) + 100 * np.abs(
        first.scales[:, None] - second.scales
    )
    same = apart.min(axis=1) < 1e-6
    assert same.sum() > 10
    turns = second.angles[apart.argmin(axis=1)[same]] - first.angles[same] + np.pi / 2
    assert np.median(np.abs(np.angle(np.exp(1j * turns)))) < 0.05


def test_flat_and_small_images_have_no_keypoints() -> None:
    assert len(find_keypoints(np.full((100, 100), 7, np.uint8))) == 0
    assert len(find_keypoints(scene()[:40, :40])) == 0
    with pytest.raises(InputError, match="grey"):
        find_keypoints(np.zeros((80, 80, 3), np.uint8))


def test_a_folder_becomes_a_collection_of_patches(tmp_path: Path) -> None:
    Image.fromarray(scene(0)).save(tmp_path / "a.png")
    Image.fromarray(np.repeat(scene(1)[..., None], 3, axis=2)).save(tmp_path / "b.jpg")
    Image.new("L", (90, 90), 9).save(tmp_path / "flat.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    found = patch_collection(tmp_path, 40)
    assert found.features.shape[1:] == (SIDE, SIDE, 1)
    assert {name.partition("#")[0] for name in found.ids} == {"a.png", "b.jpg"}
    assert found.n_items <= 80
    assert [(item.where, item.why) for item in found.skipped][1] == ("flat.png", "no keypoints")
    assert found.skipped[0].where == "broken.png"
    first = find_keypoints(read_grey(tmp_path / "a.png"), 40)
    assert np.array_equal(found.features[: len(first), ..., 0], even_light(cut_patches(scene(0), first)))


def test_even_light_forgets_brightness_and_contrast() -> None:
    x = cut_patches(scene(), find_keypoints(scene(), 30)) // 2
    changed = (0.6 * x + 70).astype(np.uint8)
    a, b = even_light(x), even_light(changed)
    assert np.abs(a.astype(int) - b).max() <= 3
    assert np.abs(a.mean(axis=(1, 2)) - 128).max() < 4
    assert (even_light(np.full((1, 32, 32), 9, np.uint8)) == 128).all()


def test_folders_without_keypoints_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image with keypoints"):
        patch_collection(tmp_path)
    with pytest.raises(DataError, match="no folder"):
        patch_collection(tmp_path / "away")
    with pytest.raises(InputError, match="from 1"):
        patch_collection(tmp_path, 0)


def test_keypoints_of_opencv_turn_with_the_image() -> None:
    pytest.importorskip("cv2", reason="the extra opencv is not installed")
    image = scene()
    first = find_keypoints(image, 150, "opencv-sift")
    second = find_keypoints(warped(image), 150, "opencv-sift")
    assert 50 < len(first) <= 150
    apart = np.linalg.norm(projected(first.places)[:, None] - second.places, axis=2)
    near = apart.min(axis=1) < 1.5
    assert near.sum() > 30
    a, b = cut_patches(image, first)[near], cut_patches(warped(image), second)[apart.argmin(axis=1)[near]]
    alike = [np.corrcoef(x.ravel(), y.ravel())[0, 1] for x, y in zip(a, b, strict=True)]
    assert np.median(alike) > 0.8
    turned = np.degrees(np.arctan2(HOMOGRAPHY[1, 0], HOMOGRAPHY[0, 0]))
    turns = np.degrees(second.angles[apart.argmin(axis=1)[near]] - first.angles[near])
    assert np.median((turns - turned + 180) % 360 - 180) == pytest.approx(0, abs=8)


def test_detectors_that_are_not_here_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="allowed: orb, opencv-sift"):
        find_keypoints(scene(), 10, "surf")
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(RunError, match=r"somscope\[opencv\]"):
        find_keypoints(scene(), 10, "opencv-sift")
