"""Rows that begin with the same autoencoder share one training of it; others do not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from somscope.data import Collection
from somscope.models.ae_som import AESOM
from somscope.models.contrastive_som import ContrastiveSOM
from somscope.models.desom import DESOM
from somscope.studies import pretrained
from somscope.studies.pretrained import take_shared
from somscope.studies.references import EncodedMiniSomReference, KMeansReference
from studies.samples import TINY

SMALL = {"hidden": (8,), "latent_dim": 2, "pretrain_epochs": 2, "device": "cpu", "random_state": 3}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The parameters of every autoencoder that is trained."""
    calls: list[dict[str, Any]] = []

    class Counted(AESOM):
        def __init__(self, grid: Any = (8, 8), **parameters: Any) -> None:
            super().__init__(grid, **parameters)

        def fit(self, X: Any, y: Any = None) -> Counted:
            calls.append(vars(self).copy())
            return super().fit(X, y)

        def get_params(self, deep: bool = True) -> dict[str, Any]:
            return AESOM(**{n: v for n, v in vars(self).items() if not n.endswith("_")}).get_params(deep)

    monkeypatch.setattr(pretrained, "AESOM", Counted)
    return calls


def unlabelled(name: str = "blobs") -> Collection:
    whole = TINY[name]
    return Collection(name=name, kind="vectors", features=whole.features)


def test_it_is_trained_once_for_rows_that_differ_in_their_maps(
    trained: list[dict[str, Any]], tmp_path: Path
) -> None:
    models = [
        AESOM(grid=(2, 2), legacy=True, **SMALL),
        AESOM(grid=(3, 3), method="batch", **SMALL),
        EncodedMiniSomReference(grid=(2, 2), **SMALL),
    ]
    seconds = {take_shared(model, unlabelled(), tmp_path) for model in models}
    assert len(trained) == 1
    assert len(seconds) == 1
    assert min(seconds) > 0
    assert len({model.autoencoder for model in models}) == 1
    for change in ({"latent_dim": 1}, {"random_state": 4}, {"pretrain_epochs": 1}, {"precision": "bf16"}):
        take_shared(AESOM(**{**SMALL, **change}), unlabelled(), tmp_path)
    take_shared(AESOM(**SMALL), unlabelled("blobs:train"), tmp_path)
    assert len(trained) == 6


def test_a_row_learns_what_it_would_have_learned_alone(tmp_path: Path) -> None:
    alone = AESOM(grid=(2, 2), legacy=True, n_steps=5, verbose=False, **SMALL).fit(unlabelled())
    shared = AESOM(grid=(2, 2), legacy=True, n_steps=5, verbose=False, **SMALL)
    take_shared(shared, unlabelled(), tmp_path)
    np.testing.assert_array_equal(shared.fit(unlabelled()).prototypes_, alone.prototypes_)


def test_finishes_of_one_joint_training_are_those_of_whole_trainings(tmp_path: Path) -> None:
    how: dict[str, Any] = {"hidden": (8,), "latent_dim": 2, "n_steps": 5, "finish_steps": 4, "device": "cpu"}
    radii, items = (0.4, 0.8), unlabelled()
    models = [DESOM((2, 2), final_radius=r, random_state=0, verbose=False, **how) for r in radii]
    seconds = {take_shared(model, items, tmp_path) for model in models}
    assert len(seconds) == 1
    left = [path.name for path in tmp_path.glob("shared/*/*.json")]
    assert left == ["model.json"]  # and no checkpoints
    shared = [model.fit(items).prototypes_ for model in models]
    assert not np.array_equal(*shared)
    for radius, prototypes in zip(radii, shared, strict=True):
        whole = DESOM((2, 2), final_radius=radius, random_state=0, verbose=False, **how).fit(items)
        np.testing.assert_array_equal(prototypes, whole.prototypes_)
    legacy = DESOM((2, 2), legacy=True, random_state=0, verbose=False, **how)
    assert take_shared(legacy, items, tmp_path) == 0.0


def test_contrastive_maps_share_their_encoder_and_last_passes_all_of_one(tmp_path: Path) -> None:
    how: dict[str, Any] = {"hidden": (8,), "latent_dim": 2, "n_steps": 4, "n_clusters": 2, "device": "cpu"}
    changes: list[dict[str, Any]] = [
        {},
        {"keep": 0.0, "final_radius": None},
        {"joint_steps": 0, "final_radius": None},
        {"final_radius": 0.4},
        {"final_radius": 0.8},
    ]
    items = unlabelled()
    models = [ContrastiveSOM((2, 2), **change, **how, random_state=0, verbose=False) for change in changes]
    seconds = [take_shared(model, items, tmp_path) for model in models]
    assert seconds[1] == seconds[2] < seconds[0] == seconds[3] == seconds[4]
    assert len(list(tmp_path.glob("shared/*/model.json"))) == 2
    codes = [model.fit(items).encode(items) for model in models]
    np.testing.assert_array_equal(codes[3], codes[0])
    np.testing.assert_array_equal(codes[4], codes[0])
    assert not np.array_equal(codes[1], codes[0])
    alone = ContrastiveSOM((2, 2), joint_steps=0, **how, random_state=0, verbose=False).fit(items)
    np.testing.assert_array_equal(codes[2], alone.encode(items))
    assert not np.array_equal(models[3].prototypes_, models[4].prototypes_)
    assert models[3].n_iter_ == 0


def test_other_models_are_left_alone(trained: list[dict[str, Any]], tmp_path: Path) -> None:
    assert take_shared(KMeansReference(), unlabelled(), tmp_path) == 0.0
    assert not trained
    assert not list(tmp_path.iterdir())
