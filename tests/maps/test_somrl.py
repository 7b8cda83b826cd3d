"""SOMRL: its step against the algorithm item by item, and what it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, homogeneity_score

from maps.planted import planted
from somscope.errors import InputError
from somscope.maps.relevance import activations, connected, root_mean_square
from somscope.maps.somrl import SOMRL
from somscope.maps.somrl_layer import SOMRLLayer, SOMRLRule

RULE = SOMRLRule(threshold=0.93, relevance_rate=0.3, smoothness=0.2, life_decay=0.04)


class Sequential:
    """Algorithm 1 item by item, in loops over units and features, from the paper's text."""

    def __init__(self, rule: SOMRLRule, max_units: int) -> None:
        self.rule, self.max_units = rule, max_units
        self.c: dict[int, np.ndarray] = {}
        self.w: dict[int, np.ndarray] = {}
        self.d: dict[int, np.ndarray] = {}
        self.life: dict[int, float] = {}

    def insert(self, x: np.ndarray) -> int | None:
        free = [j for j in range(self.max_units) if j not in self.c]
        if not free:
            return None
        j = free[0]
        self.c[j], self.w[j], self.d[j], self.life[j] = x.copy(), np.ones(len(x)), np.zeros(len(x)), 1.0
        return j

    def activation(self, x: np.ndarray, j: int) -> float:
        w = self.w[j].mean() + 0 * self.w[j] if self.rule.distance == "mean-relevance" else self.w[j]
        return float(
            self.w[j].sum() / (self.w[j].sum() + (w * (x - self.c[j]) ** 2).sum() + self.rule.epsilon)
        )

    def show(self, x: np.ndarray) -> None:
        rule = self.rule
        if not self.c:
            self.insert(x)
            return
        active = {j: self.activation(x, j) for j in self.c}
        ranked = sorted(active, key=lambda j: (-active[j], j))
        winner, born = ranked[0], None
        if active[winner] < rule.threshold:
            born = self.insert(x)
        else:
            centre = np.mean([self.c[j] for j in active], axis=0)
            for rank, j in enumerate(ranked):
                if rule.neighbours == "activated" and active[j] < rule.threshold:
                    continue
                decay = rule.gamma * rank if rule.neighbour_decay == "rate" else rank / rule.gamma
                rate = rule.learning_rate * np.exp(-decay)
                old = self.c[j]
                self.d[j] = (1 - rule.relevance_rate * rate) * self.d[j] + rule.relevance_rate * rate * abs(
                    x - old
                )
                low, high, mean = self.d[j].min(), self.d[j].max(), self.d[j].mean()
                if high != low:
                    self.w[j] = 1 / (1 + np.exp((self.d[j] - mean) / (rule.smoothness * (high - low))))
                else:
                    self.w[j] = np.ones(len(x))
                far = np.sqrt(((old - centre) ** 2).sum())
                if rule.repel == "distance":
                    push = max(1 - 2 * far, 0) * (old - centre) / (far or 1.0)
                elif rule.repel == "dimension":
                    push = np.sign(old - centre) * np.maximum(1 - 2 * abs(old - centre), 0)
                else:
                    push = -np.maximum(1 - 2 * (centre - old), 0)
                self.c[j] = old + rate * ((x - old) + rule.repel_rate * push)
        for j in active:
            if j == winner and (active[winner] >= rule.threshold or rule.restored == "winning"):
                self.life[j] = 1.0
            else:
                self.life[j] -= rule.life_decay
        dead = [j for j in active if self.life[j] <= 1e-9]
        if len(dead) == len(self.c) and born is None:
            dead.remove(winner)
            self.life[winner] = 1.0
        for j in dead:
            for of_unit in (self.c, self.w, self.d, self.life):
                del of_unit[j]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"repel_rate": 0.0, "neighbour_decay": "scale", "gamma": 0.7},
        {"repel": "literal", "repel_rate": 0.5},
        {"repel": "dimension", "repel_rate": 0.5},
        {"neighbours": "all", "combine": "sum", "life_decay": 0.06},
        {"distance": "mean-relevance", "restored": "winning", "epsilon": 1e-3, "life_decay": 0.1},
        {"threshold": 0.9999, "life_decay": 0.3},
        {"compared": "group", "restored": "winning"},
    ],
)
def test_batches_of_one_item_are_the_sequential_algorithm(changes: dict[str, object]) -> None:
    rule = replace(RULE, **changes)
    X, _, _ = planted(300, 6, 3, 3)
    layer = SOMRLLayer(6, 12, rule, dtype=torch.float64)
    sequential = Sequential(rule, 12)
    grown, shrunk = 0, 0
    for x in X:
        before = set(sequential.c)
        layer.step(torch.from_numpy(x[None]))
        sequential.show(x)
        grown, shrunk = grown + len(set(sequential.c) - before), shrunk + len(before - set(sequential.c))
        assert layer.alive.nonzero().squeeze(1).tolist() == sorted(sequential.c)
    for j in sequential.c:
        np.testing.assert_allclose(layer.centres[j], sequential.c[j], atol=1e-9)
        np.testing.assert_allclose(layer.relevances[j], sequential.w[j], atol=1e-7)
        np.testing.assert_allclose(layer.distances[j], sequential.d[j], atol=1e-9)
        np.testing.assert_allclose(layer.life[j], sequential.life[j], atol=1e-5)
    assert grown > 3
    assert shrunk > 0


def test_a_group_is_compared_by_its_mean() -> None:
    x = torch.tensor([[0.1, 0.5], [0.98, 0.5]], dtype=torch.float64)  # far from the unit, and around it
    for compared, units, centre in (("item", 2, 0.5), ("group", 1, 0.512)):
        layer = SOMRLLayer(2, 4, replace(RULE, compared=compared, learning_rate=0.3), dtype=torch.float64)
        layer.step(torch.tensor([[0.5, 0.5]], dtype=torch.float64))
        step = layer.step(x)
        assert layer.n_units == units
        assert step.activated.tolist() == [compared == "group"] * 2
        assert float(layer.centres[0, 0]) == pytest.approx(centre)


def two_units(**changes: object) -> SOMRLLayer:
    layer = SOMRLLayer(2, 4, replace(RULE, repel_rate=0.0, **changes), dtype=torch.float64)
    layer.centres[:2] = torch.tensor([[0.2, 0.5], [0.8, 0.5]])
    layer.alive[:2], layer.life[:2] = True, 1.0
    return layer


def test_a_batch_moves_a_winner_towards_the_mean_of_its_items_and_makes_a_unit_of_those_below() -> None:
    layer = two_units(neighbours="all")
    near, far = [[0.2, 0.4], [0.3, 0.5]], [[0.2, 0.99], [0.3, 0.99]]
    step = layer.step(torch.tensor(near + far, dtype=torch.float64))
    assert step.places.tolist() == [0, 0, 0, 0]
    assert step.activated.tolist() == [True, True, False, False]
    rate, neighbour = RULE.learning_rate, RULE.learning_rate * np.exp(-RULE.gamma)
    mean = np.array([0.25, 0.45])
    np.testing.assert_allclose(layer.centres[0], [0.2, 0.5] + rate * (mean - [0.2, 0.5]))
    np.testing.assert_allclose(layer.centres[1], [0.8, 0.5] + neighbour * (mean - [0.8, 0.5]))
    np.testing.assert_allclose(layer.distances[0], RULE.relevance_rate * rate * abs(mean - [0.2, 0.5]))
    np.testing.assert_allclose(layer.centres[2], [0.25, 0.99])
    assert layer.alive.tolist() == [True, True, True, False]


@pytest.mark.parametrize("combine", ["mean", "sum"])
def test_a_unit_that_two_groups_move_goes_to_their_weighted_mean(combine: str) -> None:
    layer = two_units(neighbours="all", combine=combine)
    a, b = np.array([0.25, 0.5]), np.array([0.75, 0.4])
    layer.step(torch.tensor(np.array([a, b])))
    h = np.exp(-RULE.gamma)
    rate = RULE.learning_rate * (1.0 if combine == "mean" else 1.0 + h)
    start = np.array([0.2, 0.5])
    np.testing.assert_allclose(layer.centres[0], start + rate * ((a + h * b) / (1 + h) - start))
    spread = (abs(a - start) + h * abs(b - start)) / (1 + h)
    np.testing.assert_allclose(layer.distances[0], RULE.relevance_rate * rate * spread)


def test_the_largest_groups_get_the_free_places() -> None:
    layer = two_units()
    layer.alive[2], layer.life[2] = True, 1.0
    layer.centres[2] = torch.tensor([0.5, 0.95])
    items = [[0.2, 0.05]] * 2 + [[0.95, 0.05]] * 5 + [[0.0, 0.05]] * 2 + [[0.5, 0.55]] * 3
    step = layer.step(torch.tensor(items, dtype=torch.float64))
    assert not step.activated[:9].any()
    assert step.places.tolist()[:9] == [0] * 2 + [1] * 5 + [0] * 2
    assert layer.alive.all()
    np.testing.assert_allclose(layer.centres[3], [0.95, 0.05])
    assert int(layer.refused) == 1


def test_neither_the_order_of_the_items_nor_the_places_of_the_units_make_a_difference() -> None:
    X = torch.from_numpy(planted(512, 6, 3, 3)[0])
    one, other = (SOMRLLayer(6, 40, RULE, dtype=torch.float64) for _ in range(2))
    for batch in X[:384].split(64):
        one.step(batch)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    for name, tensor in one.state_dict().items():
        getattr(other, name).copy_(tensor[order] if tensor.ndim else tensor)
    for layer, batch in ((one, X[384:]), (other, X[384:].flip(0))):
        layer.step(batch)
    first, second = (layer.centres[layer.alive].numpy() for layer in (one, other))
    np.testing.assert_allclose(first[np.lexsort(first.T)], second[np.lexsort(second.T)], atol=1e-12)
    assert len(first) > 5


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000), threshold=st.floats(0.5, 0.999), rho=st.floats(0, 1), size=st.integers(2, 45)
)
def test_units_stay_near_the_unit_cube_and_never_die_out(
    seed: int, threshold: float, rho: float, size: int
) -> None:
    X = torch.rand(90, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).round(
        decimals=1
    )
    layer = SOMRLLayer(3, 9, replace(RULE, threshold=threshold, repel_rate=rho), dtype=torch.float64)
    for batch in X.split(size):
        layer.step(batch)
        assert 1 <= layer.n_units <= 9
        units = layer.centres[layer.alive]
        assert units.min() >= -0.5
        assert units.max() <= 1.5
        relevances = layer.relevances[layer.alive]
        assert relevances.min() > 0.0
        assert relevances.max() <= 1.0
        assert not layer.connections().diagonal().any()
        assert torch.equal(layer.connections(), layer.connections().T)


def test_the_literal_reading_of_the_repulsion_drives_units_to_zero_and_ours_from_their_mean() -> None:
    """The reason why eq. 4 is not taken as printed."""
    x = torch.tensor([[0.6, 0.5], [0.4, 0.5]], dtype=torch.float64)
    reached = {}
    for repel in ("distance", "dimension", "literal"):
        layer = two_units(repel=repel, threshold=0.3, gamma=50.0)
        layer.rule = replace(layer.rule, repel_rate=1.0)
        for _ in range(200):
            layer.step(x)
        assert layer.n_units == 2
        reached[repel] = layer.centres[:2].sort(dim=0).values
    # On the first axis items lie 0.1 from the mean of the units: c - m = 0.1 + 1 - 2 (c - m) there.
    for ours in ("distance", "dimension"):
        np.testing.assert_allclose(reached[ours][:, 0], [0.5 - 1.1 / 3, 0.5 + 1.1 / 3], atol=1e-6)
        np.testing.assert_allclose(reached[ours][:, 1], 0.5, atol=1e-6)
    assert (reached["literal"] < torch.tensor([0.4, 0.5]) - 0.2).any(dim=0).all()
    assert reached["literal"].mean() < 0.2


def test_the_gradient_passes_the_update_only_where_it_is_let_through() -> None:
    x = torch.tensor([[0.25, 0.45]], dtype=torch.float64, requires_grad=True)
    layer = two_units()
    assert not layer.step(x).centres.requires_grad
    open_layer = two_units()
    open_layer.through = True
    (gradient,) = torch.autograd.grad(open_layer.step(x).centres[0].sum(), x)
    np.testing.assert_allclose(gradient, [[RULE.learning_rate] * 2])
    assert not open_layer.centres.requires_grad


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_equal_relevances_are_the_euclidean_distance(dtype: type) -> None:
    draw = np.random.default_rng(0)
    x, c = draw.random((40, 5)).astype(dtype), draw.random((7, 5)).astype(dtype)
    wanted = np.linalg.norm(x[:, None] - c[None], axis=2) / np.sqrt(5)
    for distance in ("relevance", "mean-relevance"):
        for weight in (1.0, 0.3):
            found = activations(x, c, np.full_like(c, weight), 1e-12, distance)
            np.testing.assert_allclose(root_mean_square(found), wanted, atol=1e-5)


def test_activations_and_connections_are_the_formulas() -> None:
    draw = np.random.default_rng(1)
    x, c, w = draw.random((20, 4)), draw.random((6, 4)), draw.random((6, 4))
    wanted = [
        [wj.sum() / (wj.sum() + (wj * (xi - cj) ** 2).sum() + 1e-7) for cj, wj in zip(c, w, strict=True)]
        for xi in x
    ]
    np.testing.assert_allclose(activations(x, c, w), wanted)
    active = np.array(
        [
            [wj.sum() / (wj.sum() + (wj * (ci - cj) ** 2).sum() + 1e-7) for cj, wj in zip(c, w, strict=True)]
            for ci in c
        ]
    )
    threshold = np.median(active)
    mutual = [
        [i != j and active[i, j] >= threshold and active[j, i] >= threshold for j in range(6)]
        for i in range(6)
    ]
    found = connected(c, w, threshold)
    np.testing.assert_array_equal(found, mutual)
    assert 0 < found.sum() < 30
    np.testing.assert_array_equal(connected(*map(torch.from_numpy, (c, w)), threshold).numpy(), mutual)


def test_it_finds_clusters_in_their_features() -> None:
    X, y, inside = planted()
    untrained = SOMRL(threshold=0.95, random_state=0, n_epochs=1, batch_size=len(X)).fit(X)
    som = SOMRL(threshold=0.95, random_state=0).fit(X)
    assert adjusted_rand_score(y, untrained.labels_) < 0.1
    assert adjusted_rand_score(y, som.labels_) > 0.75
    assert homogeneity_score(y, som.labels_) > 0.95
    assert 5 <= som.n_units_ <= 15
    majority = som.label_units(X, y).majority
    of_cluster, of_noise = som.relevances_[inside[majority]], som.relevances_[~inside[majority]]
    assert of_cluster.mean() > of_noise.mean() + 0.4


def test_noise_is_reported_on_request() -> None:
    X, _, _ = planted()
    som = SOMRL(threshold=0.95, random_state=0).fit(X)
    odd = np.concatenate([X[:100], np.full((3, X.shape[1]), [0.0, 1.0] * 8)])
    units = som.predict(odd, noise=True)
    assert (units[-3:] == -1).all()
    assert (units[:100] >= 0).mean() > 0.9
    assert (som.predict(odd) >= 0).all()
    np.testing.assert_array_equal(units == -1, som.activations(odd).max(axis=1) < 0.95)


def test_a_stream_that_moves_makes_new_units_and_forgets_old_ones() -> None:
    draw = np.random.default_rng(0)
    som = SOMRL(threshold=0.99)
    here, there = (np.clip(m + 0.01 * draw.standard_normal((600, 3)), 0, 1) for m in (0.2, 0.8))
    som.partial_fit(here)
    assert som.prototypes_.max() < 0.4
    som.partial_fit(there[:200])
    assert som.n_units_ >= 2 or som.prototypes_.min() > 0.6
    for _ in range(3):
        som.partial_fit(there)
    assert som.prototypes_.min() > 0.6
    assert som.n_iter_ == 5


def test_fit_is_partial_fit_again_and_again_in_its_order() -> None:
    """Two roads: one pass of `fit` is `partial_fit` on the items in the order that the seed gives."""
    from somscope.maps.choices import generator_for

    X, _, _ = planted(400)
    som = SOMRL(threshold=0.95, n_epochs=1, random_state=3, batch_size=50).fit(X)
    stream = SOMRL(threshold=0.95, batch_size=50)
    ordered = X[generator_for(3).permutation(400)]
    for start in range(0, 400, 100):
        stream.partial_fit(ordered[start : start + 100])
    held = np.unique(stream.predict(X))
    np.testing.assert_allclose(som.prototypes_, stream.prototypes_[held], atol=1e-12)


def test_a_full_map_says_so(caplog: pytest.LogCaptureFixture) -> None:
    X, _, _ = planted()
    som = SOMRL(threshold=0.9999, max_units=10, n_epochs=2, random_state=0).fit(X)
    assert som.n_units_ <= 10
    assert any("found none of the 10 places" in warning for warning in som.warnings_)
    assert "map was full" in caplog.text


def test_a_map_that_dies_out_keeps_a_unit_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    X = np.random.default_rng(0).random((400, 8))
    som = SOMRL(threshold=0.99999, max_units=1, life_decay=1.0, n_epochs=2, random_state=0).fit(X)
    assert som.n_units_ == 1
    assert (som.labels_ == 0).all()
    assert any("died out" in warning for warning in som.warnings_)


def test_a_map_to_which_most_items_are_noise_says_how_many() -> None:
    X, _, _ = planted()
    good = SOMRL(threshold=0.95, random_state=0).fit(X)
    assert (good.predict(X, noise=True) == -1).mean() < 0.5
    assert not any("noise" in warning for warning in good.warnings_)
    # every batch removes the unit of the one before and puts its own into the free place: the map never dies out
    poor = SOMRL(threshold=0.99999, max_units=2, life_decay=1.0, n_epochs=2, random_state=0).fit(X)
    share = (poor.predict(X, noise=True) == -1).mean()
    assert share > 0.5
    said = next(w for w in poor.warnings_ if w.startswith(f"{share:.0%} of the items activate no unit"))
    reached = float(said.partition("half of them reach ")[2].partition(":")[0])  # from where to look on
    best = poor.activations(X).max(axis=1)
    assert (best[best < poor.threshold] >= reached).mean() == pytest.approx(0.5, abs=0.05)
    assert reached < poor.threshold
    stream = SOMRL(threshold=0.99999, max_units=2).partial_fit(X)
    assert not any("noise" in warning for warning in stream.warnings_)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 1.0}, "threshold=1.0"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"repel_rate": 1.5}, "repel_rate=1.5"),
        ({"repel": "distanc"}, "did you mean 'distance'"),
        ({"neighbour_decay": "x"}, "allowed: rate, scale"),
        ({"life_unit": "epoch"}, "allowed: batch, sample"),
        ({"gamma": float("nan")}, "gamma=nan"),
        ({"max_units": 0}, "max_units=0"),
        ({"batch_size": 1.5}, "batch_size=1.5"),
        ({"scale": "standard"}, "allowed: auto, min-max, none"),
        ({"device": "tpu"}, "allowed: auto, cpu, cuda"),
    ],
)
def test_parameters_out_of_range_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        SOMRL(**changes).fit(np.random.default_rng(0).random((20, 3)))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU here")
def test_a_gpu_learns_the_same() -> None:
    X, _, _ = planted()
    one, other = (SOMRL(threshold=0.95, device=d, random_state=0, n_epochs=5).fit(X) for d in ("cpu", "cuda"))
    assert other.device_ == "cuda"
    np.testing.assert_allclose(one.prototypes_, other.prototypes_, atol=1e-6)
    again = SOMRL(threshold=0.95, device="cuda", random_state=0, n_epochs=5).fit(X)
    np.testing.assert_array_equal(other.prototypes_, again.prototypes_)
