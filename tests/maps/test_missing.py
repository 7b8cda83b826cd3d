"""Missing values: distances over what was observed, maps from items with gaps, and gaps filled in."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from maps.transcriptions import distance
from somscope.errors import InputError
from somscope.maps.items import DenseItems
from somscope.maps.som import SOM


def with_gaps(x, share, seed=0):
    return np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distances_are_taken_over_what_was_observed(metric, dtype):
    rng = np.random.default_rng(1)
    x = with_gaps(rng.standard_normal((60, 5)), 0.3).astype(dtype)
    x = x[~np.isnan(x).all(axis=1)]
    prototypes = rng.standard_normal((7, 5)).astype(dtype)
    weights = rng.uniform(0.5, 2, 5)
    expected = np.array([[distance(item, m, metric, weights) for m in prototypes] for item in x])
    units, distances = DenseItems(x, metric, weights, missing=True).nearest(prototypes, second=True)
    np.testing.assert_array_equal(units, np.argsort(expected, axis=1)[:, :2])
    np.testing.assert_allclose(distances, np.sort(expected, axis=1)[:, :2], rtol=1e-6)
    som = SOM.from_prototypes(prototypes[None], metric=metric).set_params(feature_weights=weights)
    np.testing.assert_allclose(som.transform(x), expected, rtol=1e-5)
    np.testing.assert_array_equal(som.best_units(x, k=7)[0], np.argsort(expected, axis=1))


def test_an_item_without_any_value_goes_to_unit_0_at_distance_0():
    x = np.array([[np.nan, np.nan], [1.0, np.nan]])
    units, distances = DenseItems(x, missing=True).nearest(np.array([[5.0, 5.0], [1.0, 9.0]]))
    assert units.ravel().tolist() == [0, 1]
    assert distances.ravel().tolist() == [0.0, 0.0]


def test_a_map_learns_from_items_with_gaps():
    digits = load_digits(return_X_y=True)[0]
    whole = SOM(grid=(8, 8), random_state=0).fit(digits)
    gapped = SOM(grid=(8, 8), random_state=0).fit(with_gaps(digits, 0.3))
    assert np.isfinite(gapped.prototypes_).all()
    assert gapped.quantization_error(digits) < 1.05 * whole.quantization_error(digits)
    assert gapped.topographic_error(digits) < 0.2


def test_imputed_values_are_closer_to_the_truth_than_column_means():
    digits = load_digits(return_X_y=True)[0]
    train, test = digits[:1200], digits[1200:]
    som = SOM(random_state=0).fit(with_gaps(train, 0.1, seed=2))
    gapped = with_gaps(test, 0.1, seed=3)
    gaps = np.isnan(gapped)
    filled = som.impute(gapped)
    np.testing.assert_array_equal(filled[~gaps], test[~gaps])
    error = np.sqrt(np.mean((filled[gaps] - test[gaps]) ** 2))
    by_means = np.sqrt(np.mean((np.broadcast_to(train.mean(axis=0), test.shape)[gaps] - test[gaps]) ** 2))
    assert error < 0.75 * by_means


def test_one_item_with_gaps_can_be_placed_and_filled():
    digits = load_digits(return_X_y=True)[0]
    som = SOM(grid=(6, 6), random_state=0).fit(digits)
    item = digits[:1].copy()
    item[0, 20:30] = np.nan
    unit = som.predict(item)[0]
    np.testing.assert_array_equal(som.impute(item)[0, 20:30], som.prototypes_[unit, 20:30])


def test_a_column_without_any_value_is_named():
    x = np.random.default_rng(0).standard_normal((50, 4))
    x[:, 2] = np.nan
    with pytest.raises(InputError, match="column 2 holds nothing but NaN"):
        SOM(grid=(3, 3)).fit(x)


def test_cosine_and_missing_values_do_not_go_together():
    x = with_gaps(np.random.default_rng(0).standard_normal((50, 4)), 0.1)
    with pytest.raises(InputError, match=r"cosine.*cannot take missing values|missing values.*cosine"):
        SOM(grid=(3, 3), metric="cosine").fit(x)


def test_a_constant_item_beside_gaps_is_no_sameness():
    x = np.array([[1.0, np.nan], [1.0, np.nan], [1.0, 2.0]])
    assert SOM(grid=(1, 2), random_state=0).fit(x).labels_.shape == (3,)
