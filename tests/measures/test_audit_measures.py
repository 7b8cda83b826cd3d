"""The measures of the audit: permutations, partitions, pairing, two samples, manifolds, composition."""

from __future__ import annotations

from math import log2

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import false_discovery_control, fisher_exact, spearmanr
from sklearn.linear_model import Ridge
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from somscope.errors import InputError
from somscope.measures.composition import unit_composition
from somscope.measures.frechet import frechet_distance, kernel_distance
from somscope.measures.manifolds import precision_recall
from somscope.measures.pairing import cross_distances, linear_cka, mantel, retrieval
from somscope.measures.partitions import permuted_agreement, variation_of_information
from somscope.measures.permutation import (
    benjamini_hochberg,
    pair_permutations,
    permutation_p,
    swapped_labels,
)
from somscope.measures.two_sample import (
    classifier_accuracy,
    classifier_scores,
    mmd,
    nearest_neighbour_accuracy,
)

RNG = np.random.default_rng


def test_permutation_p_counts_ties_and_is_never_zero() -> None:
    assert permutation_p(3.0, [1, 2, 3, 4]) == 3 / 5
    assert permutation_p(9.0, [1, 2, 3, 4]) == 1 / 5
    assert permutation_p(0.1 + 0.2, [0.3]) == 1.0


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_are_those_of_scipy(p: list[float]) -> None:
    np.testing.assert_allclose(benjamini_hochberg(p), false_discovery_control(p))
    with_gaps = benjamini_hochberg([*p, np.nan])
    assert np.isnan(with_gaps[-1])
    np.testing.assert_allclose(with_gaps[:-1], false_discovery_control(p))


def test_labels_and_pairs_by_chance() -> None:
    rows = pair_permutations(6, 50, RNG(0))
    assert (rows[0] == np.arange(6)).all()
    assert (np.sort(rows, axis=1) == np.arange(6)).all()
    swapped = swapped_labels(8, 8, 50, RNG(0), paired=True)
    assert swapped[0].tolist() == [False] * 8 + [True] * 8
    assert (swapped[:, :8] != swapped[:, 8:]).all()
    assert 0.3 < swapped[1:, :8].mean() < 0.7
    free = swapped_labels(8, 3, 50, RNG(0), paired=False)
    assert (free.sum(axis=1) == 3).all()
    with pytest.raises(InputError, match="are no pairs"):
        swapped_labels(8, 3, 5, RNG(0), paired=True)
    with pytest.raises(InputError, match="from 0 to 1"):
        benjamini_hochberg([1.5])


@given(st.integers(0, 10**6), st.integers(2, 30), st.integers(1, 6), st.integers(1, 6))
def test_agreement_under_permutations(seed: int, n: int, k: int, m: int) -> None:
    rng = RNG(seed)
    a, b = rng.integers(0, k, n), rng.integers(0, m, n)
    rows = pair_permutations(n, 4, rng)
    found = permuted_agreement(a, b, rows)
    for at, row in enumerate(rows):
        assert found["ari"][at] == pytest.approx(adjusted_rand_score(a, b[row]), abs=1e-9)
        table = np.histogram2d(a, b[row], bins=(k, m), range=((0, k), (0, m)))[0] / n
        conditional = sum(
            -table[i, j] * (log2(table[i, j] / table[i].sum()) + log2(table[i, j] / table[:, j].sum()))
            for i in range(k)
            for j in range(m)
            if table[i, j]
        )
        assert found["vi"][at] == pytest.approx(conditional, abs=1e-9)
        if 1 < len(set(a)) < n and 1 < len(set(b)) < n:
            assert found["ami"][at] == pytest.approx(adjusted_mutual_info_score(a, b[row]), abs=1e-8)
    assert variation_of_information(a, b) == pytest.approx(variation_of_information(b, a))
    assert variation_of_information(a, (a + 3) * 2) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("features", [5, 40])
def test_pairing_measures_against_their_formulas(features: int) -> None:
    rng = RNG(1)
    x, y = rng.normal(size=(12, features)), rng.normal(size=(12, 4))
    d, e = (np.linalg.norm(z[:, None] - z[None], axis=2) for z in (x, y))
    rows = pair_permutations(12, 3, rng)
    upper = np.triu_indices(12, 1)
    for at, row in enumerate(rows):
        shuffled = e[np.ix_(row, row)]
        assert mantel(d, e, rows)[at] == pytest.approx(spearmanr(d[upper], shuffled[upper])[0])
        cx, cy = x - x.mean(0), (y - y.mean(0))[row]
        cka = np.linalg.norm(cy.T @ cx) ** 2 / (np.linalg.norm(cx.T @ cx) * np.linalg.norm(cy.T @ cy))
        assert linear_cka(x, y, rows)[at] == pytest.approx(cka)
    np.testing.assert_allclose(cross_distances(x, x), d, atol=1e-4)
    assert (cross_distances(x, x).diagonal() == 0).all()
    assert mantel(d, np.zeros((12, 12)), rows).tolist() == [0] * 4
    turned = x @ np.linalg.qr(rng.normal(size=(features, features)))[0] * 3 + 2
    assert linear_cka(x, turned, rows)[0] == pytest.approx(1)


def test_retrieval_shares_the_credit_of_duplicates() -> None:
    queries = np.array([[0.0], [1.0], [2.0], [9.0]])
    candidates = np.array([[0.1], [0.1], [2.1], [8.0]])
    found = retrieval(cross_distances(queries, candidates), [[0, 1, 2, 3], [3, 2, 1, 0]])
    assert found.tolist() == [pytest.approx((0.5 + 0.5 + 1 + 1) / 4), 0.0]


def two_clouds(shift: float, n: int = 30, seed: int = 0) -> np.ndarray:
    rng = RNG(seed)
    return np.concatenate([rng.normal(size=(n, 4)), rng.normal(size=(n, 4)) + shift])


def test_two_sample_statistics_tell_and_do_not_tell() -> None:
    labels = swapped_labels(30, 30, 199, RNG(0), paired=False)
    folds = np.arange(60) % 30 % 5
    for shift, low, high in ((3.0, 0.0, 0.01), (0.0, 0.05, 1.0)):
        items = two_clouds(shift)
        distances = cross_distances(items, items)
        for statistic in (
            nearest_neighbour_accuracy(distances, labels),
            mmd(distances, labels),
            classifier_accuracy(classifier_scores(items, folds), labels),
        ):
            assert low <= permutation_p(statistic[0], statistic[1:]) <= high


def test_mmd_is_the_mean_of_kernels() -> None:
    items = two_clouds(0.5, 6)
    distances = cross_distances(items, items)
    width = np.median(distances[np.triu_indices(12, 1)])
    kernel = np.exp(-(distances**2) / (2 * width**2))
    expected = kernel[:6, :6].mean() + kernel[6:, 6:].mean() - 2 * kernel[:6, 6:].mean()
    labels = np.arange(12)[None] >= 6
    assert mmd(distances, labels)[0] == pytest.approx(expected)
    assert mmd(np.zeros((12, 12)), labels)[0] == 0


@pytest.mark.parametrize("features", [4, 60])
def test_the_classifier_is_a_ridge_that_never_saw_what_it_judges(features: int) -> None:
    items = np.concatenate([two_clouds(0.7, 20), RNG(1).normal(size=(40, features - 4))], axis=1)
    folds = np.arange(40) % 20 % 4
    labels = np.arange(40) >= 20
    centred = items - items.mean(0)
    alpha = 0.1 * (centred**2).sum(axis=1).mean()
    said = np.zeros(40)
    for fold in range(4):
        inside = folds != fold
        y = np.where(labels, 1.0, -1.0)[inside]
        model = Ridge(alpha=alpha, fit_intercept=False).fit(centred[inside], y - y.mean())
        said[~inside] = model.predict(centred[~inside])
    scores = classifier_scores(items, folds)
    np.testing.assert_allclose(scores @ np.where(labels, 1.0, -1.0), said, atol=1e-9)
    assert classifier_accuracy(scores, labels[None])[0] == pytest.approx(((said > 0) == labels).mean())


def test_the_partner_is_not_asked() -> None:
    items = np.repeat(RNG(0).normal(size=(10, 3)), 2, axis=0)[np.r_[0:20:2, 1:20:2]]
    labels = np.arange(20)[None] >= 10
    distances = cross_distances(items, items)
    assert nearest_neighbour_accuracy(distances, labels)[0] == 0
    partner = (np.arange(20) + 10) % 20
    assert nearest_neighbour_accuracy(distances, labels, partner)[0] > 0


def prdc_in_words(real: np.ndarray, fake: np.ndarray, k: int) -> dict[str, float]:
    def radius(items: np.ndarray) -> list[float]:
        return [sorted(np.linalg.norm(items - item, axis=1))[k] for item in items]

    real_radius, fake_radius = radius(real), radius(fake)
    precision = np.mean(
        [any(np.linalg.norm(f - r) < s for r, s in zip(real, real_radius, strict=True)) for f in fake]
    )
    recall = np.mean(
        [any(np.linalg.norm(f - r) < s for f, s in zip(fake, fake_radius, strict=True)) for r in real]
    )
    density = np.mean(
        [sum(np.linalg.norm(f - r) < s for r, s in zip(real, real_radius, strict=True)) / k for f in fake]
    )
    coverage = np.mean(
        [min(np.linalg.norm(f - r) for f in fake) < s for r, s in zip(real, real_radius, strict=True)]
    )
    return {"precision": precision, "recall": recall, "density": density, "coverage": coverage}


def test_prdc_against_its_definitions() -> None:
    items = two_clouds(0.8, 15)
    found = precision_recall(cross_distances(items, items), np.arange(30)[None] >= 15, k=3)
    for name, value in prdc_in_words(items[:15], items[15:], 3).items():
        assert found[name][0] == pytest.approx(value)
    apart = two_clouds(50.0, 15)
    assert precision_recall(cross_distances(apart, apart), np.arange(30)[None] >= 15)["coverage"][0] == 0


@given(st.integers(0, 10**6), st.integers(6, 12), st.integers(6, 12), st.integers(1, 4))
def test_prdc_of_samples_with_ties_and_few_neighbours(seed: int, n: int, m: int, k: int) -> None:
    """Items on a grid of few points, parts of them, and neighbours that have to be looked up further away."""
    rng = RNG(seed)
    items = rng.integers(0, 3, (n + m, 2)).astype(float)
    labels = np.arange(n + m) >= n
    present = np.ones((3, n + m), dtype=bool)
    present[1, rng.permutation(n)[: n - 2]] = False
    present[2, n + rng.permutation(m)[: m - 2]] = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("somscope.measures.manifolds._WIDTH", 2)
        found = precision_recall(cross_distances(items, items), np.tile(labels, (3, 1)), k, present)
    for at, here in enumerate(present):
        real, fake = items[here & ~labels], items[here & labels]
        for name, value in prdc_in_words(real, fake, min(k, len(real) - 1, len(fake) - 1)).items():
            assert found[name][at] == pytest.approx(value)


def test_composition_of_units() -> None:
    units = np.repeat([0, 1, 2, 3], [20, 20, 2, 18])
    generated = np.r_[np.ones(20), np.zeros(20), [1, 0], np.arange(18) % 2].astype(bool)
    found = unit_composition(units, generated, 5)
    assert found.verdict.tolist() == [
        "mostly generated",
        "mostly real",
        "too few to say",
        "balanced",
        "empty",
    ]
    for unit in range(4):
        a, b = found.generated[unit], found.real[unit]
        table = [[a, b], [generated.sum() - a, (~generated).sum() - b]]
        assert found.p[unit] == pytest.approx(fisher_exact(table)[1])
    assert found.log2_ratio[3] == pytest.approx(0)
    assert found.low[3] < 0 < found.high[3]
    assert found.low[0] > 0
    assert np.isinf(found.high[0])
    assert np.isnan(found.q[2])


def test_composition_keeps_its_level_of_false_calls() -> None:
    rng = RNG(0)
    called = sum(
        np.isin(
            unit_composition(rng.integers(0, 9, 200), np.arange(200) >= 100, 9).verdict[:9],
            ["mostly real", "mostly generated"],
        ).any()
        for _ in range(200)
    )
    assert called <= 20  # 5 % of 200, with room for chance


def test_shapes_are_checked() -> None:
    with pytest.raises(InputError, match=r"allowed: \(n, d\)"):
        cross_distances(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.parametrize(("n", "m"), [(40, 30), (5, 30), (4, 3)])
def test_frechet_and_kernel_distance_against_their_formulas(n: int, m: int) -> None:
    """Also with fewer items than features, where the covariances are singular."""
    rng = RNG(2)
    x, y = rng.normal(size=(n, 8)) @ rng.normal(size=(8, 8)), rng.normal(size=(m, 8)) + 1
    c1, c2 = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    gap = x.mean(0) - y.mean(0)
    ridge = 1e-9 * np.eye(8)  # a root of a singular product
    expected = gap @ gap + np.trace(c1 + c2 - 2 * sqrtm((c1 + ridge) @ (c2 + ridge)).real)
    assert frechet_distance(x, y) == pytest.approx(expected, rel=1e-3)
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x, x + 2) == pytest.approx(32)

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return (sum(a * b) / 8 + 1) ** 3

    def mean(a: np.ndarray, b: np.ndarray, same: bool) -> float:
        return np.mean([k(p, q) for i, p in enumerate(a) for j, q in enumerate(b) if not (same and i == j)])

    assert kernel_distance(x, y) == pytest.approx(mean(x, x, True) + mean(y, y, True) - 2 * mean(x, y, False))
    with pytest.raises(InputError, match="two items or more"):
        frechet_distance(x[:1], y)


def test_kernel_distance_is_unbiased() -> None:
    rng = RNG(3)
    found = [kernel_distance(rng.normal(size=(10, 4)), rng.normal(size=(10, 4))) for _ in range(400)]
    assert abs(np.mean(found)) < 3 * np.std(found) / 20
    assert min(found) < 0
