"""Online training against Kohonen's rule in plain loops, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_digits

from maps.transcriptions import online_pass, strength
from somscope.errors import InputError
from somscope.maps.defaults import choose_hat_radius
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
    radii, rates = np.array([2.0, 0.9, 0.7]), np.array([0.4, 0.3, 0.1])
    orders = Orders(37, 2)
    trained = train_online(as_items(x, metric), start, lattice, name, radii, rates, orders)
    m = start
    for p in range(2):
        passed = (
            2 * (37 * p + np.arange(37)) / 73 - p
        )  # share of the pass that is over: 0 to 1 over all 74 steps
        radius = radii[p] + (radii[p + 1] - radii[p]) * passed
        rate = rates[p] + (rates[p + 1] - rates[p]) * passed
        if p == 0:  # one item of it may already belong to the next knot
            late = passed > 1
            radius[late] = radii[1] + (radii[2] - radii[1]) * (passed[late] - 1)
            rate[late] = rates[1] + (rates[2] - rates[1]) * (passed[late] - 1)
        m = online_pass(x, orders.orders[p], m, lattice, name, radius, rate, metric)
    np.testing.assert_allclose(trained.prototypes, m, atol=1e-10)
    assert trained.history["pass"] == [1, 2]
    assert trained.history["radius"] == [2.0, 0.9]


@pytest.mark.parametrize("n_passes", [1, 2, 5])
def test_the_first_item_meets_the_first_values_and_the_last_item_the_last(monkeypatch, digits, n_passes):
    met = []

    def steps(x, order, prototypes, lattice, shape, radii, rates, *_):
        met.append(np.stack([radii, rates]))
        return 0.0

    monkeypatch.setattr("somscope.maps.kernels.online_steps", steps)
    options = {"n_passes": n_passes, "radius": (3.0, 0.5), "learning_rate": (0.5, 0.02)}
    SOM(grid=(5, 5), algorithm="online", **options).fit(digits)
    radii, rates = np.concatenate(met, axis=1)
    assert len(radii) == n_passes * len(digits)
    assert (radii[0], rates[0]) == (3.0, 0.5)
    assert (radii[-1], rates[-1]) == pytest.approx((0.5, 0.02))
    assert (np.diff(radii) < 0).all()
    assert (np.diff(rates) < 0).all()


def test_one_pass_already_orders_the_map(digits):
    noise = np.random.default_rng(4).uniform(0, 16, (64, 64))
    som = SOM(grid=(8, 8), algorithm="online", n_passes=1, init=noise, random_state=0).fit(digits)
    assert som.topographic_error(digits) < 0.2


def test_the_error_of_a_pass_is_the_mean_distance_at_which_it_met_its_items():
    x = np.random.default_rng(2).standard_normal((50, 3))
    start = np.random.default_rng(3).standard_normal((4, 3))
    still = train_online(
        as_items(x, "euclidean"),
        start,
        Lattice(2, 2),
        "gaussian",
        np.ones(3),
        np.zeros(3),
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


def lopsided():
    """Three groups of very different size: units between them win nothing and are only ever pushed."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(c, 0.1, (n, 3)) for c, n in [(0, 5000), (3, 50), (10, 500)]])


@pytest.mark.parametrize("rate", [(0.1, 0.01), (0.5, 0.01), 1.0])
@pytest.mark.parametrize("n_passes", [1, "auto"])
def test_the_chosen_radius_of_a_mexican_hat_cannot_run_away(digits, rate, n_passes):
    for x in (lopsided(), digits, digits[:100]):
        som = SOM(
            grid=(7, 8), neighbourhood="mexican-hat", algorithm="online", learning_rate=rate, n_passes=n_passes,
            random_state=0,
        ).fit(x)  # fmt: skip
        assert np.abs(som.prototypes_).max() < 10 * np.abs(x).max()
        mean = np.linalg.norm(x - x.mean(axis=0), axis=1).mean()
        assert som.quantization_error(x) < 0.8 * mean
        assert som.radius_[0] == som.radius_[1]
        assert som.chosen_["radius"].startswith(f"{som.radius_[0]:.3g} lattice steps throughout")


@pytest.mark.parametrize("total", [0.1, 2.0, 10.0, 1e3, 1e7, 1e12])
def test_the_chosen_radius_of_a_mexican_hat_keeps_the_pushes_of_all_steps_below_e(total):
    radius = choose_hat_radius(total)
    pushes = total * np.abs([strength("mexican-hat", d, radius) for d in (1.0, 2**0.5, 3**0.5, 2.0, 5.0)])
    assert pushes.max() <= 1 + 1e-9
    assert pushes.argmax() == 0
    assert pushes[0] > 0.99 or radius == pytest.approx(3**-0.5)


def test_prototypes_that_run_away_are_an_error_and_not_a_map(digits):
    som = SOM(grid=(8, 8), neighbourhood="mexican-hat", algorithm="online", radius=(3.0, 0.5), random_state=0)
    with pytest.raises(InputError, match=r"ran away .* pass 1: .*radius='auto'"):
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
    for rate in (1.5, (2.0, 0.1), (0.5, 1.01)):
        with pytest.raises(InputError, match=r"learning_rate=.*allowed: at most 1"):
            SOM(grid=(4, 4), algorithm="online", learning_rate=rate).fit(digits)
    with pytest.raises(InputError, match="the learning rate reaches 3; allowed: at most 1"):
        SOM(grid=(4, 4), algorithm="online", learning_rate_decay=lambda t, a, b: 3.0).fit(digits)


def test_a_mexican_hat_has_no_running_mean(digits):
    som = SOM(grid=(4, 4), neighbourhood="mexican-hat", algorithm="online", n_passes=1, random_state=0)
    assert not hasattr(som, "partial_fit")
    for one in (som, som.fit(digits)):
        with pytest.raises(AttributeError, match="no attribute 'partial_fit'") as error:
            one.partial_fit(digits)
        assert "mexican-hat' has negative weights, under which there is no running mean" in str(
            error.value.__cause__
        )
