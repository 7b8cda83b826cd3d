"""The estimator: it learns, its defaults choose a good map, and its methods agree with each other."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from somscope.data import open_collection
from somscope.errors import InputError
from somscope.maps.lattice import Lattice
from somscope.maps.som import SOM
from somscope.maps.units import label_units


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0]


@pytest.fixture(scope="module")
def fitted(digits):
    return SOM(grid=(8, 9), lattice="hexagonal", random_state=0).fit(digits)


@pytest.fixture(scope="module")
def clothes():
    return open_collection("fashion-mnist:sample").matrix()[:3000]


@pytest.mark.parametrize("lattice", ["rectangular", "hexagonal"])
@pytest.mark.parametrize("toroidal", [False, True])
def test_it_learns_digits(digits, lattice, toroidal):
    noise = np.random.default_rng(0).uniform(0, 16, (80, 64))
    before = SOM.from_prototypes(noise.reshape(8, 10, 64), lattice, toroidal=toroidal)
    assert before.quantization_error(digits) > 45
    assert before.topographic_error(digits) > 0.6
    after = SOM(grid=(8, 10), lattice=lattice, toroidal=toroidal, random_state=0).fit(digits)
    assert after.quantization_error(digits) < 22
    assert after.topographic_error(digits) < 0.2


@pytest.mark.parametrize("init", ["random", "k-means++", "pca"])
def test_it_learns_clothes(clothes, init):
    rows = np.random.default_rng(0).choice(3000, 100, replace=False)
    before = SOM.from_prototypes(clothes[rows].reshape(10, 10, 784))
    after = SOM(grid=(10, 10), init=init, random_state=0).fit(clothes)
    assert before.topographic_error(clothes) > 0.6
    assert after.topographic_error(clothes) < 0.2
    assert before.quantization_error(clothes) > 5.3
    assert after.quantization_error(clothes) < 4.8


def test_defaults_choose_a_good_map(digits):
    som = SOM(random_state=0).fit(digits)
    mean = np.linalg.norm(digits - digits.mean(axis=0), axis=1).mean()
    assert 150 <= som.lattice_.n_units <= 260  # 5 sqrt(1797) = 212
    assert som.quantization_error(digits) < 0.55 * mean
    assert som.topographic_error(digits) < 0.2
    assert {"grid", "radius", "n_passes"} <= set(som.chosen_)
    assert f"{som.lattice_.rows}x{som.lattice_.columns}" in som.chosen_["grid"]


def test_the_error_falls_over_the_passes(fitted):
    errors = fitted.history_["quantization_error"]
    assert errors[-1] < errors[0]
    lengths = {name: len(values) for name, values in fitted.history_.items()}
    assert set(lengths.values()) == {fitted.n_iter_}
    assert {"pass", "radius", "quantization_error", "moved", "seconds"} <= set(lengths)


def test_labels_hits_and_inertia_are_those_of_the_training_items(digits, fitted):
    np.testing.assert_array_equal(fitted.labels_, fitted.predict(digits))
    np.testing.assert_array_equal(fitted.hits_, np.bincount(fitted.labels_, minlength=72))
    assert fitted.inertia_ == pytest.approx(fitted.quantization_error(digits))
    assert fitted.score(digits) == -fitted.quantization_error(digits)


def test_the_u_matrix_is_the_mean_distance_to_the_neighbours(fitted):
    near = fitted.lattice_.adjacency()
    expected = [
        np.mean(
            [np.linalg.norm(fitted.prototypes_[k] - fitted.prototypes_[j]) for j in range(72) if near[k, j]]
        )
        for k in range(72)
    ]
    np.testing.assert_allclose(fitted.u_matrix_, np.reshape(expected, (8, 9)))


@pytest.mark.parametrize("k", [1, 2, 3, 72])
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_best_units_are_the_smallest_distances(digits, fitted, k, metric):
    som = SOM.from_prototypes(fitted.prototypes_, fitted.lattice_, metric=metric)
    distances = som.transform(digits[:200])
    units, near = som.best_units(digits[:200], k=k)
    np.testing.assert_allclose(near, np.sort(distances, axis=1)[:, :k], atol=1e-7)
    np.testing.assert_array_equal(units, np.argsort(distances, axis=1, kind="stable")[:, :k])


def test_equal_prototypes_come_in_the_order_of_their_units():
    som = SOM.from_prototypes(np.zeros((2, 3, 4)))
    for k in (1, 2, 3, 6):
        assert som.best_units(np.ones((2, 4)), k=k)[0].tolist() == [list(range(k))] * 2


def test_the_topographic_error_counts_second_units_that_are_no_neighbours(digits, fitted):
    units, _ = fitted.best_units(digits)
    apart = np.mean(fitted.lattice_.steps()[units[:, 0], units[:, 1]] > 1)
    assert fitted.topographic_error(digits) == pytest.approx(apart)
    square = SOM.from_prototypes(fitted.prototypes_, Lattice(8, 9))
    assert square.topographic_error(digits, "4") >= square.topographic_error(digits, "8")
    with pytest.raises(InputError, match="allowed: hexagonal"):
        fitted.topographic_error(digits, "4")


def test_the_float_type_of_the_items_is_kept(digits):
    for dtype in (np.float32, np.float64):
        som = SOM(grid=(4, 4), random_state=0).fit(digits.astype(dtype))
        assert som.prototypes_.dtype == dtype
        assert som.transform(digits[:3].astype(dtype)).dtype == dtype


def test_tensors_collections_and_whole_numbers_are_taken(digits):
    expected = SOM(grid=(4, 4), random_state=0).fit(digits.astype(np.float32)).prototypes_
    for x in (
        torch.as_tensor(digits, dtype=torch.float32),
        digits.astype(np.uint8),
        digits.astype(np.float16),
    ):
        np.testing.assert_allclose(SOM(grid=(4, 4), random_state=0).fit(x).prototypes_, expected, atol=1e-4)
    collection = open_collection(digits.astype(np.float32))
    np.testing.assert_array_equal(SOM(grid=(4, 4), random_state=0).fit(collection).prototypes_, expected)
    half = torch.as_tensor(digits).to(torch.bfloat16)
    np.testing.assert_allclose(SOM(grid=(4, 4), random_state=0).fit(half).prototypes_, expected, atol=1e-4)


def test_a_map_from_prototypes_can_be_used_at_once(digits, fitted):
    given = SOM.from_prototypes(fitted.prototypes_.reshape(8, 9, 64), "hexagonal")
    np.testing.assert_array_equal(given.predict(digits), fitted.labels_)
    np.testing.assert_allclose(given.u_matrix_, fitted.u_matrix_)
    assert given.hits_.sum() == 0
    for grid in ((8, 9), "8x9"):
        flat = SOM.from_prototypes(fitted.prototypes_, "hexagonal", grid=grid)
        np.testing.assert_array_equal(flat.prototypes_, given.prototypes_)
        assert flat.lattice_ == given.lattice_
    assert SOM.from_prototypes(fitted.prototypes_, grid=72).lattice_ == Lattice(1, 72)
    assert given.stop_reason_ == "given prototypes"
    assert SOM.from_prototypes([[[1, 2], [3, 4]]]).prototypes_.dtype == np.float64
    for bad, says in [
        (np.zeros((6, 4)), r"needed: \(rows, columns, d\), or \(K, d\) with grid=\(rows, columns\)"),
        (np.full((2, 3, 4), np.nan), "prototype 0 is not finite"),
    ]:
        with pytest.raises(InputError, match=says):
            SOM.from_prototypes(bad)
    with pytest.raises(InputError, match="12 prototypes for the 6 units"):
        SOM.from_prototypes(np.zeros((12, 4)), grid=(2, 3))
    with pytest.raises(InputError, match=r"grid=\(3, 2\), but the lattice given is"):
        SOM.from_prototypes(np.zeros((6, 4)), Lattice(2, 3), grid=(3, 2))
    with pytest.raises(InputError, match="5 prototypes for the 6 units"):
        SOM.from_prototypes(np.zeros((5, 4)), Lattice(2, 3))
    with pytest.raises(InputError, match="allowed: euclidean"):
        SOM.from_prototypes(np.zeros((2, 3, 4)), metric="hamming")


@pytest.mark.parametrize("n_clusters", [1, 2, 5, 12])
def test_clusters_are_connected_on_the_lattice(digits, n_clusters):
    som = SOM(grid=(8, 8), n_clusters=n_clusters, random_state=0).fit(digits)
    clusters = som.unit_clusters_
    assert set(clusters) == set(range(n_clusters))
    near = som.lattice_.adjacency()
    for cluster in range(n_clusters):
        members = np.flatnonzero(clusters == cluster)
        reached = {members[0]}
        while more := {j for k in reached for j in members if near[k, j]} - reached:
            reached |= more
        assert reached == set(members)
    np.testing.assert_array_equal(som.labels_, clusters[som.best_units(digits, k=1)[0][:, 0]])


def test_a_pickled_map_and_a_clone(digits, fitted):
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(digits), fitted.labels_)
    assert again.get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "prototypes_")


def test_fitting_again_leaves_nothing_of_the_map_before(digits):
    som = SOM(grid=(4, 4), n_clusters=3, random_state=0).fit(digits)
    som.set_params(n_clusters=None).fit_blocks([digits[:, :30]])
    assert not hasattr(som, "unit_clusters_")
    assert not hasattr(som, "labels_")
    assert som.n_features_in_ == 30


def test_fitted_attributes_are_those_of_the_manual(fitted):
    public = {name for name in vars(fitted) if name.endswith("_") and not name.startswith("_")}
    documented = {
        "prototypes_", "lattice_", "labels_", "hits_", "u_matrix_", "inertia_", "radius_", "n_iter_", "stop_reason_",
        "history_", "chosen_", "n_features_in_",
    }  # fmt: skip
    assert documented <= public <= documented | {"device_", "feature_names_in_"}


@pytest.mark.parametrize("bad", [np.ones((50, 7)), pd.DataFrame(np.ones((50, 7)), columns=list("abcdefg"))])
def test_a_fit_that_fails_leaves_the_fitted_map_as_it_was(bad):
    x = np.random.default_rng(0).random((60, 5))
    som = SOM(grid=(3, 3), random_state=0).fit(x)
    before = som.predict(x)
    with pytest.raises(InputError, match="equal"):
        som.fit(bad)
    np.testing.assert_array_equal(som.predict(x), before)
    assert not hasattr(som, "feature_names_in_")


@pytest.mark.parametrize("kind", [np.float64, object])
def test_minus_one_is_no_label_whatever_its_type(kind):
    labels = label_units(np.array([0, 0, 1]), np.array([-1, -1, 2]).astype(kind), 2)
    np.testing.assert_array_equal(labels.majority, [-1, 0])
    np.testing.assert_array_equal(labels.classes, [2])
