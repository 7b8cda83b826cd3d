"""partial_fit: the running mean in plain loops, and maps that come close to the one of all items at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits

from maps.transcriptions import best_unit, lattice_distance, strength
from somscope.errors import InputError
from somscope.maps.som import SOM


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("gaps", [False, True])
def test_prototypes_stay_the_mean_of_all_that_they_have_drawn(weighted, gaps):
    rng = np.random.default_rng(0)
    first, more = rng.standard_normal((60, 3)), rng.standard_normal((25, 3)) + 1
    if gaps:
        more[rng.random(more.shape) < 0.2] = np.nan
        more[0] = 0
    weight = rng.uniform(0.2, 3, 25) if weighted else np.ones(25)
    som = SOM(grid=(3, 3), radius=(1.5, 0.8), n_passes=5, random_state=0).fit(first)
    old, held = som.prototypes_.copy(), som.hits_.copy()
    best = [best_unit(x, old, "euclidean", np.ones(3)) for x in more]
    expected = old.copy()
    for k in range(9):
        h = [strength("gaussian", lattice_distance(som.lattice_, k, j), 0.8) for j in range(9)]
        before = sum(h[j] * held[j] for j in range(9))
        for f in range(3):
            seen = [i for i in range(25) if not np.isnan(more[i, f])]
            mass = before + sum(h[best[i]] * weight[i] for i in seen)
            expected[k, f] = (
                before * old[k, f] + sum(h[best[i]] * weight[i] * more[i, f] for i in seen)
            ) / mass
    som.partial_fit(more, sample_weight=weight if weighted else None)
    np.testing.assert_allclose(som.prototypes_, expected, atol=1e-10)
    np.testing.assert_array_equal(som.hits_, held + np.bincount(som.predict(more), minlength=9))


def test_the_first_call_is_fit(digits):
    one = SOM(grid=(4, 4), random_state=0).partial_fit(digits)
    other = SOM(grid=(4, 4), random_state=0).fit(digits)
    np.testing.assert_array_equal(one.prototypes_, other.prototypes_)


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_batch_after_batch_comes_close_to_all_at_once_and_never_falls_back(digits, metric):
    shuffled = digits[np.random.default_rng(1).permutation(len(digits))]
    train, held_out = shuffled[:1500], shuffled[1500:]
    som = SOM(grid=(7, 7), metric=metric, random_state=0).partial_fit(train[:300])
    first = som.quantization_error(held_out)
    for start in range(300, 1500, 300):
        som.partial_fit(train[start : start + 300])
        assert som.quantization_error(held_out) <= first
    whole = SOM(grid=(7, 7), metric=metric, random_state=0).fit(train)
    assert som.quantization_error(held_out) < 1.07 * whole.quantization_error(held_out)
    assert som.topographic_error(held_out) < whole.topographic_error(held_out) + 0.1
    assert som.hits_.sum() == 1500
    if metric == "cosine":
        np.testing.assert_allclose(np.linalg.norm(som.prototypes_, axis=1), 1)


def test_sparse_batches_refine_as_dense_ones_do(digits):
    dense = SOM(grid=(4, 4), random_state=0).fit(digits[:900]).partial_fit(digits[900:])
    compressed = (
        SOM(grid=(4, 4), random_state=0).fit(digits[:900]).partial_fit(sparse.csr_matrix(digits[900:]))
    )
    np.testing.assert_allclose(compressed.prototypes_, dense.prototypes_, atol=1e-9)


def test_a_given_map_has_drawn_nothing_yet(digits):
    start = digits[:16].reshape(4, 4, 64)
    som = SOM.from_prototypes(start).partial_fit(digits)
    assert som.quantization_error(digits) < 0.95 * SOM.from_prototypes(start).quantization_error(digits)


def test_a_loaded_map_goes_on_as_the_saved_one(tmp_path, digits):
    som = SOM(grid=(4, 4), random_state=0).fit(digits[:900], sample_weight=np.linspace(0.5, 2, 900))
    som.save(tmp_path)
    loaded = SOM.load(tmp_path).partial_fit(digits[900:])
    np.testing.assert_array_equal(loaded.prototypes_, som.partial_fit(digits[900:]).prototypes_)


def test_a_batch_of_another_width_is_refused(digits):
    som = SOM(grid=(4, 4), random_state=0).fit(digits)
    with pytest.raises(InputError, match="X has 60 features, but SOM is expecting 64"):
        som.partial_fit(digits[:, :60])
