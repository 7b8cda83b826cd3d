"""The measures of a trained model against plain loops."""

from __future__ import annotations

import itertools
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from somscope.data import Collection
from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.maps.somrl import SOMRL
from somscope.studies.score import score
from studies.samples import CENTRES, blobs


def model(prototypes: Any, lattice: Lattice | None = None, **more: Any) -> Any:
    return SimpleNamespace(prototypes_=np.asarray(prototypes, np.float32), lattice_=lattice, **more)


def two_nearest(x: np.ndarray, prototypes: np.ndarray) -> np.ndarray:
    return np.array([np.argsort([np.sum((row - m) ** 2) for m in prototypes])[:2] for row in x])


@pytest.fixture
def noisy() -> Collection:
    """Blobs of which every tenth has a wrong label."""
    clean = blobs(90)
    assert clean.labels is not None
    labels = clean.labels.copy()
    labels[::10] = (labels[::10] + 1) % 3
    return replace(clean, labels=labels)


def test_a_map_is_measured_as_plain_loops_do(noisy: Collection) -> None:
    rng = np.random.default_rng(3)
    prototypes = noisy.features[rng.choice(90, 6, replace=False)]
    found, _ = score(model(prototypes, Lattice(2, 3)), noisy, 0)
    near = two_nearest(noisy.features, prototypes)
    best, second, y = near[:, 0], near[:, 1], noisy.labels
    assert y is not None
    majority = sum(max(np.sum(y[best == k] == c) for c in range(3)) for k in set(best))
    assert found["purity"] == pytest.approx(majority / 90)
    joint = {(c, k): np.mean((y == c) & (best == k)) for c in range(3) for k in range(6)}
    p_y, p_k = [np.mean(y == c) for c in range(3)], [np.mean(best == k) for k in range(6)]
    shared = sum(p * np.log(p / (p_y[c] * p_k[k])) for (c, k), p in joint.items() if p > 0)
    h_y, h_k = (-sum(p * np.log(p) for p in part if p > 0) for part in (p_y, p_k))
    assert found["nmi_arithmetic"] == pytest.approx(2 * shared / (h_y + h_k))
    assert found["nmi_geometric"] == pytest.approx(shared / np.sqrt(h_y * h_k))
    assert found["homogeneity"] == pytest.approx(shared / h_y)
    assert found["unit_perplexity"] == pytest.approx(np.exp(h_k))
    assert found["dead_units"] == sum(p == 0 for p in p_k)
    distances = [
        np.sqrt(np.sum((row - prototypes[k]) ** 2)) for row, k in zip(noisy.features, best, strict=True)
    ]
    assert found["quantization_error"] == pytest.approx(np.mean(distances), rel=1e-5)
    rows, columns = (np.abs(part(best) - part(second)) for part in (lambda u: u // 3, lambda u: u % 3))
    assert found["topographic_error_4"] == pytest.approx(np.mean(rows + columns > 1))
    assert found["topographic_error_8"] == pytest.approx(np.mean(np.maximum(rows, columns) > 1))


def test_accuracy_merges_prototypes_and_matches_the_groups_to_classes(noisy: Collection) -> None:
    """Three prototypes beside each centre: k-means must find the centres again, whichever unit wins."""
    prototypes = np.concatenate([CENTRES + step for step in ((0.3, 0), (-0.3, 0), (0, 0.3))])
    found, _ = score(model(prototypes), noisy, 0)
    group = two_nearest(noisy.features, CENTRES)[:, 0]
    best = max(np.mean(np.array(order)[group] == noisy.labels) for order in itertools.permutations(range(3)))
    assert found["accuracy"] == pytest.approx(best)
    assert best == pytest.approx(0.9)


def test_units_without_neighbours_have_no_topographic_error(noisy: Collection) -> None:
    found, _ = score(model(CENTRES), noisy, 0)
    assert "topographic_error_4" not in found
    hexagonal, _ = score(model(noisy.features[:6], Lattice(2, 3, "hexagonal")), noisy, 0)
    assert "topographic_error_hexagonal" in hexagonal


def test_a_deep_map_is_scored_in_its_latent_space(noisy: Collection) -> None:
    def encode(items: Collection) -> np.ndarray:
        return items.features[:, ::-1] * np.float32(2)

    plain, _ = score(model(CENTRES, Lattice(1, 3)), noisy, 0)
    latent, _ = score(model(CENTRES[:, ::-1] * 2, Lattice(1, 3), encode=encode), noisy, 0)
    assert latent.pop("quantization_error") == pytest.approx(2 * plain.pop("quantization_error"), rel=1e-5)
    assert latent == pytest.approx(plain)


def test_a_map_with_relevances_assigns_by_its_own_rule(noisy: Collection) -> None:
    """The first feature is irrelevant to every unit: Euclidean distances would give other units."""
    som = SOMRL(threshold=0.9, scale="min-max", random_state=0, verbose=False).fit(noisy.features)
    som.relevances_[:] = 1e-6, 1.0
    found, _ = score(som, noisy, 0)
    x, y = som.interval_.scaled(noisy.features), noisy.labels
    assert y is not None
    apart = np.array([[1e-6 * d**2 + e**2 for d, e in row - som.centres_] for row in x])
    best = apart.argmin(axis=1)
    assert (best != ((x[:, None] - som.centres_) ** 2).sum(2).argmin(axis=1)).mean() > 0.1
    majority = sum(max(np.sum(y[best == k] == c) for c in range(3)) for k in set(best))
    assert found["purity"] == pytest.approx(majority / 90)
    assert found["units"] == som.n_units_
    activation = 1 / (1 + apart.min(axis=1) / (1 + 1e-6))
    assert found["unassigned"] == pytest.approx(np.mean(activation < 0.9))
    assert "perturbation_ratio" not in found
    decoding = model(
        som.prototypes_,
        best_units=som.best_units,
        relevances_=som.relevances_,
        threshold=0.9,
        decode=lambda z: z * [1, 3],
    )
    assert score(decoding, noisy, 0)[0]["perturbation_ratio"] == pytest.approx(3.0)


def test_chance_is_what_shuffled_labels_give(noisy: Collection) -> None:
    found, chance = score(model(CENTRES), noisy, 0)
    assert found["purity"] == pytest.approx(0.9)
    assert 1 / 3 <= chance["purity"] < 0.55
    assert abs(chance["ari"]) < 0.1
    assert chance == score(model(CENTRES), noisy, 0)[1]


def test_items_without_labels_are_refused(noisy: Collection) -> None:
    with pytest.raises(InputError, match="have no label"):
        score(model(CENTRES), replace(noisy, labels=None), 0)
    with pytest.raises(InputError, match="have no label"):
        score(model(CENTRES), replace(noisy, labels=np.full(90, -1)), 0)
