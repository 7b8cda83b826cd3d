"""The health checks: each finds what was planted, and healthy images give no finding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from somscope.audit import AuditImages, from_arrays, read_pix2pix
from somscope.audit.health import CHECKS, Finding, check_health, statistics
from somscope.data.collection import Skipped

N = 100


def textured(seed: int, n: int = N, base: tuple[int, int, int] = (120, 100, 80)) -> np.ndarray:
    draw = np.random.default_rng(seed)
    wave = draw.normal(size=(n, 4, 4, 3)).repeat(8, axis=1).repeat(8, axis=2) * 40
    return np.clip(wave + draw.normal(size=(n, 32, 32, 3)) * 15 + base, 0, 255).astype(np.uint8)


def line_drawings(seed: int, n: int = N) -> np.ndarray:
    places = np.random.default_rng(seed).permutation(14 * 14)[:n]
    pixels = np.full((n, 32, 32, 3), 255, dtype=np.uint8)
    for image, row, column in zip(pixels, *np.divmod(places, 14), strict=True):
        image[2 * row + 2] = 0
        image[:, 2 * column + 2] = 0
    return pixels


def findings(images: AuditImages) -> dict[str, Finding]:
    found = check_health(images)
    assert all(finding.check in CHECKS and finding.text.endswith(".") for finding in found)
    order = [("problem", "warning", "note").index(finding.severity) for finding in found]
    assert order == sorted(order)
    return {f"{finding.check} {finding.part}".strip(): finding for finding in found}


def test_healthy_images_give_no_finding() -> None:
    assert findings(from_arrays(line_drawings(0), textured(1), textured(2))) == {}


def test_a_generator_that_was_fed_its_target_domain() -> None:
    """Given photographs, it makes something like photographs; the other halves of the pairs are drawings."""
    found = findings(from_arrays(textured(1), line_drawings(0), textured(2)))
    assert found["wrong direction generated"].severity == "problem"
    assert "wrong direction generated" not in findings(
        from_arrays(line_drawings(0), textured(1), textured(2))
    )


def test_blank_collapsed_and_blurred_outputs() -> None:
    source, target = line_drawings(0), textured(1)
    flat = (textured(2).astype(float) * 0.05 + 100).astype(np.uint8)
    assert "blank generated" in findings(from_arrays(source, target, flat))
    same = np.clip(
        textured(2, 1).astype(int) + np.random.default_rng(0).integers(-3, 4, target.shape), 0, 255
    )
    assert "collapsed generated" in findings(from_arrays(source, target, same.astype(np.uint8)))
    blurred = np.stack(
        [np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1))) for image in textured(2)]
    )
    found = findings(from_arrays(source, target, blurred))
    assert set(found) == {"blurred generated"}
    assert (
        found["blurred generated"].numbers["detail"] < found["blurred generated"].numbers["detail of targets"]
    )


def test_duplicates_and_copies() -> None:
    target = textured(1)
    repeated = target.copy()
    repeated[50:60] = repeated[0]
    found = findings(from_arrays(line_drawings(0), repeated, textured(2)))
    assert found["duplicates target"].numbers["distinct"] == 90
    assert set(found["duplicates target"].examples) <= {0, *range(50, 60)}
    repeated[20:] = repeated[:2].repeat(40, axis=0)
    assert (
        findings(from_arrays(line_drawings(0), repeated, textured(2)))["few distinct target"].severity
        == "problem"
    )
    assert "identical sets" in findings(from_arrays(line_drawings(0), target, target))
    repeated[:] = repeated[0]
    all_same = findings(from_arrays(line_drawings(0), repeated, textured(2)))["few distinct target"]
    assert all_same.text.startswith("All 100 target images are the same.")
    part = textured(2)
    part[7] = target[3]
    copied = findings(from_arrays(line_drawings(0), target, part))["copies generated"]
    assert copied.examples == (7,)


def test_near_duplicates() -> None:
    target = textured(1)
    target[10:30] = target[30:50] ^ 1
    found = findings(from_arrays(None, target, textured(2)))["near-duplicates target"]
    assert (found.severity, found.numbers["near-duplicates"]) == ("warning", 40)


def test_what_was_left_out_and_how_few_there_are() -> None:
    target = textured(1, 30)
    images = AuditImages(
        "x", target, textured(2, 30), left_out=(Skipped("a.png", "broken"),), remarks=("resized",)
    )
    found = findings(images)
    assert found["left out"].text == "Left out: a.png: broken (1 in all)."
    assert found["sizes and colours"].text == "Resized."
    assert found["too few"].severity == "warning"
    assert findings(from_arrays(None, target[:10], textured(2, 10)))["too few"].severity == "problem"


def test_statistics_are_what_they_say() -> None:
    pixels = np.zeros((1, 4, 4, 3), dtype=np.uint8)
    pixels[0, :, 2:, 0] = 255
    found = statistics(pixels)
    assert found["red"][0] == pytest.approx(0.5)
    assert found["colour"][0] == pytest.approx(0.5)
    assert found["contrast"][0] == pytest.approx(1 / 6)
    assert found["detail"][0] == pytest.approx(0.5 / 3)  # two of four columns lie at the edge
    assert found["flat"][0] == pytest.approx(0.75)


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("day2night", {"few distinct target", "blurred generated"}),
        ("edges2shoes", {"wrong direction generated"}),
        ("facades_label2photo", set()),
        ("map2sat", set()),
        ("sat2map", {"wrong direction generated", "blank generated"}),
    ],
)
def test_the_pix2pix_sets(data_folder: Path, name: str, problems: set[str]) -> None:
    found = findings(read_pix2pix(data_folder / "pix2pix-pretrained" / name))
    assert {key for key, finding in found.items() if finding.severity == "problem"} == problems
