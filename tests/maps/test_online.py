"""Online training against Kohonen's rule in plain loops, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits

from maps.transcriptions import online_pass
from somscope.errors import InputError
from somscope.maps.inputs import as_items
from somscope.maps.lattice import Lattice
from somscope.maps.neighbourhood import NEIGHBOURHOODS
from somscope.maps.online import train_online
from somscope.maps.som import SOM


@pytest.fixture(scope="module")
def digits():
    return load_digits(return_X_y=True)[0]


class Orders:
    """A generator that deals known orders, and the content order's direction."""

    def __init__(self, n, passes):
        rng = np.random.default_rng(0)
        self.orders = [rng.permutation(n) for _ in range(passes)]
        self.dealt = 0

    def standard_normal(self, d):
        return np.ones(d)

    def permutation(self, visits):
        self.dealt += 1
        assert sorted(visits) == list(range(len(visits)))
        return self.orders[self.dealt - 1]


@pytest.mark.parametrize("name", NEIGHBOURHOODS)
@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
@pytest.mark.parametrize("lattice", [Lattice(3, 4), Lattice(4, 3, "hexagonal", True)], ids=str)
def test_two_passes_are_those_of_the_rule(name, metric, lattice):
    rng = np.random.default_rng(1)
    x, start = rng.standard_normal((37, 4)), rng.standard_normal((12, 4))
    radii, rates = np.array([2.0, 0.7]), np.array([0.4, 0.1])
    orders = Orders(37, 2)
    trained = train_online(as_items(x, metric), start, lattice, name, radii, rates, orders)
    within = np.arange(37) / 37
    m = start
    for p in range(2):
        following = min(p + 1, 1)
        radius = radii[p] + (radii[following] - radii[p]) * within
        rate = rates[p] + (rates[following] - rates[p]) * within
        m = online_pass(x, orders.orders[p], m, lattice, name, radius, rate, metric)
    np.testing.assert_allclose(trained.prototypes, m, atol=1e-10)
    assert trained.history["pass"] == [1, 2]
    assert trained.history["radius"] == [2.0, 0.7]


def test_the_error_of_a_pass_is_the_mean_distance_at_which_it_met_its_items():
    x = np.random.default_rng(2).standard_normal((50, 3))
    start = np.random.default_rng(3).standard_normal((4, 3))
    still = train_online(
        as_items(x, "euclidean"),
        start,
        Lattice(2, 2),
        "gaussian",
        np.ones(2),
        np.zeros(2),
        np.random.default_rng(0),
    )
    np.testing.assert_array_equal(still.prototypes, start)
    nearest = np.linalg.norm(x[:, None] - start[None], axis=2).min(axis=1).mean()
    np.testing.assert_allclose(still.history["quantization_error"], nearest)


@pytest.mark.parametrize("metric", ["euclidean", "manhattan"])
def test_it_learns(digits, metric):
    noise = np.random.default_rng(4).uniform(0, 16, (64, 64))
    options = {"grid": (8, 8), "metric": metric, "algorithm": "online", "init": noise, "random_state": 0}
    before = SOM(**options, n_passes=1, learning_rate=0.0).fit(digits)
    after = SOM(**options).fit(digits)
    assert before.topographic_error(digits) > 0.6
    assert after.topographic_error(digits) < 0.15
    assert after.quantization_error(digits) < 0.5 * before.quantization_error(digits)
    errors = after.history_["quantization_error"]
    assert errors[-1] < errors[0]


def test_a_mexican_hat_of_small_radius_learns(digits):
    options = {"radius": (0.3, 0.2), "learning_rate": (0.1, 0.01), "random_state": 0}
    som = SOM(grid=(6, 6), neighbourhood="mexican-hat", algorithm="online", **options).fit(digits)
    mean = np.linalg.norm(digits - digits.mean(axis=0), axis=1).mean()
    assert som.quantization_error(digits) < 0.8 * mean


def test_prototypes_that_run_away_are_an_error_and_not_a_map(digits):
    som = SOM(grid=(8, 8), neighbourhood="mexican-hat", algorithm="online", radius=(3.0, 0.5), random_state=0)
    with pytest.raises(InputError, match=r"ran away .* pass 1: .*wants radius="):
        som.fit(digits)


def test_a_seed_repeats_the_map_and_another_gives_another(digits):
    one, same, other = (
        SOM(grid=(4, 4), algorithm="online", n_passes=2, random_state=seed).fit(digits) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.prototypes_, same.prototypes_)
    assert not np.array_equal(one.prototypes_, other.prototypes_)


def test_what_the_online_rule_cannot_take_is_refused(digits):
    gaps = digits.copy()
    gaps[3, 4] = np.nan
    online = SOM(grid=(4, 4), algorithm="online")
    for x in (gaps, sparse.csr_matrix(digits)):
        with pytest.raises((InputError, TypeError)):
            online.fit(x)
    with pytest.raises(InputError, match="online"):
        SOM(grid=(4, 4), algorithm="online", metric="cosine").fit(digits)
    with pytest.raises(InputError, match="learning_rate='fast'; allowed"):
        SOM(grid=(4, 4), algorithm="online", learning_rate="fast").fit(digits)
