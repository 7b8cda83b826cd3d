"""Random views: nothing at strength 0, values in 0 .. 1, each item on its own, the same for the same generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from somscope.data.augment import (
    AUGMENTATIONS,
    ImageAugmentation,
    RowCorruption,
    affine,
    choose_augmentation,
    colour,
    crop,
    elastic_field,
    erase,
    flip,
    gain,
    gamma,
    shade,
    strokes,
    warp,
)
from somscope.data.idx import read_idx
from somscope.errors import InputError

IMAGES = {name: a for name, a in AUGMENTATIONS.items() if isinstance(a, ImageAugmentation)}
LOOKS: dict[str, Callable[[torch.Generator, Tensor, float], Tensor]] = {
    "strokes": strokes,
    "gain": gain,
    "gamma": gamma,
    "shade": shade,
    "colour": colour,
    "hue": lambda g, x, s: colour(g, x, 0.0, hue=s),
    "grey": lambda g, x, s: colour(g, x, 0.0, grey=s),
    "erase": erase,
}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int = 6, channels: int = 3, height: int = 12, width: int = 16, seed: int = 1) -> Tensor:
    return torch.randint(0, 256, (n, channels, height, width), dtype=torch.uint8, generator=seeded(seed))


# Whole augmentations


@pytest.mark.parametrize("name", IMAGES)
@given(
    n=st.integers(1, 5),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from((1, 3, 4)),
)
def test_views_are_images_of_the_same_shape(
    name: str, n: int, height: int, width: int, channels: int
) -> None:
    images = pictures(n, channels, height, width)
    before = images.clone()
    views = IMAGES[name](images, seeded())
    assert views.shape == images.shape
    assert views.dtype == torch.float32
    assert torch.isfinite(views).all()
    assert views.min() >= 0
    assert views.max() <= 1
    assert torch.equal(images, before)


@pytest.mark.parametrize("name", IMAGES)
def test_a_generator_gives_its_views_and_another_gives_others(name: str) -> None:
    state = torch.random.get_rng_state()
    one, again, other = (IMAGES[name](pictures(), seeded(s)) for s in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", IMAGES)
def test_each_image_is_changed_on_its_own(name: str) -> None:
    images = pictures()
    others = images.clone()
    others[0] = 255 - others[0]
    one, two = IMAGES[name](images, seeded()), IMAGES[name](others, seeded())
    torch.testing.assert_close(one[1:], two[1:])
    assert not torch.allclose(one[0], two[0])
    same = IMAGES[name](images[:1].expand(6, -1, -1, -1), seeded())
    assert all(not torch.allclose(same[0], same[i]) for i in range(1, 6))


def test_bytes_and_their_share_of_255_are_the_same_image() -> None:
    images = pictures()
    photos = IMAGES["photos"]
    torch.testing.assert_close(photos(images, seeded()), photos(images.float() / 255, seeded()))


def test_nothing_given_changes_nothing() -> None:
    images = pictures()
    assert torch.equal(ImageAugmentation()(images, seeded()), images.float() / 255)
    assert torch.equal(RowCorruption()(images.flatten(1), seeded()), images.flatten(1).float() / 255)


STRENGTHS = [f.name for f in fields(ImageAugmentation) if f.name not in ("scale", "crop", "padding")]


@pytest.mark.parametrize("name", STRENGTHS)
def test_every_strength_does_something(name: str) -> None:
    degrees = name in ("rotation", "shear")
    changed = replace(ImageAugmentation(), **{name: 20.0 if degrees else 0.9})(pictures(), seeded())
    assert not torch.allclose(changed, pictures().float() / 255, atol=0.01)


# Geometry


@pytest.mark.parametrize(
    "matrices",
    [
        lambda g: affine(g, 4, (12, 16)),
        lambda g: crop(g, 4, (1.0, 1.0)),
        lambda g: flip(g, 4, 0.0),
    ],
    ids=("affine", "crop", "flip"),
)
@pytest.mark.parametrize("padding", ["background", "reflection"])
def test_geometry_of_strength_0_is_the_identity(
    matrices: Callable[[torch.Generator], Tensor], padding: str
) -> None:
    x = pictures(4).float() / 255
    field = elastic_field(seeded(), 4, (12, 16), 0.0)
    torch.testing.assert_close(warp(x, matrices(seeded()), field, padding), x, atol=1e-4, rtol=0)


def test_a_flip_exchanges_left_and_right() -> None:
    x = pictures().float() / 255
    torch.testing.assert_close(warp(x, flip(seeded(), 6, 1.0)), x.flip(3), atol=1e-4, rtol=0)
    mirrored = flip(seeded(), 2000, 0.3)[:, 0, 0] < 0
    assert 0.25 < mirrored.float().mean() < 0.35


def test_an_affine_map_is_rotation_times_shear_over_scale_in_pixels() -> None:
    height, width = 12, 16
    matrix = affine(seeded(), 50, (height, width), rotation=30.0, scale=(0.5, 2.0), shear=20.0, shift=0.2)
    to_pixels = torch.diag(torch.tensor([width / 2, height / 2]))
    linear = to_pixels @ matrix[:, :2, :2] @ torch.linalg.inv(to_pixels)
    along = linear[:, :, 0]  # the image of the x axis: turned and scaled alone
    larger = 1.0 / along.norm(dim=1)
    angle = torch.atan2(along[:, 1], along[:, 0]).rad2deg()
    assert larger.min() >= 0.5 - 1e-5
    assert larger.max() <= 2.0 + 1e-5
    assert larger.std() > 0.2
    assert angle.abs().max() <= 30.0 + 1e-3
    assert angle.std() > 10.0
    torch.testing.assert_close(
        torch.linalg.det(linear), larger**-2, atol=1e-4, rtol=1e-4
    )  # shear keeps areas
    skew = (linear[:, :, 0] * linear[:, :, 1]).sum(1) * larger**2
    assert skew.abs().max() <= math.tan(math.radians(20.0)) + 1e-4
    assert skew.std() > 0.1
    assert matrix[:, :2, 2].abs().max() <= 0.4
    assert matrix[:, :2, 2].std() > 0.1


def test_a_crop_stays_inside_and_has_its_area() -> None:
    matrix = crop(seeded(), 500, (0.3, 0.6))
    sides, middle = matrix[:, [0, 1], [0, 1]], matrix[:, :2, 2]
    assert ((middle.abs() + sides) <= 1.0 + 1e-5).all()
    areas = sides.prod(1)
    assert areas.min() >= 0.3 - 1e-4
    assert areas.max() <= 0.6 + 1e-4
    assert areas.std() > 0.05
    assert (sides[:, 0] / sides[:, 1]).log().abs().max() <= math.log(4 / 3) + 1e-4


def test_the_field_is_the_cubic_one_through_its_knots() -> None:
    size = (9, 13)
    field = elastic_field(seeded(3), 4, size, 0.1)
    knots = 0.2 * torch.randn(4, 2, 5, 5, generator=seeded(3))
    wanted = functional.interpolate(knots, size=size, mode="bicubic", align_corners=True)
    torch.testing.assert_close(field, wanted.permute(0, 2, 3, 1), atol=1e-5, rtol=1e-5)


def test_outside_is_the_background_or_a_reflection() -> None:
    x = torch.full((1, 1, 8, 8), 0.25)
    x[:, :, 3:5, 3:5] = 1.0
    away = torch.eye(3)[None].clone()
    away[0, 0, 2] = 2.0  # a whole image to the side
    torch.testing.assert_close(warp(x, away), torch.full_like(x, 0.25))
    torch.testing.assert_close(warp(x, away, None, "reflection"), x.flip(3), atol=1e-5, rtol=0)
    with pytest.raises(InputError, match="padding"):
        warp(x, away, None, "zeros")


# Looks


@pytest.mark.parametrize("name", LOOKS)
def test_looks_of_strength_0_change_nothing(name: str) -> None:
    x = pictures().float() / 255
    torch.testing.assert_close(LOOKS[name](seeded(), x, 0.0), x, atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", LOOKS)
@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_looks_keep_to_0_and_1(name: str, strength: float) -> None:
    x = pictures(20).float() / 255
    y = LOOKS[name](seeded(), x, strength)
    assert y.min() >= 0
    assert y.max() <= 1
    assert not torch.allclose(x, y, atol=0.01)


def test_strokes_lie_between_the_smallest_and_the_largest_neighbour() -> None:
    x = pictures(200, 1).float() / 255
    y = strokes(seeded(), x, 0.6)
    dilated = functional.max_pool2d(x, 3, stride=1, padding=1)
    eroded = -functional.max_pool2d(-x, 3, stride=1, padding=1)
    assert (y <= dilated + 1e-6).all()
    assert (y >= eroded - 1e-6).all()
    amount = (y - x).flatten(1).sum(1) / (dilated - x).flatten(1).sum(1).clamp_min(1e-6)
    assert 0.3 < (amount == 0).float().mean() < 0.5  # four in ten are left alone
    assert amount.max() > 0.9
    assert (y.flatten(1).mean(1) < x.flatten(1).mean(1)).float().mean() > 0.2


def test_gain_leaves_the_background() -> None:
    for ground in (0.0, 0.5, 1.0):
        x = torch.full((40, 1, 8, 8), ground)
        x[:, :, 3:5, 3:5] = 0.75 if ground != 0.75 else 0.25
        y = gain(seeded(), x, 0.4)
        assert (y[:, :, 0] == ground).all()
        factor = (y[:, 0, 3, 3] - ground) / (x[:, 0, 3, 3] - ground)
        assert factor.min() >= 0.6 - 1e-5
        assert factor.std() > 0.05


def test_gamma_is_a_power_of_each_image() -> None:
    x = 0.1 + 0.8 * pictures(50, 1).float() / 255
    power = gamma(seeded(), x, 0.7).log() / x.log()
    torch.testing.assert_close(power, power[:, :, :1, :1].expand_as(power), atol=1e-3, rtol=1e-3)
    assert power.min() < math.exp(-0.5)
    assert power.max() > math.exp(0.5)
    assert (power.log().abs() <= 0.7 + 1e-3).all()


def test_shade_is_a_smooth_field_of_light_on_what_is_not_background() -> None:
    x = 0.02 * pictures(4, 1, 9, 13).float() / 255
    x[:, :, [0, -1]] = x[:, :, :, [0, -1]] = 0.0
    knots = torch.randn(4, 1, 5, 5, generator=seeded(3))
    field = functional.interpolate(knots, size=(9, 13), mode="bicubic", align_corners=True)
    torch.testing.assert_close(shade(seeded(3), x, 0.5), x * (0.5 * field).exp(), atol=1e-5, rtol=1e-4)


def test_greys_have_no_colour_and_hues_keep_their_brightness() -> None:
    x = 0.4 + 0.2 * pictures(30).float() / 255
    grey = colour(seeded(), x, 0.0, grey=1.0)
    assert (grey - grey.mean(1, keepdim=True)).abs().max() < 1e-3
    weights = torch.tensor([0.299, 0.587, 0.114])[None, :, None, None]
    torch.testing.assert_close(grey[:, :1], (x * weights).sum(1, keepdim=True), atol=1e-3, rtol=0)
    turned = colour(seeded(), x, 0.0, hue=0.1)
    torch.testing.assert_close((turned * weights).sum(1), (x * weights).sum(1), atol=1e-3, rtol=0)


def test_erased_is_one_rectangle_of_the_mean() -> None:
    x = pictures(300, 1, 20, 20).float() / 255
    y = erase(seeded(), x, 0.5)
    changed = (x != y)[:, 0]
    hit = changed.flatten(1).any(1)
    assert 0.4 < hit.float().mean() < 0.6
    mean = x.mean((1, 2, 3))
    for i in torch.nonzero(hit)[:20, 0].tolist():
        rows, columns = torch.nonzero(changed[i]).unbind(1)
        box = y[i, 0, rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        torch.testing.assert_close(box, torch.full_like(box, float(mean[i])))
        assert box.numel() / 400 < 0.3


# Rows


def test_swapped_values_come_from_the_same_column() -> None:
    rows = torch.arange(40.0)[:, None] + 100.0 * torch.arange(7.0)
    views = RowCorruption(swap=0.4)(rows, seeded())
    assert torch.equal(views.div(100.0, rounding_mode="floor"), rows.div(100.0, rounding_mode="floor"))
    assert 0.3 < (views != rows).float().mean() < 0.5


def test_dropped_values_are_0_and_the_others_stay() -> None:
    rows = torch.rand(40, 50, generator=seeded()) + 0.5
    views = RowCorruption(drop=0.3)(rows, seeded())
    assert ((views == 0) | (views == rows)).all()
    assert 0.25 < (views == 0).float().mean() < 0.35


# The choice


def lines_on(ground: int, ink: int, n: int = 30) -> np.ndarray:
    rng = np.random.default_rng(0)
    images = np.full((n, 28, 28), ground, np.uint8)
    for image in images:
        at = rng.integers(5, 20)
        image[4:24, at : at + 3] = ink
        image[at : at + 3, 4:24] = ink
    return images.reshape(n, -1)


def test_the_choice_follows_the_images() -> None:
    rng = np.random.default_rng(0)
    blocks = np.zeros((30, 28, 28), np.uint8)
    blocks[:, 4:24, 8:20] = rng.integers(100, 255, (30, 1, 1))
    noise = rng.integers(0, 256, (30, 16 * 16 * 3), dtype=np.uint8)
    words = np.where(rng.random((30, 40)) < 0.1, 1.0, 0.0).astype(np.float32)
    for wanted, items, shape in (
        ("digits", lines_on(0, 255), (28, 28, 1)),
        ("digits", lines_on(255, 0), (28, 28, 1)),
        ("objects", blocks.reshape(30, -1), (28, 28, 1)),
        ("photos", noise, (16, 16, 3)),
        ("text", words, None),
        ("vectors", -words, None),
        ("vectors", rng.normal(size=(30, 5)).astype(np.float32), None),
    ):
        name, why = choose_augmentation(items, shape)
        assert name == wanted
        assert why.startswith(wanted)
        assert "%" in why


@pytest.mark.parametrize("side", [16, 28, 48])
def test_the_choice_does_not_depend_on_the_size(side: int) -> None:
    """Strokes of a tenth of the side, and bodies of half of it."""
    strokes, bodies = np.zeros((2, 1, side, side, 1), np.uint8)
    strokes[0, side // 6 : -side // 6, side // 2 : side // 2 + side // 9 + 1] = 255
    bodies[0, side // 6 : -side // 6, side // 4 : -side // 4] = 255
    for wanted, image in (("digits", strokes), ("objects", bodies)):
        assert choose_augmentation(image.reshape(1, -1), (side, side, 1))[0] == wanted


@pytest.mark.parametrize("level", [0, 255])
def test_one_colour_and_one_pixel_get_an_answer(level: int) -> None:
    for shape in ((28, 28, 3), (1, 1, 1)):
        name, _ = choose_augmentation(np.full((1, math.prod(shape)), level, np.uint8), shape)
        assert name in IMAGES


def test_a_shape_of_other_images_is_refused() -> None:
    with pytest.raises(InputError, match="784 values"):
        choose_augmentation(lines_on(0, 255), (16, 16, 1))


@pytest.mark.parametrize(("name", "wanted"), [("mnist", "digits"), ("fashion-mnist", "objects")])
def test_real_images_get_what_suits_them(data_folder: Path, name: str, wanted: str) -> None:
    images = read_idx(data_folder / name / "t10k-images-idx3-ubyte.gz")
    assert choose_augmentation(images.reshape(len(images), -1), (28, 28, 1))[0] == wanted
