"""The published protocol against transcriptions of what the script and MiniSom 2.2.3 do, and against MiniSom itself."""

from __future__ import annotations

from statistics import mean, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from somscope.audit import from_arrays
from somscope.audit.published import (
    METRICS,
    PublishedMaps,
    chance,
    domains,
    jaccard_by_cluster,
    jaccard_by_image,
    metrics,
    minisom_2020,
    preserved_members,
    published_maps,
)
from somscope.audit.rotation import rotate
from somscope.errors import InputError


def stream(seed: int) -> np.random.RandomState:
    return np.random.RandomState(seed)


def minisom_transcribed(data: np.ndarray, draw: np.random.RandomState) -> list[int]:
    """MiniSom 2.2.3 on the vectors as they are, written after its own formulas (outer product of two Gaussians)."""
    weights = np.zeros((5, 5, data.shape[1]))
    for i in range(5):
        for j in range(5):
            weights[i, j] = data[draw.randint(len(data))]
    order = np.arange(len(data)) % len(data)
    draw.shuffle(order)

    def winner(x: np.ndarray) -> tuple[int, int]:
        return np.unravel_index(np.linalg.norm(x - weights, axis=-1).argmin(), (5, 5))

    line = np.arange(5)
    for t, row in enumerate(order):
        x, c = data[row], winner(data[row])
        eta = 0.5 / (1 + t / (len(data) / 2))
        sigma = 0.5 / (1 + t / (len(data) / 2))
        width = 2 * np.pi * sigma * sigma
        ax = np.exp(-np.power(line - line[c[0]], 2) / width)
        ay = np.exp(-np.power(line - line[c[1]], 2) / width)
        g = np.outer(ax, ay) * eta
        weights += np.einsum("ij, ijk->ijk", g, x - weights)
    return [int(w[0] * 5 + w[1]) for w in map(winner, data)]


def test_winners_are_those_of_the_transcription_on_the_whole_vectors() -> None:
    data = np.random.default_rng(3).integers(0, 256, (30, 700)).astype(float)
    data[7] = data[3]
    for seed in range(4):
        (rotated,) = rotate(data)
        assert rotated.shape[1] < 30
        np.testing.assert_array_equal(
            minisom_2020(rotated, stream(seed)), minisom_transcribed(data, stream(seed))
        )


def test_winners_are_those_of_the_real_minisom() -> None:
    """Today's MiniSom has exp(-d^2 / (2 sigma^2)): with sigma times sqrt(pi) it is the one of April 2020."""
    minisom = pytest.importorskip("minisom")
    data = np.random.default_rng(5).normal(size=(40, 6))
    for seed in range(4):
        som = minisom.MiniSom(5, 5, 6, sigma=0.5 * np.sqrt(np.pi), learning_rate=0.5, random_seed=seed)
        som.random_weights_init(data)
        som.train_random(data, 40)
        draw = stream(seed)
        draw.random_sample((5, 5, 6))  # its weights before random_weights_init
        expected = [w[0] * 5 + w[1] for w in map(som.winner, data)]
        np.testing.assert_array_equal(minisom_2020(data, draw), expected)


def clusters(units: list[int]) -> list[list[int]]:
    """As the script has them: sorted lists of images."""
    return sorted([i for i, unit in enumerate(units) if unit == u] for u in set(units))


def jaccard(one: set[int], two: set[int]) -> float:
    return len(one & two) / len(one | two)


UNITS = st.lists(st.integers(0, 5), min_size=4, max_size=14)


@given(UNITS, st.randoms(use_true_random=False))
def test_metrics_against_the_script_in_words(units: list[int], random: object) -> None:
    other = [random.randint(0, 4) for _ in units]  # type: ignore[attr-defined]
    first, second = clusters(units), clusters(other)
    by_cluster = [
        max((jaccard(set(a), set(b)) for j, b in enumerate(second) if i != j), default=0.0)
        for i, a in enumerate(first)
    ]
    one, two = np.array(units), np.array(other)
    assert jaccard_by_cluster(one, two).tolist() == pytest.approx(by_cluster)
    by_image = []
    for i in range(len(units)):
        a = {j for j in range(len(units)) if units[j] == units[i]} - {i}
        b = {j for j in range(len(units)) if other[j] == other[i]} - {i}
        if a | b:
            by_image.append(jaccard(a, b))
    assert jaccard_by_image(one, two).tolist() == pytest.approx(by_image)
    kept = [sum(len(set(a) & set(b)) for b in second if len(set(a) & set(b)) >= 2) for a in first]
    found, sizes = preserved_members(one, two)
    assert (found.tolist(), sizes.tolist()) == (kept, [len(a) for a in first])


def test_two_equal_clusterings_score_zero() -> None:
    """The slip: with equal clusterings the best match always stands at the same place."""
    units = np.array([0, 0, 1, 1, 2, 2])
    assert jaccard_by_cluster(units, units).tolist() == [0, 0, 0]
    assert jaccard_by_image(units, units).tolist() == [1] * 6


def test_all_metrics_of_one_example() -> None:
    maps = PublishedMaps(
        a=np.array([0, 0, 1, 1, 2]),
        b=np.array([3, 3, 3, 4, 4]),
        fake=np.array([0, 0, 0, 9, 8]),
        combined=np.array([0, 0, 1, 2, 3, 0, 5, 1, 1, 6]),  # fakes, then reals
    )
    found = metrics(maps)
    assert list(found) == list(METRICS)
    assert (found["clusters_a"], found["clusters_b"], found["clusters_fake"]) == (3, 2, 3)
    assert found["clusters_combined"] == 6
    assert found["pairs_together"] == 2  # images 0 and 2
    assert (found["fake_only"], found["real_only"]) == (2, 2)
    assert found["preserved_score"] == pytest.approx(3 / 5)
    # neighbours in b and in fake: {1,2}|{1,2}, {0,2}|{0,2}, {0,1}|{0,1}, {4}|{}, {3}|{}
    by_image = [1, 1, 1, 0, 0]
    assert found["detection_image_mean"] == pytest.approx(mean(by_image))
    assert found["detection_image_median"] == median(by_image)


def test_follow_up_compares_b_with_a() -> None:
    rng = np.random.default_rng(0)
    maps = PublishedMaps(*(rng.integers(0, 6, 20) for _ in range(3)), combined=rng.integers(0, 6, 40))
    assert metrics(maps)["follow_up_cluster_mean"] == jaccard_by_cluster(maps.b, maps.a).mean()
    assert metrics(maps)["translation_cluster_mean"] == jaccard_by_cluster(maps.a, maps.fake).mean()


def test_domains_are_exchanged_for_two_sets() -> None:
    rng = np.random.default_rng(1)
    source, target, fake = (rng.integers(0, 256, (5, 4, 4, 3), dtype=np.uint8) for _ in range(3))
    images = from_arrays(source, target, fake)
    a, b, f = domains(images, "facades")
    x, y, _ = domains(images, "edges2shoes")
    np.testing.assert_array_equal(a, y)
    np.testing.assert_array_equal(b, x)
    gap = np.linalg.norm(source[1].astype(float) - fake[2].astype(float))
    assert np.linalg.norm(a[1] - f[2]) == pytest.approx(gap)
    with pytest.raises(InputError, match="give triples"):
        domains(from_arrays(None, target, fake), "x")


def test_a_seed_gives_its_maps_again() -> None:
    items = np.random.default_rng(2).normal(size=(3, 12, 5))
    one, two, other = (published_maps(*items, seed) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one.combined, two.combined)
    assert (one.combined != other.combined).any()
    assert len(one.combined) == 24


@given(st.integers(2, 8), st.integers(1, 40), st.integers(0, 10**6))
def test_rotation_keeps_all_distances(n: int, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 256, (n, d), dtype=np.uint8)
    second = rng.integers(0, 256, (n + 1, d), dtype=np.uint8)
    second[0] = first[0]
    one, two = rotate(first, second)
    every, turned = np.concatenate([first, second]).astype(float), np.concatenate([one, two])
    expected = np.linalg.norm(every[:, None] - every[None], axis=2)
    np.testing.assert_allclose(np.linalg.norm(turned[:, None] - turned[None], axis=2), expected, atol=1e-6)
    assert (two[0] == one[0]).all()
    assert turned.shape[1] <= max(1, min(d, len(every)))


def test_rotation_of_equal_items() -> None:
    (flat,) = rotate(np.full((4, 50), 7, dtype=np.uint8))
    assert (flat == flat[0]).all()
    with pytest.raises(InputError, match="one number for all"):
        rotate(np.zeros((2, 3)), np.zeros((2, 4)))


def test_chance_shuffles_pairs_and_labels() -> None:
    units = np.repeat(np.arange(5), 8)
    maps = PublishedMaps(units, units, units, np.concatenate([units, units + 5]))
    draw = np.random.default_rng(0)
    shuffled = [chance(maps, draw) for _ in range(20)]
    assert metrics(maps)["detection_image_mean"] == 1
    assert np.mean([one["detection_image_mean"] for one in shuffled]) < 0.3
    assert metrics(maps)["fake_only"] == 5
    assert np.mean([one["fake_only"] for one in shuffled]) < 1
    same = PublishedMaps(units, units, units, np.concatenate([units, units]))
    assert metrics(same)["pairs_together"] == 40
    assert np.mean([chance(same, draw)["pairs_together"] for _ in range(50)]) == pytest.approx(8, abs=1)
