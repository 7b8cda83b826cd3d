"""SOMClassifier: its formula against a plain loop, its limits, and how well it reads handwritten digits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from somscope import SOM, SOMClassifier
from somscope.errors import InputError
from somscope.maps.units import label_units


def _blobs(n: int = 120, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y = rng.integers(classes, size=n)
    return rng.normal(size=(n, 4)) + 3.0 * y[:, None], np.array(["ant", "bee", "cat"])[y]


@pytest.mark.parametrize("lattice", ["rectangular", "hexagonal"])
@pytest.mark.parametrize("toroidal", [False, True])
@pytest.mark.parametrize("radius", [0.0, 0.7])
def test_probabilities_are_those_of_the_formula(lattice: str, toroidal: bool, radius: float) -> None:
    x, y = _blobs()
    weight = np.random.default_rng(1).integers(0, 4, size=len(x)).astype(float)
    model = SOMClassifier((4, 3), lattice, toroidal=toroidal, n_passes=4, label_radius=radius, prior=0.5)
    model.fit(x, y, sample_weight=weight)
    units = model.som_.predict(x)
    gaps = model.som_.lattice_.distances()
    for k in range(12):
        mass = dict.fromkeys(model.classes_, 0.0)
        for unit, label, w in zip(units, y, weight, strict=True):
            near = np.exp(-(gaps[k, unit] ** 2) / (2 * radius**2)) if radius else float(k == unit)
            mass[label] += near * w
        for c, label in enumerate(model.classes_):
            share = weight[y == label].sum() / weight.sum()
            expected = (mass[label] + 0.5 * share) / (sum(mass.values()) + 0.5)
            assert model.unit_probabilities_[k, c] == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1.0, rtol=1e-12)


def test_labels_never_reach_the_map() -> None:
    x, y = _blobs()
    model = SOMClassifier((3, 3), random_state=0).fit(x, y)
    shuffled = SOMClassifier((3, 3), random_state=0).fit(x, y[::-1])
    alone = SOM((3, 3), random_state=0).fit(x)
    np.testing.assert_array_equal(model.som_.prototypes_, alone.prototypes_)
    np.testing.assert_array_equal(model.som_.prototypes_, shuffled.som_.prototypes_)


def test_a_unit_far_from_all_items_knows_the_class_shares_alone() -> None:
    x = np.concatenate([np.zeros((30, 2)), np.full((10, 2), 100.0)]) + np.random.default_rng(0).normal(
        size=(40, 2)
    )
    y = np.repeat([0, 1], [30, 10])
    model = SOMClassifier(
        grid=9, init=np.linspace([0.0, 0.0], [100.0, 100.0], 9), n_passes=1, radius=0.0, label_radius=0.1
    )
    with pytest.raises(InputError, match="radius"):
        SOMClassifier(radius=-1.0).fit(x, y)
    model.set_params(radius_decay="linear").fit(x, y)
    assert model.som_.hits_[4] == 0
    np.testing.assert_allclose(model.unit_probabilities_[4], [0.75, 0.25])
    assert model.unit_probabilities_[0, 0] > 0.95


def test_digits_are_read_far_above_chance_and_near_their_neighbours() -> None:
    x, y = load_digits(return_X_y=True)
    known, new, labels, truth = train_test_split(x, y, test_size=0.4, random_state=0, stratify=y)
    chance = DummyClassifier(strategy="prior").fit(known, labels).score(new, truth)
    neighbours = KNeighborsClassifier(5).fit(known, labels).score(new, truth)
    untrained = np.random.default_rng(0).normal(size=(225, 64))
    before = (
        SOMClassifier((15, 15), init=untrained, n_passes=1, radius=30.0).fit(known, labels).score(new, truth)
    )
    model = SOMClassifier((15, 15)).fit(known, labels)
    after = model.score(new, truth)
    assert chance < 0.11
    assert before < 0.6
    assert 0.92 < after < neighbours
    sure = model.predict_proba(new).max(axis=1)
    right = model.predict(new) == truth
    assert sure[right].mean() > sure[~right].mean() + 0.1  # it is less sure where it errs


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"prior": 0.0}, "prior=0.0"),
        ({"prior": np.nan}, "prior=nan"),
        ({"label_radius": -1.0}, "label_radius=-1.0"),
        ({"label_radius": "wide"}, "label_radius='wide'"),
        ({"lattice": "triangular"}, "rectangular, hexagonal"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        SOMClassifier(grid=(2, 2), **parameters).fit(*_blobs())


def test_labels_of_units_are_counted_where_they_are_known() -> None:
    units = np.array([0, 0, 0, 1, 1, 3])
    found = label_units(units, [7, 7, 5, -1, 5, -1], 4)
    assert found.classes.tolist() == [5, 7]
    assert found.majority.tolist() == [1, 0, -1, -1]
    np.testing.assert_allclose(found.share, [2 / 3, 1.0, np.nan, np.nan])
    np.testing.assert_allclose(found.shares[0], [1 / 3, 2 / 3])
    words = label_units(units, np.array(["b", "a", "b", "a", "b", "a"]), 4)
    assert words.classes[words.majority[[0, 1, 3]]].tolist() == ["b", "a", "a"]  # equal shares: the first


def test_a_map_names_its_units_from_a_few_labels() -> None:
    x, y = load_digits(return_X_y=True)
    few = np.full(len(y), -1)
    few[::8] = y[::8]
    found = SOM((8, 8)).fit(x).label_units(x, few)
    assert found.shares.shape == (64, 10)
    assert np.nanmean(found.share) > 0.7


def test_labels_of_another_length_or_without_any_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(2,\) labels for \(3,\) items"):
        label_units(np.zeros(3, np.int64), [0, 1], 2)
    with pytest.raises(InputError, match="no item has a label"):
        label_units(np.zeros(3, np.int64), [-1, -1, -1], 2)


def test_its_parameters_are_its_own_and_those_of_a_map_with_their_defaults() -> None:
    own, of_map = SOMClassifier().get_params(), SOM().get_params()
    assert set(own) == set(of_map) - {"n_clusters"} | {"label_radius", "prior"}
    assert {name: own[name] for name in own if name in of_map} == {
        n: v for n, v in of_map.items() if n in own
    }
    changed = SOMClassifier((3, 4), "hexagonal", prior=2.0, tol=0.5, init=(start := np.zeros((12, 4))))
    copy = clone(changed)
    assert copy.get_params()["init"].tolist() == start.tolist()
    assert changed.init is start
    assert [copy.grid, copy.lattice, copy.prior, copy.tol] == [(3, 4), "hexagonal", 2.0, 0.5]
    assert "tol=0.5" in repr(changed)
    for name in ("n_clusters", "gird"):
        with pytest.raises(TypeError, match=name):
            SOMClassifier(**{name: 3})


@pytest.mark.parametrize(
    ("y", "reason"),
    [
        (np.zeros(119), r"\[120, 119\]; needed: one label in y for each item of X"),
        (None, "requires y"),
        (np.linspace(0, 1, 120), "Unknown label type: continuous"),
        (np.full(120, np.nan), "Input y contains NaN"),
    ],
    ids=["short", "none", "continuous", "NaN"],
)
def test_wrong_labels_are_refused(y: object, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        SOMClassifier(grid=(2, 2)).fit(_blobs()[0], y)
