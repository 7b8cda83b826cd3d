"""Data and parameters that no map can be made of: a clear error, which says what is allowed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError

from somscope.errors import InputError
from somscope.maps.som import SOM


@pytest.fixture(scope="module")
def x():
    return np.random.default_rng(0).standard_normal((60, 4))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
def test_one_item_and_items_that_are_all_equal(x, form):
    with pytest.raises(InputError, match=r"1 sample.*at least 2 different items"):
        SOM().fit(form(x[:1]))
    for n in (2, 50, 9000):
        with pytest.raises(InputError, match=f"all {n} items are equal"):
            SOM().fit(form(np.repeat(x[:1], n, axis=0)))
    with pytest.raises(InputError, match="all 50 items are equal"):
        SOM().fit(form(np.zeros((50, 3))))
    different = np.repeat(x[:1], 9000, axis=0)
    different[8999, 2] += 1
    assert SOM(grid=(1, 2), random_state=0).fit(form(different)).hits_.sum() == 9000


def test_equal_items_with_equal_gaps_and_items_of_weight_0(x):
    with pytest.raises(InputError, match="all 20 items are equal"):
        SOM().fit_blocks([np.ones((10, 3)), np.ones((10, 3))])
    weight = np.zeros(60)
    weight[:1] = 1
    with pytest.raises(InputError, match="1 sample"):
        SOM().fit(x, sample_weight=weight)


def test_constant_columns_are_no_trouble(x):
    x = np.column_stack([x, np.full(60, 7.0), np.zeros(60)])
    for options in ({}, {"metric": "cosine"}, {"metric": "manhattan"}, {"algorithm": "online"}):
        som = SOM(grid=(3, 3), random_state=0, **options).fit(x)
        assert np.isfinite(som.prototypes_).all()
        if options.get("metric") != "cosine":
            np.testing.assert_allclose(som.prototypes_[:, 4:], np.tile([7.0, 0.0], (9, 1)), atol=1e-12)


@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinite_values_and_where_they_lie(x, value):
    bad = x.copy()
    bad[17, 2] = value
    with pytest.raises(InputError, match="X contains inf: 1 infinite values, one in row 17, column 2"):
        SOM().fit(bad)
    with pytest.raises(InputError, match="row 17, column 2"):
        SOM(grid=(2, 2), random_state=0).fit(x).predict(bad)
    with pytest.raises(InputError, match="sparse and holds NaN or inf"):
        SOM().fit(sparse.csr_matrix(bad))


def test_a_grid_larger_than_the_data(x):
    with pytest.raises(InputError, match="grid 8x8 has 64 units for 60 items; at most one unit an item"):
        SOM(grid="8x8").fit(x)
    assert SOM(grid=60, random_state=0).fit(x).lattice_.n_units == 60


@pytest.mark.parametrize("n", [2, 3, 5, 10])
def test_very_few_items_still_make_a_map(x, n):
    for shape in ("rectangular", "hexagonal"):
        for toroidal in (False, True):
            som = SOM(lattice=shape, toroidal=toroidal, random_state=0).fit(x[:n])
            assert 1 <= som.lattice_.n_units <= n


def test_labels_never_reach_a_map(x):
    one = SOM(grid=(3, 3), random_state=0).fit(x, np.arange(60))
    np.testing.assert_array_equal(one.prototypes_, SOM(grid=(3, 3), random_state=0).fit(x).prototypes_)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"grid": "big"}, 'allowed: "auto", "20x20", \\(20, 20\\), or a number'),
        ({"grid": (3, 0)}, "at least 1"),
        ({"grid": (3, 3, 3)}, "is not understood"),
        ({"lattice": "cubic"}, "allowed: rectangular, hexagonal"),
        ({"lattice": "hexagonal", "toroidal": True, "grid": (3, 4)}, "even number of rows"),
        ({"neighbourhood": "box"}, "allowed: gaussian, cut-gaussian, bubble, epanechnikov, mexican-hat"),
        ({"toroidal": "yes"}, "allowed: True or False"),
        ({"learning_rate_decay": "bogus"}, "allowed: exponential, linear, inverse, asymptotic"),
        ({"radius": (1.0, 5.0)}, "the first must not be smaller"),
        ({"neighbourhood": "mexican-hat"}, "use algorithm='online'"),
        ({"radius": "wide"}, "allowed: 'auto', a number"),
        ({"radius": -1}, "allowed"),
        ({"radius": (1, 2, 3)}, "allowed"),
        ({"radius": (3, 0)}, "never reaches 0"),
        ({"radius_decay": "slow", "radius": (2, 1)}, "allowed: exponential, linear, inverse, asymptotic"),
        ({"algorithm": "fast"}, "allowed: batch, online"),
        ({"n_passes": 0}, "allowed: 'auto' or a whole number from 1"),
        ({"n_passes": 2.5}, "allowed: 'auto' or a whole number from 1"),
        ({"learning_rate": (-1, 0), "algorithm": "online"}, "allowed"),
        ({"learning_rate_decay": "slow", "algorithm": "online"}, "allowed: exponential, linear"),
        ({"init": "zeros"}, "allowed: pca, random, k-means\\+\\+"),
        ({"init": np.zeros((3, 4)), "grid": (2, 2)}, "init has shape \\(3, 4\\); needed: \\(4, 4\\)"),
        ({"init": np.full((4, 4), np.nan), "grid": (2, 2)}, "finite numbers"),
        ({"metric": "hamming"}, "allowed: euclidean, cosine, manhattan"),
        (
            {"feature_weights": [1, 2]},
            "feature_weights has shape \\(2,\\); needed: \\(4,\\), one for each feature",
        ),
        ({"feature_weights": [1, 2, -1, 0]}, "finite, 0 or more"),
        ({"feature_weights": "bogus"}, "feature_weights='bogus'; allowed: None, or 4 numbers of 0 or more"),
        ({"feature_weights": [[1], [2, 3]]}, "feature_weights=.*allowed: None, or 4 numbers of 0 or more"),
        ({"random_state": -1}, "random_state=-1; allowed: None, a whole number from 0"),
        ({"random_state": "seed"}, "random_state='seed'; allowed: None, a whole number from 0"),
        ({"learning_rate": 1.5}, "learning_rate=1.5; allowed: at most 1"),
        ({"feature_weights": [0, 0, 0, 0]}, "not all zero"),
        ({"n_clusters": 0}, "allowed: 1 to"),
        ({"n_clusters": 10, "grid": (3, 3)}, "allowed: 1 to 9, the number of units"),
        ({"n_clusters": 2.5}, "allowed: 1 to"),
        ({"tol": -1}, "tol=-1; allowed"),
        ({"tol": "small"}, "tol='small'; allowed"),
        ({"device": "tpu"}, "allowed: auto, cpu, cuda"),
    ],
    ids=str,
)
def test_unknown_values_of_parameters_list_the_allowed_ones(x, options, says):
    with pytest.raises(InputError, match=says):
        SOM(**options).fit(x)


@pytest.mark.parametrize(
    ("weight", "says"),
    [
        (np.ones(59), r"sample_weight has shape \(59,\); needed: \(60,\), one for each item"),
        (np.full(60, -1.0), "finite, 0 or more"),
        (np.full(60, np.nan), "finite, 0 or more"),
        (np.zeros(60), "not all zero"),
    ],
    ids=["short", "negative", "NaN", "zero"],
)
def test_weights_that_are_none(x, weight, says):
    with pytest.raises(InputError, match=says):
        SOM(grid=(2, 2)).fit(x, sample_weight=weight)
    with pytest.raises(InputError, match=says):
        SOM(grid=(2, 2), random_state=0).fit(x).partial_fit(x, sample_weight=weight)


def test_items_of_another_kind_than_the_map_was_trained_on(x):
    som = SOM(grid=(2, 2), random_state=0).fit(x)
    for method in (som.predict, som.transform, som.best_units, som.quantization_error, som.impute):
        with pytest.raises(InputError, match="X has 3 features, but SOM is expecting 4 features"):
            method(x[:, :3])
    with pytest.raises(InputError, match="k=5: a map of 4 units has 1 to 4 best units"):
        som.best_units(x, k=5)
    with pytest.raises(InputError, match="dense array"):
        som.impute(sparse.csr_matrix(x))
    with pytest.raises(InputError):
        som.predict(x[0])
    with pytest.raises(InputError):
        SOM().fit([["a", "b"], ["c", "d"]])
    single = SOM.from_prototypes(np.zeros((1, 1, 4)))
    assert single.predict(x).tolist() == [0] * 60
    with pytest.raises(InputError, match="1 to 1 best units"):
        single.topographic_error(x)


def test_values_whose_squares_overflow_are_refused():
    x = np.random.default_rng(0).normal(size=(60, 3)) * 1e200
    with pytest.raises(InputError, match="squares overflow"):
        SOM(grid=(2, 2)).fit(x)


def test_an_iterator_is_sent_to_fit_blocks():
    with pytest.raises(InputError, match="fit_blocks"):
        SOM(grid=(2, 2)).fit(iter([np.zeros((5, 2))]))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"metric": "manhattan"}, "X is sparse, and metric='manhattan' needs a dense array"),
        ({"algorithm": "online"}, "X is sparse, and algorithm='online' needs a dense array"),
    ],
    ids=str,
)
def test_sparse_items_where_they_cannot_be_taken(x, options, says):
    for form in (sparse.csr_matrix, sparse.csc_array, sparse.coo_matrix):
        with pytest.raises(
            InputError, match=says + r".*algorithm='batch' with metric 'euclidean' or 'cosine'"
        ):
            SOM(grid=(2, 2), **options).fit(form(x))
        with pytest.raises(InputError, match=says):
            SOM(grid=(2, 2), random_state=0, **options).fit(x).predict(form(x))


def test_items_without_any_value_are_refused_wherever_they_are_mapped(x, tmp_path, monkeypatch):
    gaps = x.copy()
    gaps[::3, 1] = np.nan
    som = SOM(grid=(3, 3), random_state=0).fit(gaps)
    gaps[[7, 20, 33]] = np.nan
    says = r"has 3 item\(s\) without any value, the first in row 7"
    for call in (
        SOM(grid=(3, 3)).fit, som.predict, som.transform, som.impute, som.best_units, som.partial_fit,
        lambda x: som.best_units(x, k=3), som.quantization_error,
    ):  # fmt: skip
        with pytest.raises(InputError, match="X " + says):
            call(gaps)
    with pytest.raises(InputError, match="block 1 " + says):
        SOM(grid=(3, 3)).fit_blocks([x, gaps])
    np.save(tmp_path / "x.npy", gaps)
    monkeypatch.setattr("somscope.maps.som.BLOCK_BYTES", 100)
    with pytest.raises(InputError, match=r"block 0 \(of \d+ rows\) " + says):
        SOM(grid=(3, 3)).fit(np.load(tmp_path / "x.npy", mmap_mode="r"))
    weighted = SOM(grid=(3, 3), feature_weights=[0, 1, 0, 0])
    with pytest.raises(InputError, match=r"the first in row 0: NaN in every feature \(of positive weight\)"):
        weighted.fit(np.where(np.arange(60)[:, None] % 3 == 0, [1, np.nan, 1, 1], x))


def test_the_first_partial_fit_takes_what_fit_takes_and_says_what_it_needs(tmp_path, monkeypatch, x):
    with pytest.raises(InputError, match="at least 2 different items to start from"):
        SOM().partial_fit(x[:1])
    with pytest.raises(InputError, match=r"all 5 items are equal.*starts from at least 2 different items"):
        SOM().partial_fit(np.repeat(x[:1], 5, axis=0))
    with pytest.raises(InputError, match="at most one unit an item"):
        SOM(grid=(3, 3)).partial_fit(x[:5])
    som = (
        SOM(grid=(3, 3), random_state=0).partial_fit(x[:20]).partial_fit(x[20:21])
    )  # later ones may be alone
    assert som.hits_.sum() == 21
    np.save(tmp_path / "x.npy", x)
    monkeypatch.setattr("somscope.maps.som.BLOCK_BYTES", 100)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    one, other = SOM(grid=(3, 3), random_state=0).partial_fit(mapped), SOM(grid=(3, 3), random_state=0).fit(x)
    np.testing.assert_allclose(one.prototypes_, other.prototypes_, atol=1e-9)


def test_a_fit_that_is_refused_leaves_no_half_of_a_map(x):
    som = SOM(grid=(3, 3), radius_decay=lambda t, a, b: -1.0)
    with pytest.raises(InputError, match="must stay finite"):
        som.fit(x)
    with pytest.raises(NotFittedError):
        som.predict(x)
