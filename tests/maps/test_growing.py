"""What all growing maps do with their input and their files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.estimator_checks import parametrize_with_checks

from maps.planted import planted
from somscope.errors import InputError, RunError
from somscope.maps.growing import GrowingMap
from somscope.maps.larfdssom import LARFDSSOM
from somscope.maps.somrl import SOMRL

MAPS = [
    SOMRL(),
    SOMRL(
        max_units=20, repel_rate=0.2, neighbour_decay="scale", neighbours="all", combine="sum", scale="min-max",
        distance="mean-relevance", life_unit="sample", restored="winning", n_epochs=3, batch_size=32, device="cpu",
    ),
    SOMRL(repel="literal", repel_rate=0.1, threshold=0.95, n_epochs=4, verbose=False),
    LARFDSSOM(),
    LARFDSSOM(connection="absolute", minwd=0.5, age_wins=40, lp=0.05, scale="min-max", n_epochs=5, max_units=30),
]  # fmt: skip


@parametrize_with_checks(MAPS)
def test_scikit_learn(estimator: BaseEstimator, check: Any) -> None:
    check(estimator)


@pytest.fixture(params=[SOMRL, LARFDSSOM])
def made(request: pytest.FixtureRequest) -> type[GrowingMap]:
    found: type[GrowingMap] = request.param
    return found


def test_features_outside_the_unit_interval_are_stretched_by_the_stated_rule(made: type[GrowingMap]) -> None:
    X, _, _ = planted(300)
    X[:2] = [[0.0], [1.0]]
    inside = made(threshold=0.95, random_state=0).fit(X)
    outside = made(threshold=0.95, random_state=0).fit(20.0 * X - 3.0)
    assert inside.chosen_ == {}
    assert outside.chosen_["scale"].startswith("min-max")
    np.testing.assert_array_equal(inside.labels_, outside.labels_)
    np.testing.assert_allclose(20.0 * inside.prototypes_ - 3.0, outside.prototypes_, atol=1e-6)
    np.testing.assert_allclose(inside.transform(X), outside.transform(20.0 * X - 3.0), atol=1e-7)


def test_features_that_are_taken_as_they_are_are_never_silently_others(made: type[GrowingMap]) -> None:
    X, _, _ = planted(200)
    som = made(threshold=0.95).fit(X)
    pixels = 255 * X
    with pytest.raises(
        InputError, match=r"outside \[0, 1\], the first in row 0, column 0.*divide pixels by 255"
    ):
        som.predict(pixels)
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        som.partial_fit(pixels)
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        made(scale="none").fit(pixels)
    np.testing.assert_array_equal(som.predict(X), som.labels_)


def test_a_stream_beyond_the_range_of_its_first_items_says_so(
    made: type[GrowingMap], caplog: pytest.LogCaptureFixture
) -> None:
    X = 10 * planted(200)[0]
    som = made(threshold=0.95).partial_fit(X)
    som.partial_fit(X[:50])
    assert "outside the range" not in caplog.text
    som.partial_fit(X[:50] + 40.0)
    assert "50 of 50 items lie outside the range" in caplog.text


@pytest.mark.parametrize("value", [0.3, 7.0])
def test_equal_items_are_one_unit_and_a_warning(made: type[GrowingMap], value: float) -> None:
    som = made().fit(np.full((50, 4), value))
    assert som.n_units_ == 1
    np.testing.assert_allclose(som.prototypes_, value)
    assert "all 50 items are equal" in som.warnings_[0]


def test_missing_and_infinite_values_are_refused(made: type[GrowingMap]) -> None:
    X, _, _ = planted(60)
    for value in (np.nan, np.inf):
        X[7, 2] = value
        with pytest.raises(InputError, match=r"NaN|infinity"):
            made().fit(X)
    with pytest.raises(InputError, match="1 sample"):
        made().partial_fit([[2.0, 3.0]])


def test_tensors_and_float32_stay_what_they_are(made: type[GrowingMap]) -> None:
    X = planted(200)[0].astype(np.float32)
    som = made(threshold=0.95, random_state=0).fit(torch.from_numpy(X))
    assert som.prototypes_.dtype == som.transform(X).dtype == np.float32
    np.testing.assert_array_equal(som.predict(X), som.labels_)
    np.testing.assert_array_equal(som.hits_, np.bincount(som.labels_))
    assert (som.hits_ > 0).all()
    assert som.inertia_ == pytest.approx(float(som.transform(X).min(axis=1).mean()), rel=1e-5)


def test_the_best_units_are_the_nearest(made: type[GrowingMap]) -> None:
    X, y, _ = planted(300)
    som = made(threshold=0.95, random_state=0).fit(X)
    distances = som.transform(X)
    units, found = som.best_units(X, k=som.n_units_)
    np.testing.assert_array_equal(units[:, 0], som.predict(X))
    np.testing.assert_allclose(found, np.sort(distances, axis=1), atol=1e-9)
    np.testing.assert_allclose(som.activations(X), 1 / (1 + distances**2), atol=1e-9)
    assert som.score(X) == pytest.approx(-som.inertia_)
    with pytest.raises(InputError, match="1 to"):
        som.best_units(X, k=som.n_units_ + 1)
    assert len(som.label_units(X, y).majority) == som.n_units_


def test_a_saved_map_is_the_same_and_learns_on(made: type[GrowingMap], tmp_path: Path) -> None:
    X = 5 * planted(600)[0]
    som = made(threshold=0.95, random_state=0).fit(X[:300])
    loaded = made.load(som.save(tmp_path / "map"))
    assert loaded.get_params() == som.get_params()
    for name in ("prototypes_", "relevances_", "connections_", "labels_", "hits_"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(som, name))
    assert loaded.history_ == som.history_
    np.testing.assert_array_equal(loaded.predict(X, noise=True), som.predict(X, noise=True))
    for each in (som, loaded):
        each.partial_fit(X[300:])
    np.testing.assert_array_equal(loaded.prototypes_, som.prototypes_)
    assert som.n_iter_ == loaded.n_iter_


def test_broken_files_are_named(made: type[GrowingMap], tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    som = made(threshold=0.95, max_units=12, random_state=0).fit(planted(100)[0])
    whole = som.save(tmp_path / "map")
    other = SOMRL if made is LARFDSSOM else LARFDSSOM
    with pytest.raises(RunError, match="but a model"):
        other.load(whole)
    cut = shutil.copytree(whole, tmp_path / "cut")
    (cut / "model.safetensors").write_bytes((whole / "model.safetensors").read_bytes()[:-9])
    with pytest.raises(RunError):
        made.load(cut)
    edited = shutil.copytree(whole, tmp_path / "edited")
    description = json.loads((whole / "model.json").read_text())
    description["parameters"]["max_units"] = 13
    (edited / "model.json").write_text(json.dumps(description))
    with pytest.raises(RunError, match="not a whole description"):
        made.load(edited)
    assert "state.centres" in load_file(whole / "model.safetensors")


def test_ctrl_c_keeps_the_map(made: type[GrowingMap], monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import signal

    notes = []
    note = made._note

    def press(self: Any, *args: Any) -> None:
        note(self, *args)
        notes.append(args)
        if len(notes) == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(made, "_note", press)
    som = made(threshold=0.95, n_epochs=50, random_state=0).fit(planted(300)[0])
    assert som.stop_reason_ == "interrupted"
    assert som.n_iter_ <= 4
    assert som.n_units_ > 1


@pytest.mark.parametrize("made", [SOMRL, LARFDSSOM])
def test_units_are_as_far_apart_as_items_whatever_the_features_are_measured_in(
    made: type[GrowingMap],
) -> None:
    X, _, _ = planted()
    som = made(threshold=0.95, random_state=0).fit(X * np.linspace(10, 5000, X.shape[1]))
    between = som.transform(som.prototypes_)
    assert som.connections_.any()
    for (a, b), apart in zip(som.lattice_.edges(), som.edge_distances_, strict=True):
        assert apart == pytest.approx((between[a, b] + between[b, a]) / 2, abs=1e-6)
    assert np.nanmax(som.u_matrix_) < 1.0  # "on a scale from 0 to 1", as figures and report say


@pytest.mark.parametrize("made", [SOMRL, LARFDSSOM])
def test_a_map_of_one_unit_says_what_to_change(made: type[GrowingMap]) -> None:
    X, _, _ = planted()
    som = made(threshold=0.3, random_state=0).fit(X)
    assert som.n_units_ == 1
    assert [warning.partition(",")[0] for warning in som.warnings_] == ["the map is one unit"]
    assert "raise threshold" in som.warnings_[0]
    assert made(threshold=0.95, random_state=0).fit(X).warnings_ == []


@pytest.mark.parametrize("made", [SOMRL, LARFDSSOM])
def test_a_map_keeps_its_places(made: type[GrowingMap], tmp_path: Path) -> None:
    X, _, _ = planted()
    som = made(threshold=0.95, max_units=30).partial_fit(X).set_params(max_units=20)
    for use in (lambda: som.partial_fit(X), lambda: som.save(tmp_path / "map")):  # which could not be loaded
        with pytest.raises(InputError, match="max_units=20, but this map has 30 places"):
            use()
    assert made.load(som.set_params(max_units=30).save(tmp_path / "map")).partial_fit(X).n_units_ > 1


@pytest.mark.parametrize("made", [SOMRL, LARFDSSOM])
def test_numbers_may_be_those_of_numpy(made: type[GrowingMap], tmp_path: Path) -> None:
    X, _, _ = planted()
    kinds = {"threshold": np.float32(0.95), "smoothness": np.float64(0.1), "relevance_rate": np.int64(1)}
    som = made(**kinds, random_state=0).fit(X)
    plain = made(**{name: value.item() for name, value in kinds.items()}, random_state=0).fit(X)
    np.testing.assert_array_equal(som.prototypes_, plain.prototypes_)
    np.testing.assert_array_equal(made.load(som.save(tmp_path / "map")).predict(X), plain.predict(X))
    with pytest.raises(InputError, match="threshold="):
        made(threshold=np.bool_(True)).fit(X)


@pytest.mark.parametrize("made", [SOMRL, LARFDSSOM])
def test_sparse_items_are_refused_in_words(made: type[GrowingMap]) -> None:
    with pytest.raises(InputError, match=f"the items are sparse.*{made.model_name} takes dense arrays"):
        made().fit(sparse.csr_matrix(np.eye(4)))
