"""Two roads to one map: k-means, symmetries of items and lattice, repetition and weights, blocks, threads."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits

from somscope.maps.batch import Schedule, train_batch
from somscope.maps.inputs import as_items
from somscope.maps.lattice import Lattice
from somscope.maps.som import SOM


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0]


# With a first and a last radius a map has no organising phase, whose batches are drawn by place.
CLASSIC = {"radius": (3.0, 0.5), "random_state": 3}


def mixture(n=600, d=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) + 4 * rng.standard_normal((8, d))[rng.integers(8, size=n)]


def test_radius_0_is_lloyds_k_means():
    x = mixture()
    start = x[np.random.default_rng(1).choice(len(x), 9, replace=False)]
    passes = 4
    plan = Schedule(np.zeros(passes))
    ours = train_batch(
        as_items(x, "euclidean"), start, Lattice(3, 3), "gaussian", "euclidean", plan, np.dtype(float)
    )
    assert len(ours.history["pass"]) == passes
    theirs = KMeans(9, init=start, n_init=1, max_iter=passes, tol=0.0, algorithm="lloyd")
    with warnings.catch_warnings(action="ignore"):  # that it has not converged is the point
        theirs.fit(x)
    np.testing.assert_allclose(ours.prototypes, theirs.cluster_centers_, atol=1e-10)


@pytest.mark.parametrize("init", ["pca", "random", "k-means++"])
def test_the_order_of_the_items_does_not_matter(init):
    x = mixture()
    order = np.random.default_rng(2).permutation(len(x))
    one = SOM(grid=(4, 5), init=init, **CLASSIC).fit(x)
    other = SOM(grid=(4, 5), init=init, **CLASSIC).fit(x[order])
    np.testing.assert_allclose(other.prototypes_, one.prototypes_, atol=1e-9)
    np.testing.assert_array_equal(other.labels_, one.labels_[order])


@pytest.mark.parametrize(
    ("shape", "symmetry"),
    [
        ("rectangular", "left-right"),
        ("rectangular", "up-down"),
        ("rectangular", "half turn"),
        ("rectangular", "transposed"),
        ("hexagonal", "up-down"),  # the odd rows of five are shifted to one side: it has no other symmetry
    ],
)
def test_a_lattice_turned_with_its_start_gives_the_map_turned(shape, symmetry):
    lattice = Lattice(5, 5, shape)
    turn = {
        "left-right": lambda grid: grid[:, ::-1],
        "up-down": lambda grid: grid[::-1],
        "half turn": lambda grid: grid[::-1, ::-1],
        "transposed": lambda grid: grid.T,
    }[symmetry]
    if shape == "hexagonal" and symmetry != "up-down":
        pytest.skip(
            "rows of a hexagonal lattice of 5 rows are shifted to one side: it has only this symmetry"
        )
    x = mixture()
    start = np.random.default_rng(4).standard_normal((25, 3))
    turned = turn(np.arange(25).reshape(5, 5)).ravel()
    plan = Schedule(np.linspace(2.5, 0.5, 6))
    items = as_items(x, "euclidean")
    one, other = (
        train_batch(items, begin, lattice, "gaussian", "euclidean", plan, np.dtype(float)).prototypes
        for begin in (start, start[turned])
    )
    np.testing.assert_allclose(other, one[turned], atol=1e-9)


@pytest.mark.parametrize("algorithm", ["batch", "online"])
@pytest.mark.parametrize("init", ["pca", "random", "k-means++"])
def test_a_whole_weight_is_a_repetition_and_0_leaves_out(algorithm, init):
    x = mixture(n=300)
    weights = np.random.default_rng(5).integers(0, 4, len(x))
    plain = SOM(grid=(4, 4), algorithm=algorithm, init=init, n_passes=5, **CLASSIC)
    weighted = SOM(**plain.get_params()).fit(x, sample_weight=weights)
    repeated = plain.fit(np.repeat(x, weights, axis=0))
    np.testing.assert_allclose(weighted.prototypes_, repeated.prototypes_, atol=1e-9)
    assert weighted.inertia_ == pytest.approx(repeated.inertia_)
    assert weighted.labels_.shape == (300,)
    np.testing.assert_array_equal(weighted.labels_, weighted.predict(x))


def test_sparse_items_give_the_map_of_dense_ones(digits):
    for metric in ("euclidean", "cosine"):
        dense = SOM(grid=(5, 6), metric=metric, random_state=0).fit(digits)
        compressed = SOM(grid=(5, 6), metric=metric, random_state=0).fit(sparse.csr_matrix(digits))
        np.testing.assert_allclose(compressed.prototypes_, dense.prototypes_, atol=1e-9)
        np.testing.assert_array_equal(compressed.labels_, dense.labels_)
        np.testing.assert_allclose(
            compressed.transform(sparse.csr_matrix(digits[:50])), dense.transform(digits[:50]), atol=1e-7
        )


def test_feature_weights_are_scaled_columns(digits):
    weights = np.random.default_rng(6).uniform(0.1, 2, 64)
    weighted = SOM(grid=(5, 6), feature_weights=weights, random_state=0).fit(digits)
    scaled = SOM(grid=(5, 6), random_state=0).fit(digits * np.sqrt(weights))
    np.testing.assert_allclose(weighted.prototypes_ * np.sqrt(weights), scaled.prototypes_, atol=1e-8)
    np.testing.assert_array_equal(weighted.labels_, scaled.labels_)
    np.testing.assert_allclose(weighted.u_matrix_, scaled.u_matrix_)
    np.testing.assert_allclose(
        weighted.transform(digits[:20]), scaled.transform(digits[:20] * np.sqrt(weights))
    )


def test_a_feature_of_weight_0_is_carried_along_and_not_looked_at(digits):
    weights = np.ones(64)
    weights[:32] = 0
    whole = SOM(grid=(4, 5), feature_weights=weights, random_state=0).fit(digits)
    half = SOM(grid=(4, 5), random_state=0).fit(digits[:, 32:])
    np.testing.assert_array_equal(whole.labels_, half.labels_)
    np.testing.assert_allclose(whole.prototypes_[:, 32:], half.prototypes_, atol=1e-9)
    assert np.ptp(whole.prototypes_[:, :32], axis=0).max() > 1


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metric": "cosine"},
        {"metric": "manhattan"},
        {"init": "k-means++", "lattice": "hexagonal"},
        {"algorithm": "online"},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_map_is_the_same_bit_for_bit_on_any_number_of_threads(options, dtype):
    rng = np.random.default_rng(7)
    x = (
        rng.standard_normal((700, 5)) @ rng.standard_normal((5, 120)) + rng.standard_normal((700, 120))
    ).astype(dtype)
    maps, threads = [], torch.get_num_threads()
    try:
        for n in (1, 2, 3, 1):
            torch.set_num_threads(n)
            maps.append(SOM(grid=(6, 7), n_passes=4, random_state=0, **options).fit(x))
    finally:
        torch.set_num_threads(threads)
    for other in maps[1:]:
        np.testing.assert_array_equal(other.prototypes_, maps[0].prototypes_)
        np.testing.assert_array_equal(other.labels_, maps[0].labels_)
        assert other.history_["quantization_error"] == maps[0].history_["quantization_error"]


def test_sparse_maps_and_maps_with_gaps_are_the_same_on_any_number_of_threads(digits):
    gaps = np.where(np.random.default_rng(8).random(digits.shape) < 0.05, np.nan, digits)
    threads = torch.get_num_threads()
    for x in (sparse.csr_matrix(digits), gaps):
        maps = []
        try:
            for n in (1, 3):
                torch.set_num_threads(n)
                maps.append(SOM(grid=(5, 5), n_passes=3, random_state=0).fit(x).prototypes_)
        finally:
            torch.set_num_threads(threads)
        np.testing.assert_array_equal(maps[0], maps[1])


def test_the_map_is_the_same_whatever_the_linear_algebra_library_does_with_its_threads(tmp_path, digits):
    code = (
        "import numpy as np, sys; from sklearn.datasets import load_digits; from somscope.maps.som import SOM\n"
        "x = np.repeat(load_digits(return_X_y=True)[0], 5, axis=1)\n"
        "np.save(sys.argv[1], SOM(grid=(8, 8), n_passes=3, random_state=0).fit(x).prototypes_)"
    )
    maps = []
    for threads in ("1", "4"):
        env = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        file = tmp_path / f"{threads}.npy"
        subprocess.run([sys.executable, "-c", code, str(file)], env=env, check=True, timeout=120)
        maps.append(np.load(file))
    np.testing.assert_array_equal(maps[0], maps[1])
