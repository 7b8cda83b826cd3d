"""The corrected protocol finds what was planted and nothing where nothing is; spaces, maps, intervals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.audit import from_arrays
from somscope.audit.agreement import matched_share
from somscope.audit.corrected import chosen_grids, corrected
from somscope.audit.maps import shared_start, train
from somscope.audit.numbers import Number, half_sample_interval, judged, wilson_interval, with_q
from somscope.audit.spaces import embed, space_name
from somscope.errors import InputError
from somscope.maps.batch import batch_step
from somscope.maps.lattice import Lattice


def blobs(n: int, seed: int, classes: int = 4) -> np.ndarray:
    """Images of four kinds: a bright square in one of the corners, with noise."""
    draw = np.random.default_rng(seed)
    kind = np.arange(n) % classes
    pixels = draw.integers(0, 60, (n, 8, 8, 3))
    for row in range(n):
        y, x = divmod(int(kind[row]), 2)
        pixels[row, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4] += 120
    return pixels.astype(np.uint8)


def numbers_of(target: np.ndarray, generated: np.ndarray, **kind: bool) -> dict[tuple[str, str, str], object]:
    images = from_arrays(None, target, generated, **kind)
    found = corrected(images, ["pixels"], n_seeds=2, permutations=59)
    return {(number.measure, number.comparison, number.grid): number for number in found.numbers}


def test_a_generator_that_keeps_everything() -> None:
    target = blobs(40, 0)
    noise = np.random.default_rng(1).integers(0, 20, target.shape)
    found = numbers_of(target, np.clip(target + noise - 10, 0, 255).astype(np.uint8))
    for key in (
        ("ami", "target-generated", "3x3"),
        ("mantel", "target-generated", ""),
        ("retrieval", "target-generated", ""),
    ):
        assert found[key].significant, key
        assert found[key].low <= found[key].value <= found[key].high
    assert found["ami", "target-generated", "3x3"].value > 0.7
    assert found["retrieval", "target-generated", ""].value > 0.9


def test_a_generator_without_relation_to_its_input() -> None:
    found = numbers_of(blobs(40, 0), blobs(40, 2)[np.random.default_rng(0).permutation(40)])
    for name, grid in (("ami", "3x3"), ("ami", "5x5"), ("mantel", ""), ("retrieval", ""), ("cka", "")):
        assert not found[name, "target-generated", grid].significant
    assert not found["classifier", "real-generated", ""].significant


def test_a_dropped_mode_is_found_where_it_is() -> None:
    real, generated = blobs(120, 0), blobs(160, 5)
    generated = generated[np.arange(160) % 4 != 3]
    images = from_arrays(None, real, generated, paired=False)
    result = corrected(images, ["downscaled"], n_seeds=2, permutations=99)
    space = result.spaces[0]
    dropped = np.flatnonzero(space.composition.verdict == "mostly real")
    assert len(dropped)
    members = np.flatnonzero(np.isin(space.joint.units[0][:120], dropped))
    assert (members % 4 == 3).mean() > 0.9
    significant = {number.measure for number in result.numbers if number.significant}
    assert {"node-label ami", "mmd", "recall"} & significant
    assert not any("-target" in number.comparison for number in result.numbers)


def test_every_number_says_how_it_was_made() -> None:
    images = from_arrays(blobs(24, 1), blobs(24, 0), blobs(24, 2))
    found = corrected(images, ["pixels", "downscaled"], n_seeds=2, permutations=19)
    assert {number.space for number in found.numbers} == {"pixels", "downscaled"}
    assert {number.comparison for number in found.numbers} >= {
        "source-target", "source-generated", "target-generated", "generated-target", "real-generated",
    }  # fmt: skip
    for number in found.numbers:
        assert number.n == 24
        assert number.permutations == 19
        assert 0 < number.p <= number.q <= 1
        trained_once = not number.grid or number.measure == "prototype distance"
        assert number.seeds == (1 if trained_once else 2)
        assert set(number.record()) >= {"value", "ceiling", "low"}


def test_a_collapsed_generator_is_no_error() -> None:
    found = numbers_of(blobs(24, 0), np.full((24, 8, 8, 3), 9, dtype=np.uint8))
    assert found["ami", "target-generated", "3x3"].value == pytest.approx(0, abs=1e-9)
    assert found["classifier", "real-generated", ""].significant


def test_maps_with_one_start_train_as_the_batch_map_does() -> None:
    items = np.random.default_rng(0).normal(size=(60, 4))
    lattice = Lattice(3, 3)
    start = shared_start([items], lattice, 0)
    units, prototypes = train(items, start, lattice)
    first, where, _ = batch_step(start, items, lattice, 1.5)
    radii = 1.5 * (0.5 / 1.5) ** np.linspace(0, 1, 20)
    for radius in [*radii[1:], *[0.5] * 10]:
        first, where, _ = batch_step(first, items, lattice, radius)
    np.testing.assert_allclose(prototypes, first, atol=1e-8)
    np.testing.assert_array_equal(units, where)
    assert (
        shared_start([items, items + 9], lattice, 1) == shared_start([items, items + 9], lattice, 1)
    ).all()


def test_grids_have_no_more_units_than_items() -> None:
    assert chosen_grids(1000) == [3, 5, 7]
    assert chosen_grids(30) == [3, 5]
    assert chosen_grids(5) == [2]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=20), st.permutations(range(4)))
def test_matching_does_not_see_the_names_of_clusters(units: list[int], names: list[int]) -> None:
    one = np.array(units)
    assert matched_share(one, np.array(names)[one]) == 1
    assert matched_share(one, np.zeros_like(one)) == np.bincount(one).max() / len(one)


def test_half_samples_give_the_deviation_of_a_mean() -> None:
    values = np.random.default_rng(0).normal(size=400)
    low, high = half_sample_interval(
        lambda half: float(values[half].mean()), 400, float(values.mean()), np.random.default_rng(1)
    )
    assert (high - low) / (2 * 1.96 * values.std() / 20) == pytest.approx(1, abs=0.3)


def test_effects_do_not_grow_with_the_number_of_images() -> None:
    """0 at chance, 1 at the best; z is the same gap in deviations of chance; losses count as much as gains."""
    null = np.array([[0.1, 0.3]])

    def made(measure: str, value: float, less: bool = False) -> Number:
        values = np.concatenate([[[value]], null], axis=1)
        return judged(values, measure=measure, comparison="a-b", space="pixels", n=50, less=less)

    ami, recall = made("ami", 0.6), made("recall", 0.05, less=True)
    assert ami.effect == pytest.approx((0.6 - 0.2) / (1 - 0.2))
    assert ami.z == pytest.approx(0.4 / np.sqrt(0.02))
    assert made("ami", 1.0).effect == 1.0
    assert recall.effect == pytest.approx(0.15 / 0.2)
    assert recall.z == pytest.approx(0.15 / np.sqrt(0.02))
    assert made("vi", 0.0, less=True).effect == 1.0
    assert made("ami", 0.0).effect < 0
    assert made("mmd", 0.6).effect is None


def test_intervals_of_shares_are_not_empty_where_all_are_counted() -> None:
    """Wilson's interval holds the shares whose z-test does not reject, which are the roots of a quadratic."""
    for share, n in ((1.0, 50), (0.3, 40), (0.0, 7)):
        z2 = 1.959964**2
        roots = np.roots([1 + z2 / n, -(2 * share + z2 / n), share**2])
        assert sorted(roots) == pytest.approx(wilson_interval(share, n), abs=1e-7)
    whole = {"comparison": "a-b", "space": "pixels", "n": 50, "interval": (1.0, 1.0)}
    one = judged(np.array([[1.0, 0.5, 0.4]]), measure="retrieval", **whole)
    assert (one.low, one.high) == pytest.approx((50 / (50 + 1.959964**2), 1.0))
    wide = judged(np.array([[0.5, 0.5, 0.4]]), measure="retrieval", **(whole | {"interval": (-0.2, 1.1)}))
    assert (wide.low, wide.high) == (0.0, 1.0)
    other = judged(np.array([[1.0, 0.5, 0.4]]), measure="mantel", **whole)
    assert (other.low, other.high) == (1.0, 1.0)


def test_spaces() -> None:
    images = blobs(12, 0).repeat(4, axis=1).repeat(4, axis=2)
    pixels = embed("pixels", images[:6], images[6:])
    flat = images.reshape(12, -1) / 255.0
    assert np.linalg.norm(pixels[0][0] - pixels[1][5]) == pytest.approx(
        np.linalg.norm(flat[0] - flat[11]), rel=1e-5
    )
    for space in ("downscaled", "conv", "hog"):
        one, two = embed(space, images, images)
        np.testing.assert_array_equal(one, two)
        assert len(one) == 12
        assert np.linalg.norm(one[0] - one[4]) < np.linalg.norm(one[0] - one[1])  # kinds lie apart
    rotated = embed("hog", np.concatenate([images, images[:, :, ::-1]]))[0]
    assert np.linalg.norm(rotated[0] - rotated[12]) > 0

    def brightness(pixels: np.ndarray) -> np.ndarray:
        return pixels.mean(axis=(1, 2))

    assert space_name(brightness) == "brightness"
    assert embed(brightness, images)[0].shape[0] == 12
    with pytest.raises(InputError, match="allowed: pixels, downscaled, conv, hog, run:FOLDER, features:FILE"):
        embed("pixel", images)
    with pytest.raises(InputError, match="gave an array of shape"):
        embed(lambda pixels: pixels, images)
    with pytest.raises(InputError, match="at least 16 pixels"):
        embed("hog", images[:, :8, :8])


def test_hog_is_where_the_edges_are() -> None:
    """A vertical edge has a horizontal gradient: direction 0, which two bins share, at the cells beside the edge."""
    picture = np.zeros((1, 64, 64, 1), dtype=np.uint8)
    picture[:, :, 32:] = 255

    def seen(pixels: np.ndarray) -> np.ndarray:
        from somscope.audit.spaces import NAMED_SPACES

        return NAMED_SPACES["hog"](pixels).reshape(7, 7, 4, 9)

    upright, lying = seen(picture), seen(picture.transpose(0, 2, 1, 3))
    assert (upright[3, 3].sum(axis=0) > 1e-3).tolist() == [True, *[False] * 7, True]
    assert np.flatnonzero(lying[3, 3].sum(axis=0) > 1e-3).tolist() == [4]
    assert upright[3, 0].sum() == 0


def test_the_space_of_a_run(tmp_path) -> None:
    from somscope import map_collection, open_collection

    images = blobs(40, 0)
    run = map_collection(open_collection(images), tmp_path / "run", parameters={"grid": (2, 2)})
    (features,) = embed(f"run:{run.path}", images)
    expected = run.model().transform(images.reshape(40, -1) / np.float32(255))
    gaps = np.linalg.norm(expected[:, None] - expected[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(features[:, None] - features[None], axis=2), gaps, atol=1e-3)


def test_the_space_of_the_run_of_a_deep_map(tmp_path) -> None:
    from somscope import map_collection, open_collection

    images = blobs(40, 0)
    small = {"grid": (2, 2), "hidden": (8,), "latent_dim": 3, "n_steps": 4, "finish": "none", "device": "cpu"}
    run = map_collection(open_collection(images), tmp_path / "run", "desom", small)
    codes = run.model().encode(open_collection(images))
    coloured = np.random.default_rng(3).integers(0, 256, (6, 20, 16, 1), dtype=np.uint8)  # of another shape
    first, second = embed(f"run:{run.path}", images, coloured)
    expected = np.linalg.norm(codes[:, None] - codes[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(first[:, None] - first[None], axis=2), expected, atol=1e-4)
    assert second.shape == (6, 3)


@pytest.mark.parametrize(
    ("coder", "small"),
    [("itq", {}), ("bingan", {"n_epochs": 1, "batch_size": 20, "width": 1 / 24, "device": "cpu"})],
)
def test_the_space_of_binary_codes(tmp_path, coder: str, small: dict[str, object]) -> None:
    """Squared distances are Hamming distances of the run's own codes, also of images of another shape."""
    from somscope import open_collection
    from somscope.coding import code_collection

    images = blobs(40, 0).repeat(4, axis=1).repeat(4, axis=2)
    run = code_collection(open_collection(images), tmp_path / "run", coder, bits=16, parameters=small)
    coloured = np.random.default_rng(3).integers(0, 256, (6, 20, 16, 1), dtype=np.uint8)
    first, second = embed(f"run:{run.path}", images, coloured)
    bits = np.unpackbits(run.index.codes, axis=1)
    hamming = (bits[:, None] != bits[None]).sum(axis=2)
    np.testing.assert_allclose(np.square(first[:, None] - first[None]).sum(axis=2), hamming, atol=1e-6)
    assert hamming.max() > 0
    assert len(second) == 6
    rows = code_collection(open_collection(np.eye(30)), tmp_path / "rows", "lsh", bits=8)
    with pytest.raises(InputError, match="a space needs a run of images"):
        embed(f"run:{rows.path}", images)


def test_false_discoveries_are_controlled_question_by_question() -> None:
    """Twenty true answers about pairs do not lend their strength to one about the whole."""

    def number(measure: str, comparison: str, p: float | None) -> Number:
        return Number(measure, comparison, "pixels", "", 50, 1, 99, 0.5, p=p)

    pairs = [number("mantel", "target-generated", 0.01)] * 18
    pairs += [number("retrieval", "generated-target", 0.01), number("pairs together", "real-generated", 0.01)]
    whole = [number("mmd", "real-generated", 0.04), number("1-nn", "real-generated", 0.9)]
    other = [number("mantel", "source-generated", 0.04), number("FID", "real-generated", None)]
    found = with_q([*pairs, *whole, *other])
    assert [one.q for one in found[:20]] == pytest.approx([0.01] * 20)
    assert [one.q for one in found[20:23]] == pytest.approx([0.08, 0.9, 0.04])
    assert found[23].q is None
