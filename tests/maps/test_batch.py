"""The batch rule against its transcription in plain loops, for every form of items, and the step used on its own."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from maps.transcriptions import batch_pass, best_unit
from somscope.errors import InputError
from somscope.maps.batch import Schedule, batch_step, train_batch
from somscope.maps.inputs import as_items
from somscope.maps.lattice import Lattice

NAMES = ("gaussian", "cut-gaussian", "bubble", "epanechnikov")
METRICS = ("euclidean", "cosine", "manhattan")
LATTICES = (
    Lattice(3, 4),
    Lattice(4, 3, "hexagonal"),
    Lattice(4, 3, "hexagonal", toroidal=True),
    Lattice(3, 3, toroidal=True),
    Lattice(1, 6),
)


def one_pass(x, start, lattice, name, radius, metric="euclidean", features=None, samples=None):
    items = as_items(x, metric, features, samples)
    plan = Schedule(np.array([radius]))
    dtype = np.dtype(np.float64)
    return train_batch(items, start, lattice, name, metric, plan, dtype).prototypes


def example(seed, lattice, n=30, d=4):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal((lattice.n_units, d))


@pytest.mark.parametrize("lattice", LATTICES, ids=str)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("metric", METRICS)
def test_a_pass_is_that_of_the_transcription(lattice, name, metric):
    x, start = example(1, lattice)
    if metric == "cosine":
        start /= np.linalg.norm(start, axis=1, keepdims=True)
    new = one_pass(x, start, lattice, name, 1.3, metric)
    np.testing.assert_allclose(new, batch_pass(x, start, lattice, name, 1.3, metric), atol=1e-10)


@given(
    st.sampled_from(LATTICES), st.sampled_from(NAMES), st.sampled_from(METRICS), st.sampled_from([0.0, 0.6, 1.3, 2.9]),
    st.booleans(), st.booleans(), st.booleans(), st.integers(0, 10**6),
)  # fmt: skip
@settings(max_examples=30)
def test_weights_of_items_and_features_and_gaps(
    lattice, name, metric, radius, by_item, by_feature, gaps, seed
):
    x, start = example(seed, lattice, n=20, d=3)
    rng = np.random.default_rng(seed)
    samples = rng.uniform(0.1, 2, len(x)) if by_item else None
    features = rng.uniform(0.1, 2, 3) if by_feature else None
    if metric == "cosine":
        start /= np.linalg.norm(start, axis=1, keepdims=True)
    elif gaps:
        x[np.arange(20), rng.integers(0, 3, 20)] = np.nan
        x[0] = rng.standard_normal(3)
    new = one_pass(x, start, lattice, name, radius, metric, features, samples)
    expected = batch_pass(x, start, lattice, name, radius, metric, features, samples)
    np.testing.assert_allclose(new, expected, atol=1e-10)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_sparse_matrix_gives_what_the_dense_one_gives(metric, weighted):
    lattice = Lattice(4, 3)
    x, start = example(2, lattice, n=60, d=8)
    x[np.random.default_rng(2).random(x.shape) < 0.6] = 0.0
    samples = np.linspace(0.5, 2, 60) if weighted else None
    features = np.linspace(0, 2, 8) if weighted else None
    dense = one_pass(x, start, lattice, "gaussian", 1.0, metric, features, samples)
    for form in (sparse.csr_matrix, sparse.csr_array):
        again = one_pass(form(x), start, lattice, "gaussian", 1.0, metric, features, samples)
        np.testing.assert_allclose(again, dense, atol=1e-12)


def test_a_sparse_matrix_with_repeated_entries_is_summed_and_left_as_it_was():
    lattice = Lattice(2, 2)
    _, start = example(3, lattice, d=3)
    x = sparse.csr_matrix(
        (np.array([1.0, 2.0, 4.0, 5.0]), np.array([2, 2, 0, 1]), np.array([0, 2, 3, 4])), shape=(3, 3)
    )
    kept = x.copy()
    new = one_pass(x, start, lattice, "gaussian", 1.0)
    np.testing.assert_allclose(new, batch_pass(x.toarray(), start, lattice, "gaussian", 1.0), atol=1e-12)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(x, part), getattr(kept, part))


def test_several_passes_follow_the_schedule_and_the_history_tells_them():
    lattice = Lattice(3, 3)
    x, start = example(4, lattice, n=40, d=3)
    radii = np.array([2.0, 1.0, 0.5])
    trained = train_batch(
        as_items(x, "euclidean"), start, lattice, "gaussian", "euclidean", Schedule(radii), np.dtype(float)
    )
    m, errors = start, []
    for radius in radii:
        best = [best_unit(item, m, "euclidean", np.ones(3)) for item in x]
        errors.append(np.mean([np.linalg.norm(item - m[k]) for item, k in zip(x, best, strict=True)]))
        m = batch_pass(x, m, lattice, "gaussian", radius)
    np.testing.assert_allclose(trained.prototypes, m, atol=1e-10)
    np.testing.assert_allclose(trained.history["quantization_error"], errors)
    assert trained.history["pass"] == [1, 2, 3]
    assert trained.history["radius"] == radii.tolist()
    assert trained.stop_reason == "schedule finished"


def test_the_step_alone_is_a_pass_of_the_map():
    lattice = Lattice(3, 4, "hexagonal")
    x, start = example(5, lattice)
    new, units, distances = batch_step(start, x, lattice, 1.1)
    np.testing.assert_allclose(new, batch_pass(x, start, lattice, "gaussian", 1.1), atol=1e-10)
    assert units.tolist() == [best_unit(item, start, "euclidean", np.ones(4)) for item in x]
    np.testing.assert_allclose(distances, np.linalg.norm(x - start[units], axis=1))
    with pytest.raises(InputError, match=r"prototypes have shape \(12, 3\); needed: \(12, 4\)"):
        batch_step(start[:, :3], x, lattice, 1.1)


def test_a_unit_that_nothing_reaches_keeps_its_prototype():
    x = np.zeros((5, 2))
    start = np.array([[0.1, 0.0], [9.0, 9.0], [5.0, -7.0]])
    new = one_pass(x, start, Lattice(1, 3), "bubble", 0.0)
    np.testing.assert_array_equal(new, [[0, 0], [9, 9], [5, -7]])


def test_a_step_refuses_the_mexican_hat():
    with pytest.raises(InputError, match=r"mexican-hat.*no mean.*algorithm='online'"):
        batch_step(np.zeros((4, 2)), np.ones((3, 2)), Lattice(2, 2), 1.0, "mexican-hat")
