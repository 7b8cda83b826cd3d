"""LARFDSSOM: its compiled loop against the published algorithm in plain Python, and what it learns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from maps.planted import planted
from somscope.errors import InputError
from somscope.maps import larfdssom, larfdssom_kernel
from somscope.maps.larfdssom import LARFDSSOM


class Published:
    """Items one by one: competition, insertion or update, removal (Bassani & Araujo 2015)."""

    def __init__(self, som: LARFDSSOM, age_wins: int, n_features: int) -> None:
        self.som, self.age_wins, self.seen = som, age_wins, 0
        self.within = som.minwd * (np.sqrt(n_features) if som.connection == "scaled" else 1.0)
        self.units: list[dict] = []
        self.removed = 0

    def like(self, one: dict, other: dict) -> bool:
        return bool(np.linalg.norm(one["w"] - other["w"]) < self.within)

    def show(self, x: NDArray[np.float64]) -> None:
        som = self.som
        self.seen += 1
        active = [
            u["w"].sum() / (u["w"].sum() + (u["w"] * (x - u["c"]) ** 2).sum() + som.epsilon)
            for u in self.units
        ]
        winner = int(np.argmax(active)) if active else -1
        if winner < 0 or active[winner] < som.threshold:
            if len(self.units) < som.max_units:
                new = {"c": x.copy(), "w": np.ones(len(x)), "d": np.zeros(len(x)), "wins": som.lp * self.seen}
                new["near"] = [u for u in self.units if self.like(u, new)]
                for u in new["near"]:
                    u["near"].append(new)
                self.units.append(new)
        else:
            best = self.units[winner]
            best["wins"] += 1
            for u, rate in [(best, som.winner_rate), *((u, som.neighbour_rate) for u in best["near"])]:
                share = som.relevance_rate * rate
                u["d"] = (1 - share) * u["d"] + share * abs(x - u["c"])
                span = u["d"].max() - u["d"].min()
                slope = som.smoothness * span
                u["w"] = 1 / (1 + np.exp((u["d"] - u["d"].mean()) / slope)) if span else np.ones(len(x))
                u["c"] = u["c"] + rate * (x - u["c"])
        if self.seen == self.age_wins:
            kept = [u for u in self.units if u["wins"] >= som.lp * self.age_wins]
            kept = kept or [max(self.units, key=lambda u: u["wins"])]
            self.removed += len(self.units) - len(kept)
            for u in kept:
                u["near"] = [v for v in kept if v is not u and self.like(u, v)]
                u["wins"] = 0.0
            self.units, self.seen = kept, 0


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"connection": "absolute", "minwd": 0.6, "neighbour_rate": 0.02},
        {"max_units": 4, "lp": 0.2},
        {"threshold": 0.999, "lp": 0.4, "age_wins": 30},
    ],
)
def test_the_compiled_loop_is_the_published_algorithm(changes: dict[str, object]) -> None:
    X, _, _ = planted(400, 6, 3, 3)
    som = LARFDSSOM(**{"threshold": 0.95, "age_wins": 100, "lp": 0.03, "winner_rate": 0.2, **changes})  # type: ignore[arg-type]
    published = Published(som, som.age_wins or 0, 6)
    for start in range(0, 400, 80):
        som.partial_fit(X[start : start + 80])
        for x in X[start : start + 80]:
            published.show(x)
    assert published.removed > 0
    np.testing.assert_allclose(som.prototypes_, [u["c"] for u in published.units], atol=1e-9)
    np.testing.assert_allclose(som.relevances_, [u["w"] for u in published.units], atol=1e-7)
    near = [[any(v is n for n in u["near"]) for v in published.units] for u in published.units]
    np.testing.assert_array_equal(som.connections_, near)


def test_it_finds_clusters_in_their_features() -> None:
    X, y, inside = planted()
    one = LARFDSSOM(threshold=0.9, max_units=1, n_epochs=1, random_state=0).fit(X)
    som = LARFDSSOM(threshold=0.93, random_state=0, n_epochs=20).fit(X)
    assert adjusted_rand_score(y, one.labels_) < 0.1
    assert adjusted_rand_score(y, som.labels_) > 0.9
    assert som.n_units_ <= 8
    majority = som.label_units(X, y).majority
    of_cluster, of_noise = som.relevances_[inside[majority]], som.relevances_[~inside[majority]]
    assert of_cluster.mean() > of_noise.mean() + 0.4


def test_it_goes_on_until_no_unit_is_removed() -> None:
    X, _, _ = planted()
    som = LARFDSSOM(threshold=0.97, lp=0.02, n_epochs=2, random_state=0).fit(X)
    units = som.history_["units"]
    assert len(units) > 3
    assert units[-1] == units[-2] < units[1]


def test_noise_activates_no_unit() -> None:
    X, _, _ = planted()
    som = LARFDSSOM(threshold=0.93, random_state=0, n_epochs=20).fit(X)
    odd = np.full((3, X.shape[1]), [0.0, 1.0] * 8)
    assert (som.predict(odd, noise=True) == -1).all()
    assert (som.predict(X, noise=True) >= 0).mean() > 0.95


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"threshold": 0}, "threshold=0"),
        ({"winner_rate": 2.0}, "winner_rate=2.0"),
        ({"lp": -0.1}, "lp=-0.1"),
        ({"age_wins": 0}, "age_wins=0"),
        ({"connection": "scale"}, "did you mean 'scaled'"),
    ],
)
def test_parameters_out_of_range_are_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(InputError, match=said):
        LARFDSSOM(**changes).fit(np.random.default_rng(0).random((20, 3)))  # type: ignore[arg-type]


def test_ctrl_c_before_the_first_item_leaves_no_map(monkeypatch: pytest.MonkeyPatch) -> None:
    def compiling(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(larfdssom_kernel, "larfdssom_steps", compiling)
    X, _, _ = planted()
    som = LARFDSSOM(random_state=0)
    with pytest.raises(KeyboardInterrupt):
        som.fit(X)
    assert not hasattr(som, "prototypes_")


def test_ctrl_c_in_the_first_pass_keeps_a_full_map(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, calls = larfdssom_kernel.larfdssom_steps, []

    def twice(*arguments: Any) -> int:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return int(steps(*arguments))

    monkeypatch.setattr(larfdssom_kernel, "larfdssom_steps", twice)
    monkeypatch.setattr(larfdssom, "_SLICE", 50)
    X, _, _ = planted()
    som = LARFDSSOM(threshold=0.9999, max_units=5, random_state=0).fit(X)
    assert (som.stop_reason_, som.n_units_) == ("interrupted", 5)
