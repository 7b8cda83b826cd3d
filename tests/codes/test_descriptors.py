"""Descriptors of patches: against transcriptions, and by what they keep and what they tell apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.feature import BRIEF

from scenery import scene
from somscope.codes import hamming_distances, unpack
from somscope.codes.descriptors import DESCRIPTORS, brief, orb, sift
from somscope.data.keypoints import cut_patches, find_keypoints
from somscope.errors import InputError


def patches(n: int = 40) -> np.ndarray:
    image = scene()
    return cut_patches(image, find_keypoints(image, n))


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_a_patch_has_one_descriptor_whatever_lies_beside_it(name: str) -> None:
    x = patches()
    together = DESCRIPTORS[name](x)
    alone = np.concatenate([DESCRIPTORS[name](one[None]) for one in x[:5]])
    np.testing.assert_allclose(alone, together[:5], atol=1e-6 if name == "sift" else 0)


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_darker_and_noisier_patches_are_found_again(name: str) -> None:
    x = patches()
    noise = np.random.default_rng(0).normal(0, 3, x.shape)
    changed = (0.7 * x + 30 + noise).clip(0, 255).astype(np.uint8)
    a, b = DESCRIPTORS[name](x), DESCRIPTORS[name](changed)
    apart = np.linalg.norm(a[:, None] - b, axis=2) if name == "sift" else hamming_distances(a, b)
    assert (apart.argmin(axis=1) == np.arange(len(x))).mean() > 0.9


def test_bits_of_brief_are_those_of_scikit_image() -> None:
    x = patches(1)
    made = BRIEF(descriptor_size=256, patch_size=31)
    made.extract(np.pad(x[0], 24, "edge") / 255.0, np.array([[40, 40]]))
    assert np.array_equal(unpack(brief(x), 256), made.descriptors)


def test_bits_of_orb_change_with_the_patch() -> None:
    bits = unpack(orb(patches()), 256)
    assert 0.3 < bits.mean() < 0.7
    assert (np.ptp(bits, axis=0) == 1).mean() > 0.9


def transcribed_sift(patch: np.ndarray) -> np.ndarray:
    """One patch, pixel by pixel, after Lowe (2004), section 6."""
    side = len(patch)
    down, across = np.gradient(patch.astype(float))
    histogram = np.zeros((4, 4, 8))
    for r in range(side):
        for c in range(side):
            weight = math.exp(
                -((r - (side - 1) / 2) ** 2 + (c - (side - 1) / 2) ** 2) / (2 * (side / 2) ** 2)
            )
            length = weight * math.hypot(down[r, c], across[r, c])
            angle = math.atan2(down[r, c], across[r, c]) % (2 * math.pi) / (math.pi / 4)
            y, x = (r + 0.5) / (side / 4) - 0.5, (c + 0.5) / (side / 4) - 0.5
            for i in range(4):
                for j in range(4):
                    for k in range(8):
                        turn = min(abs(angle - k), 8 - abs(angle - k))
                        shares = [max(0.0, 1 - d) for d in (abs(y - i), abs(x - j), turn)]
                        histogram[i, j, k] += length * math.prod(shares)
    found = histogram.ravel() / np.linalg.norm(histogram)
    found = np.minimum(found, 0.2)
    return found / np.linalg.norm(found)


def test_sift_is_the_transcription() -> None:
    x = patches(2)[:1]
    np.testing.assert_allclose(sift(x)[0], transcribed_sift(x[0]), atol=1e-5)


def test_sift_of_a_flat_patch_is_zero() -> None:
    assert not sift(np.full((1, 32, 32), 90, np.uint8)).any()


@pytest.mark.parametrize("name", DESCRIPTORS)
def test_what_is_no_patch_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="32, 32"):
        DESCRIPTORS[name](np.zeros((2, 16, 16), np.uint8))
