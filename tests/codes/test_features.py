"""GIST and k-means patches: against transcriptions, by what they tell apart, and on disk."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone

from somscope.codes import GIST, KMeansPatches
from somscope.codes.features import ImageFeatures, as_images
from somscope.data import Collection
from somscope.errors import InputError, RunError

FEATURES = [GIST(), KMeansPatches(12, n_patches=300, random_state=0)]
named = pytest.mark.parametrize("features", FEATURES, ids=lambda features: features.model_name)


def pictures(n: int = 12, shape: tuple[int, int, int] = (16, 20, 3), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(n, *shape), dtype=np.uint8)


def stripes(angle: float, period: float, side: int = 32) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    wave = np.cos(2 * np.pi * (x * math.cos(angle) + y * math.sin(angle)) / period)
    return np.round(127.5 + 120 * wave).astype(np.uint8)[None, :, :, None]


@named
def test_each_image_has_its_features_whatever_lies_beside_it(features: ImageFeatures) -> None:
    images = pictures()
    fitted = clone(features).fit(images)
    whole = fitted.transform(images)
    assert whole.dtype == np.float32
    assert whole.shape == (12, len(fitted.get_feature_names_out()))
    assert np.isfinite(whole).all()
    assert np.allclose(fitted.transform(images[[3]]), whole[[3]], rtol=1e-4, atol=1e-5)
    assert np.array_equal(fitted.transform(Collection("x", "images", images)), whole)


def test_gist_is_the_authors_formula() -> None:
    """One image, one filter at a time, in double precision and with full complex transforms."""
    image = pictures(1, (16, 16, 1), seed=3)
    b, n = 8, 32
    grey = np.pad(np.log(image[0, :, :, 0] + 1.0), b, mode="symmetric")
    freq = np.fft.fftfreq(n)
    x, y = np.meshgrid(freq, freq)
    local = np.exp(-((x * 16) ** 2 + (y * 16) ** 2) / (4 / math.sqrt(math.log(2))) ** 2)
    detail = grey - np.real(np.fft.ifft2(np.fft.fft2(grey) * local))
    even = detail / (0.2 + np.sqrt(np.abs(np.fft.ifft2(np.fft.fft2(detail**2) * local))))
    expected = []
    for scale in range(4):
        for turn in range(8):
            t = np.angle(x + 1j * y) + np.pi / 8 * turn
            t = t + 2 * np.pi * (t < -np.pi) - 2 * np.pi * (t > np.pi)
            radius = np.abs(x + 1j * y)
            along = 10 * 0.35 * (radius / (0.3 / 1.85**scale) - 1) ** 2
            transfer = np.exp(-along - 2 * (16 * 8**2 / 32**2) * np.pi * t**2)
            energy = np.abs(np.fft.ifft2(np.fft.fft2(even) * transfer))[b : b + 16, b : b + 16]
            expected += [
                energy[i : i + 4, j : j + 4].mean() for i in range(0, 16, 4) for j in range(0, 16, 4)
            ]
    assert np.allclose(GIST().fit(image).transform(image)[0], expected, rtol=1e-3, atol=1e-4)


def test_gist_sees_orientation_and_scale() -> None:
    images = np.concatenate([stripes(0, 4), stripes(np.pi / 2, 4), stripes(0, 12)])
    energy = GIST().fit(images).transform(images).reshape(3, 4, 8, 16).mean(axis=3)
    strongest = [np.unravel_index(e.argmax(), e.shape) for e in energy]
    assert strongest[0][0] == strongest[1][0] == 0  # f = 1/4: nearest to 0.3
    assert strongest[2][0] == 2  # f = 1/12: nearest to 0.3 / 1.85^2
    assert strongest[0][1] == strongest[2][1] == 0
    assert strongest[1][1] == 4  # of eight, a quarter turn on


def test_gist_hardly_sees_brightness() -> None:
    image = pictures(1, (32, 32, 1)) // 4
    fitted = GIST().fit(image)
    x, brighter, other = (fitted.transform(i)[0] for i in (image, image * 2, pictures(1, (32, 32, 1), 9)))
    assert np.linalg.norm(x - brighter) < 0.2 * np.linalg.norm(x - other)


def test_cells_of_gist_may_differ_by_a_pixel() -> None:
    from somscope.codes.gist import _cell_means

    values = np.random.default_rng(0).normal(size=(2, 7, 9)).astype(np.float32)
    rows, columns = [0, 2, 4, 6, 7], [0, 3, 5, 7, 9]
    expected = [
        [v[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].mean() for i in range(4) for j in range(4)]
        for v in values
    ]
    assert np.allclose(_cell_means(values, 4), expected, atol=1e-6)


def test_kmeans_patches_are_the_authors_formula() -> None:
    """Patch by patch, with the learned whitening and centres; standardised over the images that it was learned from."""
    images = pictures(3, (9, 8, 3))
    fitted = KMeansPatches(7, patch=4, n_patches=200, random_state=1).fit(images)
    found = fitted.transform(images)
    expected = np.zeros((3, 4, 7))
    for n, image in enumerate(images):
        for i in range(6):
            for j in range(5):
                patch = image[i : i + 4, j : j + 4].transpose(2, 0, 1).ravel().astype(float)
                patch = (patch - patch.mean()) / math.sqrt(patch.var() + 10)
                white = (patch - fitted.mean_) @ fitted.whitening_
                z = [math.dist(white, centre) for centre in fitted.centres_]
                quadrant = 2 * (i >= 3) + (j >= 3)
                expected[n, quadrant] += [max(0, sum(z) / 7 - value) for value in z]
    sums = expected.reshape(3, 28)
    standard = (sums - sums.mean(axis=0)) / np.sqrt(sums.var(axis=0) + 0.01)
    assert np.allclose(found, standard, rtol=1e-3, atol=1e-2)
    one = fitted.transform(images[[1]])  # by what was learned, not by what lies beside it
    assert np.allclose(one, found[[1]], rtol=1e-4, atol=1e-4)


def test_features_of_kmeans_patches_are_standardised_by_a_part_of_many_images(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    images = pictures(400, (9, 9, 1))
    few, all_of_them = (
        KMeansPatches(6, n_patches=300, random_state=0),
        KMeansPatches(6, n_patches=300, random_state=0),
    )
    whole = all_of_them.fit(images).transform(images)
    assert np.allclose(whole.mean(axis=0), 0, atol=1e-4)
    assert np.allclose(whole.std(axis=0), 1, atol=0.1)  # but for the 0.01
    monkeypatch.setattr("somscope.codes.patches._MOST_IMAGES", 100)
    part = few.fit(images).transform(images)
    assert not np.array_equal(part, whole)
    assert np.abs(part.mean(axis=0)).max() < 0.5
    assert np.allclose(part.std(axis=0), 1, atol=0.3)


def test_whitened_patches_have_no_correlation() -> None:
    images = np.repeat(np.repeat(pictures(40, (8, 8, 1)), 4, axis=1), 4, axis=2)  # neighbours are alike
    fitted = KMeansPatches(5, n_patches=2000, random_state=0).fit(images)
    windows = np.lib.stride_tricks.sliding_window_view(images[..., 0], (6, 6), axis=(1, 2)).reshape(-1, 36)
    even = windows - windows.mean(axis=1, keepdims=True)
    even = even / np.sqrt(windows.var(axis=1, keepdims=True) + 10)
    before = np.cov(even, rowvar=False)
    after = np.cov((even - fitted.mean_) @ fitted.whitening_, rowvar=False)

    def off(c: np.ndarray) -> float:
        return float(np.abs(c - np.diag(np.diag(c))).mean() / np.diag(c).mean())

    assert off(before) > 0.2
    assert off(after) < 0.12


@named
def test_saved_features_are_the_same(features: ImageFeatures, tmp_path: Path) -> None:
    images = pictures()
    fitted = clone(features).fit(images)
    again = type(features).load(fitted.save(tmp_path))
    assert np.array_equal(again.transform(images), fitted.transform(images))
    assert again.fingerprint == fitted.fingerprint
    assert again.image_shape_ == (16, 20, 3)


@named
def test_broken_features_are_refused(features: ImageFeatures, tmp_path: Path) -> None:
    clone(features).fit(pictures()).save(tmp_path)
    path = tmp_path / "model.json"
    path.write_text(path.read_text().replace('"image_shape": [\n   16', '"image_shape": [\n   15'))
    with pytest.raises(RunError, match="fingerprint"):
        type(features).load(tmp_path)


def test_fingerprints_tell_features_apart() -> None:
    images = pictures()
    fitted = [f.fit(images) for f in (GIST(), GIST(grid=2), *map(clone, FEATURES[1:]))]
    assert len({f.fingerprint for f in fitted}) == 3
    assert GIST().fit(pictures(seed=9)).fingerprint == fitted[0].fingerprint  # it learns but the shape


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 8)),
        np.zeros((2, 8, 8, 3)),
        np.zeros((2, 8, 8, 2), np.uint8),
        np.zeros((0, 8, 8, 3), np.uint8),
        "a",
    ],
)
def test_what_is_no_images_is_refused(wrong: object) -> None:
    with pytest.raises(InputError, match="images"):
        as_images(wrong)


@named
def test_images_of_another_shape_are_refused(features: ImageFeatures) -> None:
    fitted = clone(features).fit(pictures())
    with pytest.raises(InputError, match=r"\(16, 16, 3\); these features need \(16, 20, 3\)"):
        fitted.transform(pictures(shape=(16, 16, 3)))


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (GIST(scales=0), "scales=0"),
        (GIST(grid=17), "more cells"),
        (KMeansPatches(0), "n_centres=0"),
        (KMeansPatches(patch=16), "two positions"),
        (KMeansPatches(50, n_patches=20), "fewer than"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(features: ImageFeatures, message: str) -> None:
    with pytest.raises(InputError, match=message):
        features.fit(pictures())
